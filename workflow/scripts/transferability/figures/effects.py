"""What copying layers costs and gains, with intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transferability.figures.style import (
    DEPTH_LABEL,
    QUIET,
    beside,
    cross_out,
    depth_labels,
    depth_limits,
    legend_by_row,
    marker_style,
    nothing_but,
    warn,
)
from transferability.results.accuracies import Results, layer_names
from transferability.results.effects import EFFECTS, formula, paired_effects
from transferability.results.pairs import compared_types, dead_depths
from transferability.results.unlearned import bases_at_chance

_GRAY = {"linestyle": "-", "color": QUIET, "linewidth": 1.2, "markersize": 6}
_OF_NO_TREATMENT = {
    "total drop": {"marker": "X", **_GRAY},
    "transfer gain": {"marker": "P", **_GRAY},
    "pretrained specificity drop": {"marker": "*", **_GRAY},
    "pretrained transfer gain": {"marker": "*", **_GRAY},
}
# The effects that a figure can show on one scale, with the treatment whose look they have; the random filter drop is
# many times larger and is in figure 3.
_DROPS: Mapping[str, str | None] = {
    "co-adaptation drop": "selffer",
    "specificity drop": "transfer",
    "total drop": None,
    "pretrained drop": "pretrained",
    "pretrained specificity drop": None,
}
_GAINS: Mapping[str, str | None] = {
    "retraining gain": "selffer+",
    "fine-tuning gain": "transfer+",
    "transfer gain": None,
    "pretrained gain": "pretrained+",
    "pretrained transfer gain": None,
}


def effects(results: Results) -> Figure:
    """Paired effects by n with their intervals: drops above, gains below; split types side by side.

    An effect looks like the treatment that it is about. Effects of a single split and seed have no interval.
    """
    accuracies, table = results.accuracies, paired_effects(results)
    shown = [
        (effects, what) for effects, what in ((_DROPS, "drop"), (_GAINS, "gain")) if table["effect"].isin(effects).any()
    ]
    table = table[table["effect"].isin({effect for effects, _ in shown for effect in effects})]
    split_types = [one for one in compared_types(accuracies) if (table["split_type"] == one).any()]
    if not split_types:
        return nothing_but("no pairs of networks for any drop or gain")
    width, depths = max(7.4, 5.6 * len(split_types)), sorted({int(n) for n in table["n"]})
    step = (width / len(split_types) - 1) / (len(depths) + 0.2)
    figure = Figure(figsize=(width, 0.8 + 3.5 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), len(split_types), squeeze=False, sharey="row", sharex=True)
    for axes, split_type in zip(panels[0], split_types, strict=True):
        axes.set_title(results.halves(split_type))
    for row, (effects, what) in zip(panels, shown, strict=True):
        row[0].set_ylabel(f"{what}, points of accuracy")
        for axes, split_type in zip(row, split_types, strict=True):
            _effects_of(
                axes,
                effects,
                table[table["split_type"] == split_type],
                accuracies[accuracies["split_type"] == split_type],
            )
            axes.set_xticks(depths, depth_labels(depths, layer_names(accuracies), step))
            axes.set_xlim(*depth_limits(depths))
            axes.grid(axis="x", visible=False)
            axes.set_visible(bool(axes.get_legend_handles_labels()[0]))
    for row in panels:
        if not any(axes.containers or len(axes.collections) for axes in row):  # nothing but crosses
            row[0].set_ylim(-1, 1)
    for column in panels.T:
        lowest = [axes for axes in column if axes.get_visible()][-1]
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(DEPTH_LABEL)
    warn(figure, bases_at_chance(accuracies))
    legend_by_row(figure, panels, "outside lower center")
    return figure


def _effects_of(axes: Axes, effects: Mapping[str, str | None], table: pd.DataFrame, accuracies: pd.DataFrame) -> None:
    """Draw the effects that exist for one split type, side by side at their n."""
    axes.axhline(0, color="black", linewidth=0.8)
    there = [effect for effect in effects if (table["effect"] == effect).any()]
    for offset, effect in zip(beside(len(there), 0.12), there, strict=True):
        treatment = effects[effect]
        rows = table[(table["effect"] == effect) & (table["pairs"] > 0)].sort_values("n")
        if len(rows):
            style = marker_style(treatment) if treatment else _OF_NO_TREATMENT[effect]
            _with_interval(axes, rows, offset, style, f"{effect} ({formula(effect)})")
        # Crosses are on the zero line, because any other height would suggest a value.
        dead = np.array(dead_depths(accuracies, *EFFECTS[effect]), float)
        cross_out(axes, dead + offset, np.zeros_like(dead))


def _with_interval(axes: Axes, rows: pd.DataFrame, offset: float, style: dict[str, Any], label: str) -> None:
    """Draw the means of an effect by n, in points, with their intervals as lines behind the markers."""
    x = rows["n"].to_numpy(float) + offset
    axes.plot(x, 100 * rows["mean"].to_numpy(float), label=label, **style)
    bounds = 100 * rows[["low", "high"]].to_numpy(float)
    axes.vlines(x, bounds[:, 0], bounds[:, 1], color=style["color"], linewidth=1.6, zorder=1.9)
