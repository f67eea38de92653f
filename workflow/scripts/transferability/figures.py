"""The paper's figures, from the accuracies of any study, and what one wants to look at besides."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from transferability.figure_style import KIND_TITLES, LABELS, LINES, depth_axis, marker_style, say_empty
from transferability.names import Network, Series
from transferability.splits import GROUPED, RANDOM
from transferability.statistics import paired_differences, paired_effects

_FIGURE2 = ("base", "selffer", "selffer+", "transfer", "transfer+")
STATISTIC_LABELS = {
    "top1_final": "top-1 accuracy (last evaluation)",
    "top1_best": "top-1 accuracy (best evaluation)",
    "top1_mean_best10": "top-1 accuracy (mean of ten best evaluations)",
}


def figure2(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """The paper's Figure 2, a column a kind of split: every network as a point, and the means as lines."""
    kinds = [kind for kind in (RANDOM, GROUPED) if (accuracies["kind"] == kind).any()]
    figure = Figure(figsize=(6.6 * max(len(kinds), 1), 8.4), layout="constrained")
    panels = figure.subplots(2, max(len(kinds), 1), squeeze=False, sharey="row", sharex=True)
    for column, kind in enumerate(kinds):
        of_kind = accuracies[(accuracies["kind"] == kind) & accuracies["treatment"].isin(_FIGURE2)]
        points, lines = panels[:, column]
        _points(points, of_kind, statistic, colours)
        _mean_lines(lines, of_kind, statistic, colours)
        points.set_title(KIND_TITLES[kind])
        lines.set_xlabel("layer n at which the network is cut and retrained")
    for row in panels:
        row[0].set_ylabel(STATISTIC_LABELS[statistic])
    if not kinds:
        say_empty(panels[0, 0], "no split into halves")
    else:
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=5)
    return figure


