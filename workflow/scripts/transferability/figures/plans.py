"""What plans for every layer cost and gain, by n."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transferability.figures.style import (
    beside,
    cross_out,
    depth_labels,
    depth_limits,
    marker_style,
    nothing_but,
    shared_legend,
    warn,
)
from transferability.networks.layer_plan import PLANS
from transferability.results.accuracies import Results, layer_names
from transferability.results.effects import EFFECTS, formula, paired_effects
from transferability.results.pairs import dead_depths
from transferability.results.plan_effects import PLAN_EFFECTS, plan_effect
from transferability.results.unlearned import bases_at_chance
from transferability.study.planned_treatments import BY_PLAN, kind_of, plan_in_words, plan_of
from transferability.study.split_types import SPLIT_TYPES_IN_WORDS


def plans(results: Results) -> Figure:
    """The paired effect of each plan by n, with intervals: rows are plans, columns are split types.

    Effects look like the frozen networks of the same kind. Those of a single split and seed have no interval.
    """
    accuracies, table = results.accuracies, paired_effects(results)
    table = table[table["effect"].isin(PLAN_EFFECTS)]
    there = set(table["effect"])
    rows = [plan for plan in PLANS if any(plan_effect(treatment) in there for treatment in _of_plan(plan))]
    split_types = [split_type for split_type in SPLIT_TYPES_IN_WORDS if (table["split_type"] == split_type).any()]
    if not rows:
        return nothing_but("no networks with a plan to compare with their counterparts")
    depths = sorted({int(n) for n in table["n"]})
    width = max(7.4, 5.6 * len(split_types))
    labels = depth_labels(depths, layer_names(accuracies), (width / len(split_types) - 1) / (len(depths) + 0.2))
    figure = Figure(figsize=(width, 1.0 + 2.6 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), len(split_types), squeeze=False, sharex=True, sharey="row")
    for plan, row in zip(rows, panels, strict=True):
        for axes, split_type in zip(row, split_types, strict=True):
            _draw(axes, plan, *(of[of["split_type"] == split_type] for of in (table, accuracies)))
            axes.set_xticks(depths, labels)
            axes.set_xlim(*depth_limits(depths))
            axes.grid(axis="x", visible=False)
        if not any(len(axes.collections) for axes in row):  # nothing but crosses
            row[0].set_ylim(-1, 1)
        what = next(plan_effect(treatment) for treatment in _of_plan(plan)).partition(",")[0]
        row[0].set_ylabel(f"{what}, points")
    for axes, split_type in zip(panels[0], split_types, strict=True):
        axes.set_title(results.halves(split_type))
    for axes in panels[-1]:
        axes.set_xlabel("layer n of the plan")
    warn(figure, bases_at_chance(accuracies))
    shared_legend(figure, panels.flat, "outside lower center", columns=2)
    return figure


def _of_plan(plan: str) -> list[str]:
    return [treatment for treatment in BY_PLAN if plan_of(treatment) == plan]


def _draw(axes: Axes, plan: str, table: pd.DataFrame, accuracies: pd.DataFrame) -> None:
    """Draw the effects of one plan for one split type."""
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_title(plan_in_words(plan), loc="left", size="medium")
    shown = [t for t in _of_plan(plan) if (table["effect"] == plan_effect(t)).any()]
    for offset, treatment in zip(beside(len(shown), 0.12), shown, strict=True):
        effect = plan_effect(treatment)
        rows = table[(table["effect"] == effect) & (table["pairs"] > 0)].sort_values("n")
        style: dict[str, Any] = marker_style(kind_of(treatment))
        x = rows["n"].to_numpy(float) + offset
        if len(rows):
            axes.plot(x, 100 * rows["mean"].to_numpy(float), label=f"{effect} ({formula(effect)})", **style)
            bounds = 100 * rows[["low", "high"]].to_numpy(float)
            axes.vlines(x, bounds[:, 0], bounds[:, 1], color=style["color"], linewidth=1.6, zorder=1.9)
        dead = np.array(dead_depths(accuracies, *EFFECTS[effect]), float)
        cross_out(axes, dead + offset, np.zeros_like(dead))
