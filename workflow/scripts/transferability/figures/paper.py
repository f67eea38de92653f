"""The paper's figures, from the accuracies of any study, and what one wants to look at besides."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from transferability.figures.style import (
    DEPTH_LABEL,
    LABELS,
    LINES,
    QUIET,
    SYMBOLS,
    beside,
    cross_out,
    depth_axis,
    depth_limits,
    depth_width,
    from_zero,
    legend_below,
    legend_by_row,
    legend_columns,
    marker_style,
    nothing_but,
    number_difference,
    question,
    shared_legend,
    warn,
)
from transferability.results.accuracies import bases_at_chance, doubtful, meaningless
from transferability.results.comparison import ANY, differences_to_base
from transferability.results.effects import EFFECTS, paired_effects
from transferability.results.pairs import dead_depths, of_the_paper, paired_differences
from transferability.study.names import GROUPED, KINDS_IN_WORDS, RANDOM, TREATMENTS, WHOLE, Network, Series

_FIGURE2 = ("base", "selffer", "selffer+", "transfer", "transfer+")
STATISTIC_LABELS = {
    "top1_final": "top-1 accuracy\n(last evaluation)",
    "top1_best": "top-1 accuracy\n(best evaluation)",
    "top1_mean_best10": "top-1 accuracy\n(mean of ten best evaluations)",
    "balanced_final": "balanced accuracy\n(last evaluation)",
    "balanced_best": "balanced accuracy\n(best evaluation)",
    "balanced_mean_best10": "balanced accuracy\n(mean of ten best evaluations)",
}
# The effects that a figure can show on one scale, with the treatment whose looks they take; the random filters' loss is
# many times larger and is in figure 3.
_TOTAL_STYLE = {"marker": "X", "linestyle": "-", "color": QUIET, "linewidth": 1.2, "markersize": 6}
_LOSSES: Mapping[str, tuple[str | None, str]] = {
    "co-adaptation loss": ("selffer", "base − BnB"),
    "specificity loss": ("transfer", "BnB − AnB"),
    "total loss": (None, "base − AnB"),
}
_GAINS: Mapping[str, tuple[str | None, str]] = {
    "transfer gain": ("transfer+", "AnB⁺ − base"),
    "retraining gain": ("selffer+", "BnB⁺ − base"),
}


def figure2(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """The paper's Figure 2, a column a kind of split: every network as a point, and the means as lines.

    The paper's is the column of the random splits. Kinds of splits have scales of their own; figure 3 has one for both.
    """
    accuracies = of_the_paper(accuracies)
    accuracies = accuracies[accuracies["treatment"].isin(_FIGURE2)]
    kinds = [kind for kind in (RANDOM, GROUPED) if (accuracies["kind"] == kind).any()]
    if not kinds:
        return nothing_but("no networks of halves that this figure shows")
    depths = _depths(accuracies)
    figure = Figure(figsize=(depth_width(depths) * len(kinds), 8.4), layout="constrained")
    panels = figure.subplots(2, len(kinds), squeeze=False, sharex=True)
    there = set(accuracies["treatment"])
    for column, kind in enumerate(kinds):
        of_kind = accuracies[accuracies["kind"] == kind]
        points, lines = panels[:, column]
        if not meaningless(of_kind).any():  # whose points, far below, would flatten the means
            lines.sharey(points)
        # Of all kinds, since panels share their depths.
        for axes in (points, lines):
            depth_axis(axes, depths)
        _points(points, of_kind, statistic, colours)
        key = _mean_lines(lines, of_kind, statistic, colours)
        absent = [SYMBOLS[t] for t in _FIGURE2 if t in there and not (of_kind["treatment"] == t).any()]
        points.set_title("\n".join([KINDS_IN_WORDS[kind], *[f"(no networks {', '.join(absent)})"] * bool(absent)]))
        lines.set_xlabel("\n".join([textwrap.fill(DEPTH_LABEL, int(9 * depth_width(depths))), *key]))
    for row, what in zip(panels, ("every network", "means"), strict=True):
        row[0].set_ylabel(f"{what}: {STATISTIC_LABELS[statistic]}")
    warn(figure, bases_at_chance(accuracies), below=True)
    columns = legend_columns(figure.get_figwidth(), 2.2, most=5)
    shared_legend(figure, panels[0], "outside upper center", columns)
    return figure


def figure3(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """After the paper's Figure 3: dissimilar halves, random filters, and all of them less the base of their target.

    Panels for which a study has no networks are not drawn.
    """
    accuracies = of_the_paper(accuracies)
    frozen = accuracies["treatment"].isin(("transfer", "random"))
    grouped, filters = accuracies["kind"] == GROUPED, accuracies["treatment"] == "random"
    draw = [
        one
        for one, shown in (
            (_by_direction, (grouped & (accuracies["treatment"] == "transfer")).any()),
            (_random_filters, filters.any()),
            (_normalised, frozen.any()),
        )
        if shown
    ]
    if not draw:
        return nothing_but("no frozen networks with layers of the other half or of random filters")
    figure = Figure(figsize=(4.7 * len(draw), 4.9), layout=ConstrainedLayoutEngine(wspace=0.05))
    for axes, panel in zip(figure.subplots(1, len(draw), squeeze=False)[0], draw, strict=True):
        panel(axes, accuracies, statistic, colours)
    warn(figure, bases_at_chance(accuracies))
    return figure


def effects(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """Paired effects by n with their intervals: losses above, gains below; random and dissimilar halves side by side.

    An effect looks like the treatment that it is about. Effects of a single split and seed have no interval.
    """
    table = paired_effects(accuracies, statistic)
    shown = [
        (effects, what)
        for effects, what in ((_LOSSES, "loss"), (_GAINS, "gain"))
        if table["effect"].isin(effects).any()
    ]
    table = table[table["effect"].isin({effect for effects, _ in shown for effect in effects})]
    kinds = [kind for kind in (RANDOM, GROUPED) if (table["kind"] == kind).any()]
    if not kinds:
        return nothing_but("no pairs of networks for any loss or gain")
    figure = Figure(figsize=(max(7.4, 5.6 * len(kinds)), 0.6 + 3.5 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), len(kinds), squeeze=False, sharey="row", sharex=True)
    for axes, kind in zip(panels[0], kinds, strict=True):
        axes.set_title(KINDS_IN_WORDS[kind])
    for row, (effects, what) in zip(panels, shown, strict=True):
        row[0].set_ylabel(f"{what}, points of accuracy (paired)")
        for axes, kind in zip(row, kinds, strict=True):
            of_kind = accuracies[accuracies["kind"] == kind]
            depths = sorted({int(n) for n in table["n"]})
            _effects_of(axes, effects, of_kind, statistic, colours)
            axes.set_xticks(depths)
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


def _effects_of(
    axes: Axes,
    effects: Mapping[str, tuple[str | None, str]],
    accuracies: pd.DataFrame,
    statistic: str,
    colours: Mapping[str, str],
) -> None:
    """Those effects that there are, of one kind of halves, beside each other at their n."""
    table = paired_effects(accuracies, statistic)
    axes.axhline(0, color="black", linewidth=0.8)
    there = [effect for effect in effects if (table["effect"] == effect).any()]
    for offset, effect in zip(beside(len(there), 0.12), there, strict=True):
        treatment, formula = effects[effect]
        rows = table[(table["effect"] == effect) & (table["pairs"] > 0)].sort_values("n")
        if len(rows):
            style = marker_style(treatment, colours) if treatment else _TOTAL_STYLE
            _with_interval(axes, rows, offset, style, f"{effect} ({formula})")
        # At no height, which would be that of a number: on the line.
        dead = np.array(dead_depths(accuracies, *EFFECTS[effect], statistic), float)
        cross_out(axes, dead + offset, np.zeros_like(dead))


def reduced(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """Networks of all classes trained on fewer and fewer images a class, as in the paper's supplement.

    With all images they need not reach the base: the paper trained them by another schedule.
    """
    figure = Figure(figsize=(6.6, 4.6), layout="constrained")
    rows = accuracies[accuracies["treatment"] == "reduced"]
    if rows.empty:
        return nothing_but("no networks of reduced data")
    axes = figure.subplots()
    means = _means(rows, statistic, by="examples_per_class")
    style = marker_style("reduced", colours)
    if len(means) < len(rows):
        examples = rows["examples_per_class"].to_numpy(float)
        axes.plot(examples, rows[statistic], linestyle="none", marker=".", color=style["color"])
    axes.plot(means.index.to_numpy(float), means, label="reduced, on the first images of each class", **style)
    _mark(axes, rows["examples_per_class"].to_numpy(float), rows, statistic)
    counts = sorted(int(count) for count in rows["examples_per_class"].unique())
    bases = accuracies[(accuracies["treatment"] == "base") & (accuracies["target"] == WHOLE)]
    if len(bases):
        _base_line(axes, bases, statistic, colours, label="base, on all images")
    axes.set_xscale("log")
    axes.set_xticks(counts, list(map(str, counts)), rotation=60)
    axes.minorticks_off()
    from_zero(axes)
    axes.set_xlabel("training images a class")
    axes.set_ylabel(STATISTIC_LABELS[statistic])
    axes.grid(axis="x", visible=False)
    warn(figure, bases_at_chance(accuracies[accuracies["target"] == WHOLE]), below=True)
    shared_legend(figure, [axes], "outside upper center", columns=2)
    return figure


def compare(ours: pd.DataFrame, published: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """A study laid over the published one, where both have networks: a column a treatment and kind of split.

    Above, the mean difference of each network to its own base; below, as a share of the base's accuracy.
    """
    tables = {
        "this study": differences_to_base(ours, statistic),
        "published": differences_to_base(published, statistic),
    }
    of_each = [set(zip(table["treatment"], table["kind"], strict=True)) for table in tables.values()]
    common = sorted(of_each[0] & of_each[1], key=lambda pair: (pair[1] == GROUPED, list(LABELS).index(pair[0])))
    if not common:
        return nothing_but("no treatment that both have")
    figure = Figure(figsize=(2.6 * max(2, len(common)), 6.4), layout="constrained")
    panels = figure.subplots(2, len(common), squeeze=False, sharex=True)
    for row, column in zip(panels, ("difference", "relative"), strict=True):
        for axes, (treatment, kind) in zip(row, common, strict=True):
            axes.axhline(0, color=colours["base"], linestyle=LINES["base"], linewidth=1)
            for study, table in tables.items():
                rows = table[(table["treatment"] == treatment) & (table["kind"] == kind)].sort_values("n")
                axes.plot(
                    rows["n"].to_numpy(float),
                    100 * rows[column],
                    label=study,
                    **_study_style(study, treatment, colours),
                )
                dead = rows.loc[rows["networks"] == 0, "n"]
                cross_out(axes, dead.to_numpy(float), np.zeros(len(dead)))
            axes.set_xticks(sorted({int(n) for table in tables.values() for n in table["n"]}))
            axes.grid(axis="x", visible=False)
    for axes, (treatment, kind) in zip(panels[0], common, strict=True):
        halves = "halves or all classes" if kind == ANY else KINDS_IN_WORDS[kind]
        axes.set_title(f"{SYMBOLS[treatment]}\n{halves}")
    warn(figure, bases_at_chance(ours))
    panels[0, 0].set_ylabel("points above or below base")
    panels[1, 0].set_ylabel("% of base above or below it")
    for axes in panels[1]:
        axes.set_xlabel("layer n")
    shared_legend(figure, panels[0, :1], "outside lower center", columns=2)
    return figure


def learning_curves(histories: Mapping[str, pd.DataFrame], colours: Mapping[str, str]) -> Figure:
    """Validation accuracy over training of all networks of a split and seed: a panel a series, a colour a depth.

    Series are in the order of their targets and then treatments, so that of two halves they stand below each other.

    Args:
        histories: by network name; columns ``iteration`` and ``validation_top1``.
        colours: by treatment; the base's is used.
    """
    networks = {name: Network.parse(name) for name in histories}
    series = sorted({n.series for n in networks.values() if n.source}, key=_by_target)
    if not series:
        return nothing_but("no series of networks yet")
    columns = min(5, len(series))
    rows = -(-len(series) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.6 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    depths = sorted({n.n for n in networks.values() if n.source})
    # The lightest tenth of the colours is hard to see on white.
    shade = dict(zip(depths, colormaps["viridis"](np.linspace(0, 0.9, len(depths))), strict=True))
    for axes, one in zip(panels, series, strict=False):
        base = histories.get(f"base{one.target}")
        if base is not None:
            style = {"color": colours["base"], "linestyle": LINES["base"], "zorder": 3}
            axes.plot(base["iteration"], base["validation_top1"], label="base", **style)
        for name, network in sorted(networks.items(), key=lambda item: item[1].n):
            if network.source and network.series == one:
                history = histories[name]
                label = f"n = {network.n}"
                axes.plot(history["iteration"], history["validation_top1"], color=shade[network.n], label=label)
        axes.set_title(f"{one.name.replace('+', '⁺')}, {one.treatment.removesuffix('+')}")
    for axes in panels[len(series) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel("validation top-1")
    for axes in panels[max(0, len(series) - columns) : len(series)]:
        axes.set_xlabel("iteration")
    shared_legend(figure, panels, "outside lower center", legend_columns(figure.get_figwidth(), 1.0, most=8))
    return figure


def first_layer_filters(weights: Mapping[str, NDArray[np.float32]]) -> Figure:
    """First-layer filters as pictures, each stretched to its own range.

    Args:
        weights: by title; filters x channels x height x width, of 1 or 3 channels (others: their mean).
    """
    if not weights:
        return nothing_but("no filters")
    columns = min(4, len(weights))
    rows = -(-len(weights) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for axes, (title, filters) in zip(panels, weights.items(), strict=False):
        axes.imshow(_mosaic(filters), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title)
    return figure


def _means(rows: pd.DataFrame, statistic: str, by: str = "n") -> pd.Series:
    """The means of the networks that mean something."""
    return rows[~meaningless(rows)].groupby(by)[statistic].mean()


def _dead_means(rows: pd.DataFrame, statistic: str) -> pd.Series:
    """The means by n where no network means anything: to be crossed out, and no part of a line."""
    means = rows.groupby("n")[statistic].mean()
    return means.drop(_means(rows, statistic).index)


def _mark(axes: Axes, x: NDArray[np.float64], rows: pd.DataFrame, statistic: str) -> None:
    """Cross out single networks that mean nothing, and question those of which that cannot be told."""
    dead, untold = meaningless(rows).to_numpy(), doubtful(rows).to_numpy()
    cross_out(axes, x[dead], rows.loc[dead, statistic])
    question(axes, x[untold], rows.loc[untold, statistic])


def _by_target(series: Series) -> tuple[str, int, int]:
    return series.target, TREATMENTS.index(series.treatment), series.preserved


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
            x = rows["n"].to_numpy(float) + offsets[treatment]
            axes.plot(x, rows[statistic], label=LABELS[treatment], **style)
            _mark(axes, x, rows, statistic)
    _base_line(axes, accuracies, statistic, colours)
    axes.set_xlabel("")


def _mean_lines(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> list[str]:
    """Means by n, from the base's; the lines are a key to the numbers that are drawn."""
    base = _base_mean(accuracies, statistic)
    for treatment in _FIGURE2:
        rows = accuracies[accuracies["treatment"] == treatment]
        means, dead = _means(rows, statistic), _dead_means(rows, statistic)
        cross_out(axes, dead.index.to_numpy(float), dead)
        if len(means) and treatment != "base":
            x, y = [0.0, *means.index.to_numpy(float)], [base, *means]
            axes.plot(x, y, **marker_style(treatment, colours))
    axes.plot([0.0], [base], **marker_style("base", colours))
    _base_line(axes, accuracies, statistic, colours)
    return list(_name_losses(axes, accuracies, statistic, base))


