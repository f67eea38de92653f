"""Fit or generalization: which part causes the drops in cross-entropy, depth by depth."""

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
    legend_columns,
    nothing_but,
    shared_legend,
    warn,
)
from transferability.results.accuracies import Results, layer_names, of_training_mode
from transferability.results.effects import EFFECTS, effects, formula
from transferability.results.pairs import compared_types, dead_depths
from transferability.results.unlearned import bases_at_chance
from transferability.study.compared import (
    GENERALIZATION_GAP,
    LOSSES,
    TRAINING_CROSS_ENTROPY,
    VALIDATION_CROSS_ENTROPY,
)

# Dark and light, so that they can be distinguished in gray too; neither is the color of a treatment.
_COLORS: Mapping[str, str] = {TRAINING_CROSS_ENTROPY: "#5B2A86", GENERALIZATION_GAP: "#D8B365"}
_MEANING: Mapping[str, str] = {
    VALIDATION_CROSS_ENTROPY: "the whole drop, on validation images",
    TRAINING_CROSS_ENTROPY: "fit: the part on training images",
    GENERALIZATION_GAP: "generalization: the rest",
}
_REASONS, _UNDIVIDED = ("co-adaptation drop", "specificity drop"), ("total drop",)
_OF_WEIGHTS = ("pretrained drop",)
_BAR = 0.36  # width; depths are 1 apart


def parts(results: Results) -> Figure:
    """The two parts of a drop in cross-entropy by n, in nats, with intervals: columns are split types, rows effects.

    If poor fit causes a drop, the dark bar points up; if overfitting does, the light one. The marker is their sum, the
    drop on validation images. Where the drop of frozen transfer cannot be divided into co-adaptation and specificity
    because there are no selffer networks, it is shown as a whole.
    """
    accuracies, table = results.accuracies, effects(results)
    table = table[table["metric"].isin(LOSSES) & table["effect"].isin((*_REASONS, *_UNDIVIDED, *_OF_WEIGHTS))]
    if not (table["pairs"] > 0).any():
        return nothing_but("no pairs of networks for any drop in cross-entropy")
    shown = {
        split_type: _shown(set(table.loc[table["split_type"] == split_type, "effect"]))
        for split_type in compared_types(accuracies)
        if (table["split_type"] == split_type).any()
    }
    if not shown:
        return nothing_but("no pairs of networks of halves for any drop in cross-entropy")
    rows, depths = max(map(len, shown.values())), sorted({int(n) for n in table["n"]})
    width = max(7.4, 5.6 * len(shown))
    labels = depth_labels(depths, layer_names(accuracies), (width / len(shown) - 1) / (len(depths) + 0.2))
    figure = Figure(figsize=(width, 1.1 + 3.1 * rows), layout="constrained")
    alike = len(set(shown.values())) == 1  # otherwise rows have different effects, which cannot share a scale
    panels = figure.subplots(rows, len(shown), squeeze=False, sharex=True, sharey="row" if alike else False)
    for column, (split_type, of_type) in zip(panels.T, shown.items(), strict=True):
        for axes, effect in zip(column, of_type, strict=False):
            drawn = table[(table["split_type"] == split_type) & (table["effect"] == effect)]
            _draw(axes, drawn, dead_depths(accuracies[accuracies["split_type"] == split_type], *EFFECTS[effect]))
            axes.set_title(f"{effect}, {formula(effect)}", loc="left", color=QUIET, size="medium")
            axes.set_xticks(depths, labels)
            axes.set_xlim(*depth_limits(depths))
            axes.grid(axis="x", visible=False)
        above = f"{results.halves(split_type)}\n{column[0].get_title(loc='left')}"
        column[0].set_title(above, loc="left", color=QUIET, size="medium")
        for axes in column[len(of_type) :]:
            axes.set_visible(False)
        column[len(of_type) - 1].set_xlabel(DEPTH_LABEL)
        column[len(of_type) - 1].tick_params(labelbottom=True)
    for axes in panels[:, 0]:
        axes.set_ylabel("nats lost")
    warn(figure, "\n".join(filter(None, (of_training_mode(accuracies), bases_at_chance(accuracies)))), below=True)
    columns = legend_columns(figure.get_figwidth(), 3.5, 3)
    shared_legend(figure, panels.flat, "outside upper center", columns)
    return figure


def _shown(there: set[str]) -> tuple[str, ...]:
    """The effects to show: both reasons for the drop if known, else their sum, else the known one; and pretrained."""
    divided = there.issuperset(_REASONS) or not there.issuperset(_UNDIVIDED)
    return tuple(effect for effect in (*(_REASONS if divided else _UNDIVIDED), *_OF_WEIGHTS) if effect in there)


def _draw(axes: Axes, drop: pd.DataFrame, dead: list[int]) -> None:
    """Draw a drop by n for one split type: its two parts side by side, and their sum."""
    axes.axhline(0, color="black", linewidth=0.8)
    for offset, (part, color) in zip(beside(len(_COLORS), _BAR), _COLORS.items(), strict=True):
        rows = drop[(drop["metric"] == part) & (drop["pairs"] > 0)].sort_values("n")
        x = rows["n"].to_numpy(float) + offset
        if len(rows):
            axes.bar(x, rows["mean"], _BAR, color=color, linewidth=0, label=_MEANING[part])
            axes.vlines(x, rows["low"], rows["high"], color="black", linewidth=1.2, zorder=3)
    rows = drop[(drop["metric"] == VALIDATION_CROSS_ENTROPY) & (drop["pairs"] > 0)].sort_values("n")
    if len(rows):
        x = rows["n"].to_numpy(float)
        style: dict[str, Any] = {"linestyle": "none", "marker": "D", "markersize": 5.5, "zorder": 4}
        label = _MEANING[VALIDATION_CROSS_ENTROPY]
        axes.plot(x, rows["mean"], color="white", markeredgecolor="black", label=label, **style)
        axes.vlines(x, rows["low"], rows["high"], color="black", linewidth=1.2, zorder=3)
    cross_out(axes, np.array(dead, float), np.zeros(len(dead)))
