"""How much target data: what copying layers costs and gains by depth, with a line for each amount of images."""

from collections.abc import Mapping
from itertools import cycle, islice

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transferability.figures.style import (
    DEPTH_LABEL,
    beside,
    cross_out,
    depth_labels,
    depth_limits,
    nothing_but,
    shared_legend,
    warn,
)
from transferability.results.accuracies import Results, layer_names
from transferability.results.effects import EFFECTS, formula, paired_effects
from transferability.results.pairs import dead_depths
from transferability.results.unlearned import bases_at_chance
from transferability.study.amounts import Amount, amount_in_words
from transferability.study.split_types import SPLIT_TYPES_IN_WORDS

_BASE = "base"  # only effects that compare a treatment with this are shown
_MARKERS = "osD^vPX*<>hp"
_COLUMNS = 3


def amounts(results: Results) -> Figure:
    """Drops and gains relative to the base trained on as many images, by n: a panel per effect and split type.

    Each line is for one amount of images, darker for more, with its 95 % intervals. Panels have scales of their own,
    because random filters lose many times as much as others.
    """
    tables = {amount: paired_effects(results.at(amount)) for amount in results.amounts}
    everything = pd.concat(tables.values())
    panels = {
        split_type: [
            effect
            for effect, treatments in EFFECTS.items()
            if _BASE in treatments and len(_rows(everything, split_type, effect))
        ]
        for split_type in SPLIT_TYPES_IN_WORDS
    }
    columns = min(_COLUMNS, max(map(len, panels.values())))
    if not columns:
        return nothing_but("no networks with copied layers to compare with bases on as many images")
    rows = sum(-(-len(effects) // columns) for effects in panels.values())
    depths = sorted({int(n) for n in everything["n"]})
    figure = Figure(figsize=(max(6.6, 4.2 * columns), 0.9 + 3.4 * rows), layout="constrained")
    drawn = iter(figure.subplots(rows, columns, squeeze=False).ravel())
    labels = depth_labels(depths, layer_names(results.accuracies), 3.2 / (len(depths) + 0.2))
    for split_type, effects in panels.items():
        for effect in effects:
            axes = next(drawn)
            axes.axhline(0, color="black", linewidth=0.8)
            axes.set_title(f"{effect}, {formula(effect)}\n{results.halves(split_type)}")
            axes.set_xticks(depths, labels)
            axes.set_xlim(*depth_limits(depths))
            axes.set_xlabel(DEPTH_LABEL)
            axes.set_ylabel("points of accuracy")
            axes.grid(axis="x", visible=False)
            _draw_lines(axes, results, {a: _rows(tables[a], split_type, effect) for a in tables}, split_type, effect)
        for axes in islice(drawn, -len(effects) % columns):  # each split type starts a new row
            axes.set_visible(False)
    warn(figure, bases_at_chance(results.accuracies))
    shared_legend(figure, figure.axes, "outside lower center", columns=max(3, 2 * columns))
    return figure


def _rows(table: pd.DataFrame, split_type: str, effect: str) -> pd.DataFrame:
    return table[(table["split_type"] == split_type) & (table["effect"] == effect)].sort_values("n")


def _draw_lines(
    axes: Axes, results: Results, tables: Mapping[Amount, pd.DataFrame], split_type: str, effect: str
) -> None:
    """Draw the means of an effect by n, with a line for each amount, slightly offset from each other."""
    offsets = beside(len(tables), 0.5 / max(4, len(tables)))
    # From light to dark, on a scale that works in gray and for colorblind readers; its lightest colors are hard to see.
    colors = colormaps["viridis"](np.linspace(0.88, 0, len(tables)))
    for offset, color, marker, (amount, rows) in zip(offsets, colors, cycle(_MARKERS), tables.items(), strict=False):
        told = rows[rows["pairs"] > 0]
        if len(told):
            x, bounds = told["n"].to_numpy(float) + offset, 100 * told[["low", "high"]].to_numpy(float)
            means = 100 * told["mean"].to_numpy(float)
            axes.plot(x, means, color=color, marker=marker, label=amount_in_words(amount))
            axes.vlines(x, bounds[:, 0], bounds[:, 1], color=color, linewidth=1.6, zorder=1.9)
        accuracies = results.at(amount).accuracies
        dead = dead_depths(accuracies[accuracies["split_type"] == split_type], *EFFECTS[effect])
        cross_out(axes, np.array(dead, float) + offset, np.zeros(len(dead)))