def _name_losses(axes: Axes, accuracies: pd.DataFrame, statistic: str, base: float) -> Iterator[str]:
    """The paper's two reasons for a drop, each where it is largest, if there it is large enough to see."""
    selffer, transfer = (
        _means(accuracies[accuracies["treatment"] == treatment], statistic) for treatment in ("selffer", "transfer")
    )
    visible = 0.06 * (axes.get_ylim()[1] - axes.get_ylim()[0])
    for number, what, upper, lower in (
        (1, "fragile co-adaptation, base − BnB", pd.Series(base, index=selffer.index), selffer),
        (2, "specificity of the features, BnB − AnB", selffer, transfer),
    ):
        loss = (upper - lower).dropna()
        if len(loss) and loss.max() > visible:
            n = loss.index[int(np.argmax(loss))]
            number_difference(axes, number, float(n), float(upper.loc[n]), float(lower.loc[n]))
            yield f"{number}  {what}"


def _base_mean(accuracies: pd.DataFrame, statistic: str) -> float:
    """Of the bases that are not at chance; not a number if all are."""
    bases = accuracies[accuracies["treatment"] == "base"]
    return float(bases.loc[~meaningless(bases), statistic].mean())


def _base_line(
    axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str], label: str | None = None
) -> None:
    base = _base_mean(accuracies, statistic)
    axes.axhline(base, linestyle=LINES["base"], color=colours["base"], linewidth=1, label=label)


