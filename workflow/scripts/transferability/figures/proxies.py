"""Cheap proxies by depth, on the axes of the paper's Figure 2, and their estimated drops against measured ones."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from transferability.figures.paper import accuracy_label, base_line, in_percent
from transferability.figures.style import (
    DEPTH_LABEL,
    LABELS,
    QUIET,
    color_of,
    depth_axis,
    depth_width,
    legend_columns,
    marker_style,
    mean_line,
    nothing_but,
)
from transferability.results.accuracies import Results
from transferability.results.pairs import of_the_paper
from transferability.results.proxies import ALL, agreement, beside_measured
from transferability.results.unlearned import meaningless
from transferability.study.compared import parts_of
from transferability.study.names import SYMBOLS
from transferability.study.proxies import FLATTENED, POOLED, PROXIES
from transferability.study.split_types import SPLIT_TYPES_IN_WORDS

_TREATMENTS = ("selffer", "transfer", "random", "pretrained")


class _Shown(NamedTuple):
    """A proxy that is drawn, its kind of features, and its line style."""

    proxy: str
    features: str
    line: Any


_SHOWN = (_Shown("probe", FLATTENED, "-"), _Shown("probe", POOLED, ":"), _Shown("center", FLATTENED, "-."))


def probes(proxies: pd.DataFrame, results: Results) -> Figure:
    """The accuracies of proxies by depth, with a column per split type, beside the accuracies in the results."""
    return _figure(proxies, results, ("every",))


def measured_proxies(proxies: pd.DataFrame, results: Results) -> Figure:
    """The same, with the drops estimated by the linear probe against the measured ones below each column."""
    return _figure(proxies, results, ("every", "scatter"))


def _figure(proxies: pd.DataFrame, results: Results, rows: Sequence[str]) -> Figure:
    types = [split_type for split_type in SPLIT_TYPES_IN_WORDS if (proxies["split_type"] == split_type).any()]
    if not types:
        return nothing_but("no proxies")
    depths = sorted(int(n) for n in proxies["n"].unique())
    figure = Figure(figsize=(depth_width(depths) * len(types), 4.4 * len(rows) + 0.6), layout="constrained")
    panels = figure.subplots(len(rows), len(types), squeeze=False)
    for column, split_type in zip(panels.T, types, strict=True):
        of_type = proxies[proxies["split_type"] == split_type]
        column[0].set_title(results.halves(split_type))
        layers = dict(of_type[["n", "layer"]].itertuples(index=False, name=None))
        depth_axis(column[0], depths, layers, (depth_width(depths) - 1) / (len(depths) + 1.2))
        _curves(column[0], of_type, results, split_type)
        if len(rows) > 1:
            _scatter(column[1], of_type, results)
    panels[0, 0].set_ylabel(accuracy_label(results))
    if len(rows) > 1:
        panels[1, 0].set_ylabel("measured: points below base")
    handles = _legend(proxies, has_measured=len(rows) > 1)
    columns = legend_columns(figure.get_figwidth(), 2.4, most=4)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns)
    return figure


def _curves(axes: Axes, proxies: pd.DataFrame, results: Results, split_type: str) -> None:
    accuracies = of_the_paper(in_percent(results.accuracies))
    accuracies = accuracies[accuracies["examples_per_class"].isna() & ~meaningless(accuracies)]
    accuracies = accuracies[accuracies["split_type"] == split_type]
    accuracy = parts_of(results.metric)[0]
    for treatment in _TREATMENTS:
        measured = accuracies[accuracies["treatment"] == treatment]
        if len(measured):
            mean_line(axes, measured["n"], measured["accuracy"], **marker_style(treatment))
        of_treatment = proxies[proxies["treatment"] == treatment]
        for shown in _SHOWN:
            rows = of_treatment[of_treatment["features"] == shown.features]
            if len(rows):
                told = 100 * rows[f"{shown.proxy}_{accuracy}"]
                mean_line(axes, rows["n"], told, color=color_of(treatment), linestyle=shown.line, linewidth=1.2)
    base_line(axes, accuracies)
    axes.set_xlabel(DEPTH_LABEL)


def _scatter(axes: Axes, proxies: pd.DataFrame, results: Results) -> None:
    """Draw each network as a point; on the diagonal, the drop estimated from flattened features is the measured one."""
    drops = beside_measured(proxies, results)
    drops = drops[(drops["proxy"] == "probe") & (drops["features"] == FLATTENED)]
    table = agreement(proxies, results)
    table = table[(table["proxy"] == "probe") & (table["features"] == FLATTENED) & (table["scope"] == ALL)]
    lines = []
    for treatment in _TREATMENTS:
        rows = drops[drops["treatment"] == treatment]
        style = marker_style(treatment) | {"linestyle": "none"}
        axes.plot(100 * rows["estimated"], 100 * rows["measured"], **style)
        of_treatment = table[(table["treatment"] == treatment) & table["rank_correlation"].notna()]
        lines += [_correlation(row) for row in of_treatment.itertuples()]
    if len(drops):
        ends = 100 * np.array(
            [drops[["estimated", "measured"]].min().min(), drops[["estimated", "measured"]].max().max()]
        )
        axes.plot(ends, ends, color=QUIET, linewidth=1)
    axes.set_title("\n".join(lines), size="small", color=QUIET)
    axes.set_xlabel("predicted by the linear probe: points below base")


def _correlation(row: "pd.core.frame.Pandas") -> str:  # type: ignore[name-defined]
    interval = "" if np.isnan(row.low) else f" ({row.low:.2f} to {row.high:.2f})"
    return f"{SYMBOLS[row.treatment]}: rank correlation {row.rank_correlation:.2f}{interval}".replace("-", "−")


def _legend(proxies: pd.DataFrame, has_measured: bool) -> list[Line2D]:
    """Legend entries: colors are treatments, lines are proxies; hollow markers are measured accuracies."""
    there = [treatment for treatment in _TREATMENTS if (proxies["treatment"] == treatment).any()]
    colors = [
        Line2D([], [], label=LABELS[treatment], **marker_style(treatment))
        if has_measured
        else Line2D([], [], label=SYMBOLS[treatment], color=color_of(treatment))
        for treatment in there
    ]
    lines = [
        Line2D([], [], label=f"{PROXIES[one.proxy]}, {one.features}", color=QUIET, linestyle=one.line, linewidth=1.2)
        for one in _SHOWN
    ]
    return [*colors, *lines]
