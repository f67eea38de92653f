"""A study overlaid on the published one."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from transferability.figures.style import (
    DEPTH_LABEL,
    LABELS,
    LINES,
    QUIET,
    color_of,
    cross_out,
    marker_style,
    nothing_but,
    shared_legend,
    warn,
)
from transferability.results.accuracies import of_training_mode
from transferability.results.comparison import ANY, compared_amount, differences_to_base
from transferability.results.unlearned import bases_at_chance
from transferability.study.amounts import amount_in_words
from transferability.study.names import SYMBOLS
from transferability.study.split_types import SEMANTIC, SPLIT_TYPES_IN_WORDS

# The columns of `differences_to_base` that are drawn, each with its factor and label.
_SHOWN = {
    "difference": (-100, "points below base"),
    "relative": (-100, "below base, % of base"),
    "fit": (-1, "fit:\nnats worse than base"),
    "generalization": (-1, "generalization:\nnats worse than base"),
}


def comparison(ours: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """A study overlaid on the published one, where both have networks: a column per treatment and split type.

    From top to bottom, rows show the mean drop of networks from their own bases, the same as a fraction of the base's
    accuracy and, if both studies have them, the two parts of the drop in cross-entropy. Values are positive where a
    network is worse, and drawn downward.
    """
    studies = {"this study": ours, "published": published}
    tables = {study: differences_to_base(accuracies) for study, accuracies in studies.items()}
    names = {study: f"{study}{_on_images(accuracies)}" for study, accuracies in studies.items()}
    of_each = [set(zip(table["treatment"], table["split_type"], strict=True)) for table in tables.values()]
    common = sorted(of_each[0] & of_each[1], key=lambda pair: (pair[1] == SEMANTIC, list(LABELS).index(pair[0])))
    if not common:
        return nothing_but("no treatment that both studies have")
    shown = [column for column in _SHOWN if all(table[column].notna().any() for table in tables.values())]
    figure = Figure(figsize=(2.6 * max(2, len(common)), 0.8 + 2.8 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), len(common), squeeze=False, sharex=True)
    for row, column in zip(panels, shown, strict=True):
        scale, label = _SHOWN[column]
        row[0].set_ylabel(label)
        for axes, (treatment, split_type) in zip(row, common, strict=True):
            axes.axhline(0, color=color_of("base"), linestyle=LINES["base"], linewidth=1)
            for study, table in tables.items():
                rows = table[(table["treatment"] == treatment) & (table["split_type"] == split_type)].sort_values("n")
                axes.plot(
                    rows["n"].to_numpy(float),
                    scale * rows[column],
                    label=names[study],
                    **_study_style(study, treatment),
                )
                dead = rows.loc[rows["networks"] == 0, "n"]
                cross_out(axes, dead.to_numpy(float), np.zeros(len(dead)))
            axes.yaxis.set_inverted(True)
            axes.set_xticks(sorted({int(n) for table in tables.values() for n in table["n"]}))
            axes.grid(axis="x", visible=False)
    for axes, (treatment, split_type) in zip(panels[0], common, strict=True):
        halves = "halves or all classes" if split_type == ANY else SPLIT_TYPES_IN_WORDS[split_type]
        axes.set_title(f"{SYMBOLS[treatment]}\n{halves}")
    note = of_training_mode(published) if "fit" in shown else ""
    warn(figure, "\n".join(filter(None, (note and f"published {note}", bases_at_chance(ours)))))
    for axes in panels[-1]:
        axes.set_xlabel(DEPTH_LABEL)
    shared_legend(figure, panels[0, :1], "outside lower center", columns=2)
    return figure


def _on_images(accuracies: pd.DataFrame) -> str:
    amount = compared_amount(accuracies)
    return "" if amount is None else f", {amount_in_words(amount)}"


def _study_style(study: str, treatment: str) -> dict[str, Any]:
    """Ours is filled and in color, the published one hollow, dashed and gray, so they differ in print too."""
    style = marker_style(treatment)
    if study == "published":
        return style | {"color": QUIET, "markeredgecolor": QUIET, "markerfacecolor": "white", "linestyle": "--"}
    return style | {"markerfacecolor": style["color"], "linestyle": "-"}