def _with_interval(axes: Axes, rows: pd.DataFrame, offset: float, style: dict[str, Any], label: str) -> None:
    """The means of an effect by n, in points, and their intervals as lines, where they reach beyond the markers."""
    x = rows["n"].to_numpy(float) + offset
    axes.plot(x, 100 * rows["mean"].to_numpy(float), label=label, **style)
    bounds = 100 * rows[["low", "high"]].to_numpy(float)
    axes.vlines(x, bounds[:, 0], bounds[:, 1], color=style["color"], linewidth=1.6, zorder=1.9)


def _study_style(study: str, treatment: str, colours: Mapping[str, str]) -> dict[str, Any]:
    """Ours filled and in colour, the published hollow, dashed and grey: told apart in print too."""
    style = marker_style(treatment, colours)
    if study == "published":
        return style | {"color": QUIET, "markeredgecolor": QUIET, "markerfacecolor": "white", "linestyle": "--"}
    return style | {"markerfacecolor": style["color"], "linestyle": "-"}


def _by_direction(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    """Dissimilar halves: each direction's points, and the mean of both."""
    axes.set_title("frozen transfer, dissimilar halves")
    axes.set_ylabel(STATISTIC_LABELS[statistic])
    rows = accuracies[(accuracies["kind"] == GROUPED) & accuracies["treatment"].isin(("base", "transfer"))]
    for target, marker in (("A", "^"), ("B", "o")):
        of_target = rows[rows["target"] == target]
        if of_target.empty:
            continue
        style = marker_style("transfer", colours) | {"marker": marker, "linestyle": "none"}
        source = "B" if target == "A" else "A"
        x = of_target["n"].to_numpy(float)
        axes.plot(x, of_target[statistic], label=f"{source}n{target}, base{target}", **style)
        _mark(axes, x, of_target, statistic)
    means = _means(rows, statistic)
    if len(means) > 1:
        axes.plot(means.index.to_numpy(float), means, color=colours["transfer"], label="mean over directions")
    _base_line(axes, rows, statistic, colours)
    depth_axis(axes, _depths(rows))
    legend_below(axes)


def _random_filters(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    axes.set_title("random, untrained filters, frozen")
    axes.set_ylabel(STATISTIC_LABELS[statistic].partition("\n")[0])
    with_random = accuracies.loc[accuracies["treatment"] == "random", "split"].unique()
    rows = accuracies[accuracies["split"].isin(with_random) & accuracies["treatment"].isin(("base", "random"))]
    for kind in (RANDOM, GROUPED, WHOLE):
        of_kind = rows[rows["kind"] == kind]
        if of_kind.empty:
            continue
        means = _means(of_kind, statistic)
        style = marker_style("random", colours) | {"linestyle": {RANDOM: "-", GROUPED: "--", WHOLE: "-."}[kind]}
        x = of_kind["n"].to_numpy(float)
        if len(means) < len(of_kind):
            axes.plot(x, of_kind[statistic], linestyle="none", marker=".", color=style["color"])
        if len(means):
            axes.plot(means.index.to_numpy(float), means, label=KINDS_IN_WORDS[kind], **style)
        _mark(axes, x, of_kind, statistic)
    depth_axis(axes, _depths(rows))
    from_zero(axes)
    legend_below(axes)


def _normalised(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    """Frozen networks less the base of their own target, so that halves of different difficulty compare."""
    axes.set_title("all, less the base of their target")
    axes.set_ylabel(f"difference in {STATISTIC_LABELS[statistic].partition(chr(10))[0]}")
    for treatment, kind, line, what in (
        ("transfer", RANDOM, "-", "AnB, random halves"),
        ("transfer", GROUPED, "--", "AnB, dissimilar halves"),
        ("random", None, "-.", "random filters"),
    ):
        of_kind = accuracies if kind is None else accuracies[accuracies["kind"] == kind]
        means = paired_differences(of_kind, treatment, "base", statistic).groupby("n")["difference"].mean()
        if len(means):
            style = marker_style(treatment, colours) | {"linestyle": line}
            axes.plot([0.0, *means.index.to_numpy(float)], [0.0, *means], label=what, **style)
        dead = dead_depths(of_kind, treatment, "base", statistic)
        cross_out(axes, dead, np.zeros(len(dead)))
    axes.axhline(0, color=colours["base"], linestyle=LINES["base"], linewidth=1)
    depth_axis(axes, _depths(accuracies[accuracies["treatment"].isin(("transfer", "random"))]))
    legend_below(axes)


def _depths(accuracies: pd.DataFrame) -> list[int]:
    return sorted(int(n) for n in accuracies["n"].unique() if n > 0)