def figure3(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """The paper's Figure 3: dissimilar halves, random filters, and all of them less the base of their target."""
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    grouped, filters, together = figure.subplots(1, 3)
    _by_direction(grouped, accuracies[accuracies["kind"] == GROUPED], statistic, colours)
    _random_filters(filters, accuracies, statistic, colours)
    _normalised(together, accuracies, statistic, colours)
    return figure


def effects(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """Paired effects by n with their intervals, similar and dissimilar halves side by side.

    A loss or gain has the colour of the treatment that it is about.
    """
    table = paired_effects(accuracies, statistic)
    shown = {
        "co-adaptation loss": ("selffer", "base − BnB"),
        "specificity loss": ("transfer", "BnB − AnB"),
        "transfer gain": ("transfer+", "AnB⁺ − base"),
        "retraining gain": ("selffer+", "BnB⁺ − base"),
    }
    kinds = [kind for kind in (RANDOM, GROUPED) if (table["kind"] == kind).any()]
    figure = Figure(figsize=(5.6 * max(len(kinds), 1), 4.4), layout="constrained")
    panels = figure.subplots(1, max(len(kinds), 1), squeeze=False, sharey=True)[0]
    for axes, kind in zip(panels, kinds, strict=False):
        for offset, (effect, (treatment, formula)) in zip((-0.18, -0.06, 0.06, 0.18), shown.items(), strict=True):
            rows = table[(table["kind"] == kind) & (table["effect"] == effect)].sort_values("n")
            if rows.empty:
                continue
            x, mean = rows["n"].to_numpy(float) + offset, 100 * rows["mean"].to_numpy(float)
            style = marker_style(treatment, colours) | {"linestyle": LINES[treatment]}
            axes.plot(x, mean, label=f"{effect} ({formula})", **style)
            bounds = 100 * rows[["low", "high"]].to_numpy(float)
            axes.vlines(x, bounds[:, 0], bounds[:, 1], color=style["color"], linewidth=1.2)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_title(KIND_TITLES[kind])
        axes.set_xticks(sorted(table["n"].unique()))
        axes.set_xlabel("layer n")
        axes.grid(axis="x", visible=False)
    panels[0].set_ylabel("points of accuracy, paired")
    if kinds:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    else:
        say_empty(panels[0], "no paired networks")
    return figure


def learning_curves(histories: Mapping[str, pd.DataFrame], colours: Mapping[str, str]) -> Figure:
    """Validation accuracy over training of all networks of a split and seed: a panel a series, a colour a depth.

    Args:
        histories: by network name; columns ``iteration`` and ``validation_top1``.
        colours: by treatment; the base's is used.
    """
    networks = {name: Network.parse(name) for name in histories}
    series: list[Series] = sorted({n.series for n in networks.values() if n.source}, key=lambda s: (s.name[1:], s.name))
    columns = min(5, max(1, len(series)))
    rows = -(-max(1, len(series)) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.6 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    deepest = max((n.n for n in networks.values()), default=1)
    shades = ScalarMappable(Normalize(1, max(2, deepest)), "viridis")
    shade = {n: tuple(colour) for n, colour in enumerate(shades.to_rgba(np.arange(deepest + 1)))}
    for axes, one in zip(panels, series, strict=False):
        base = histories.get(f"base{one.target}")
        if base is not None:
            axes.plot(base["iteration"], base["validation_top1"], color=colours["base"], linestyle=":")
        for name, network in sorted(networks.items(), key=lambda item: item[1].n):
            if network.source and network.series == one:
                history = histories[name]
                axes.plot(history["iteration"], history["validation_top1"], color=shade[network.n])
        axes.set_title(one.name)
    for axes in panels[len(series) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel("validation top-1")
    for axes in panels[max(0, len(series) - columns) : len(series)]:
        axes.set_xlabel("iteration")
    if series:
        bar = figure.colorbar(shades, ax=list(panels), label="depth n  (dotted: base)", aspect=40)
        bar.set_ticks(sorted({n.n for n in networks.values() if n.source}))
    else:
        say_empty(panels[0], "no series")
    return figure


def first_layer_filters(weights: Mapping[str, NDArray[np.float32]]) -> Figure:
    """First-layer filters as pictures, each stretched to its own range.

    Args:
        weights: by title; filters x channels x height x width, of 1 or 3 channels (others: their mean).
    """
    figure = Figure(figsize=(3.2 * max(1, len(weights)), 3.5), layout="constrained")
    panels = figure.subplots(1, max(1, len(weights)), squeeze=False)[0]
    for axes, (title, filters) in zip(panels, weights.items(), strict=False):
        axes.imshow(_mosaic(filters), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title)
        axes.axis("off")
    return figure


def _mosaic(filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Filters side by side in a near-square grid with white gaps: height x width, or height x width x 3."""
    pictures = filters.transpose(0, 2, 3, 1)
    if pictures.shape[-1] != 3:
        pictures = pictures.mean(axis=-1, keepdims=True)
    low, high = (edge(pictures, axis=(1, 2, 3), keepdims=True) for edge in (np.min, np.max))
    pictures = (pictures - low) / np.maximum(high - low, np.finfo(np.float32).tiny)
    count, height, width, channels = pictures.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    mosaic = np.ones((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), dtype=np.float32)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        mosaic[top : top + height, left : left + width] = picture
    return mosaic if channels == 3 else mosaic[..., 0]


def _points(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    offsets = dict(zip(_FIGURE2, (0.0, -0.2, -0.07, 0.07, 0.2), strict=True))
    for treatment in _FIGURE2:
        rows = accuracies[accuracies["treatment"] == treatment]
        if len(rows):
            style = marker_style(treatment, colours) | {"linestyle": "none", "alpha": 0.85}
            axes.plot(rows["n"].to_numpy(float) + offsets[treatment], rows[statistic], label=LABELS[treatment], **style)
    _base_line(axes, accuracies, statistic, colours)
    depth_axis(axes, _depths(accuracies))
    axes.set_xlabel("")


def _mean_lines(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    base = accuracies.loc[accuracies["treatment"] == "base", statistic].mean()
    for treatment in _FIGURE2[1:]:
        means = accuracies[accuracies["treatment"] == treatment].groupby("n")[statistic].mean()
        if means.empty:
            continue
        x, y = [0.0, *means.index.to_numpy(float)], [base, *means]
        axes.plot(x, y, linestyle=LINES[treatment], **marker_style(treatment, colours))
    axes.plot([0], [base], **marker_style("base", colours))
    _base_line(axes, accuracies, statistic, colours)
    depth_axis(axes, _depths(accuracies))


def _base_line(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    base = accuracies.loc[accuracies["treatment"] == "base", statistic].mean()
    axes.axhline(base, linestyle=LINES["base"], color=colours["base"], linewidth=1)


def _by_direction(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    """Dissimilar halves: each direction's points, and the mean of both."""
    axes.set_title("frozen transfer, dissimilar halves")
    axes.set_ylabel(STATISTIC_LABELS[statistic])
    rows = accuracies[accuracies["treatment"].isin(("base", "transfer"))]
    if not (rows["treatment"] == "transfer").any():
        say_empty(axes, "no frozen transfer between dissimilar halves")
        return
    for target, marker in (("A", "^"), ("B", "o")):
        of_target = rows[rows["target"] == target]
        style = marker_style("transfer", colours) | {"marker": marker, "linestyle": "none"}
        source = "B" if target == "A" else "A"
        axes.plot(
            of_target["n"].to_numpy(float), of_target[statistic], label=f"{source}n{target}, base{target}", **style
        )
    means = rows.groupby("n")[statistic].mean()
    axes.plot(means.index.to_numpy(float), means, color=colours["transfer"], label="mean of both directions")
    _base_line(axes, rows, statistic, colours)
    depth_axis(axes, _depths(rows))
    axes.legend()


def _random_filters(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    axes.set_title("random, untrained filters, frozen")
    axes.set_ylabel(STATISTIC_LABELS[statistic])
    with_random = accuracies.loc[accuracies["treatment"] == "random", "split"].unique()
    rows = accuracies[accuracies["split"].isin(with_random) & accuracies["treatment"].isin(("base", "random"))]
    if rows.empty:
        say_empty(axes, "no networks with random filters")
        return
    for kind in (RANDOM, GROUPED, "whole"):
        of_kind = rows[rows["kind"] == kind]
        if of_kind.empty:
            continue
        means = of_kind.groupby("n")[statistic].mean()
        style = marker_style("random", colours) | {"linestyle": {RANDOM: "-", GROUPED: "--"}.get(kind, "-")}
        axes.plot(means.index.to_numpy(float), means, label=KIND_TITLES[kind], **style)
        axes.plot(
            of_kind["n"].to_numpy(float), of_kind[statistic], linestyle="none", marker=".", color=colours["random"]
        )
    depth_axis(axes, _depths(rows))
    axes.set_ylim(bottom=0)
    axes.legend()


def _normalised(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    """Frozen networks less the base of their own target, so that halves of different difficulty compare."""
    axes.set_title("all, less the base of their target")
    axes.set_ylabel("difference in top-1 accuracy")
    drawn = False
    for treatment, kind, line, what in (
        ("transfer", RANDOM, "-", "AnB, similar halves"),
        ("transfer", GROUPED, "--", "AnB, dissimilar halves"),
        ("random", None, "-", "random filters"),
    ):
        of_kind = accuracies if kind is None else accuracies[accuracies["kind"] == kind]
        means = paired_differences(of_kind, treatment, "base", statistic).groupby("n")["difference"].mean()
        if len(means):
            style = marker_style(treatment, colours) | {"linestyle": line}
            axes.plot([0.0, *means.index.to_numpy(float)], [0.0, *means], label=what, **style)
            drawn = True
    axes.axhline(0, color=colours["base"], linestyle=LINES["base"], linewidth=1)
    depth_axis(axes, _depths(accuracies))
    if drawn:
        axes.legend()
    else:
        say_empty(axes, "no frozen networks")


def _depths(accuracies: pd.DataFrame) -> list[int]:
    return sorted(int(n) for n in accuracies["n"].unique() if n > 0)
