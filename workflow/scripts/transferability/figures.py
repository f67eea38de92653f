"""The paper's figures, from the accuracies of any study, and what one wants to look at besides."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from transferability.accuracies import bases_at_chance
from transferability.figure_style import (
    LABELS,
    LINES,
    QUIET,
    SYMBOLS,
    cross_out,
    depth_axis,
    from_zero,
    legend_below,
    legend_by_row,
    marker_style,
    note,
    number_difference,
    say_empty,
    shared_legend,
    warn,
)
from transferability.names import TREATMENTS, WHOLE, Network, Series
from transferability.splits import GROUPED, KINDS_IN_WORDS, RANDOM
from transferability.statistics import (
    ANY,
    EFFECTS,
    differences_to_base,
    of_the_paper,
    paired_differences,
    paired_effects,
)

_FIGURE2 = ("base", "selffer", "selffer+", "transfer", "transfer+")
STATISTIC_LABELS = {
    "top1_final": "top-1 accuracy\n(last evaluation)",
    "top1_best": "top-1 accuracy\n(best evaluation)",
    "top1_mean_best10": "top-1 accuracy\n(mean of ten best evaluations)",
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
    kinds = [kind for kind in (RANDOM, GROUPED) if (accuracies["kind"] == kind).any()]
    figure = Figure(figsize=(6.6 * max(len(kinds), 1), 8.4), layout="constrained")
    panels = figure.subplots(2, max(len(kinds), 1), squeeze=False, sharey="col", sharex=True)
    for column, kind in enumerate(kinds):
        of_kind = accuracies[(accuracies["kind"] == kind) & accuracies["treatment"].isin(_FIGURE2)]
        points, lines = panels[:, column]
        _points(points, of_kind, statistic, colours)
        _mean_lines(lines, of_kind, statistic, colours)
        points.set_title(KINDS_IN_WORDS[kind])
        lines.set_xlabel("layer n at which the network is cut and retrained")
    for row, what in zip(panels, ("every network", "means"), strict=True):
        row[0].set_ylabel(f"{what}: {STATISTIC_LABELS[statistic]}")
    warn(figure, bases_at_chance(accuracies), below=True)
    if not kinds:
        say_empty(panels[0, 0], "no split into halves")
    else:
        shared_legend(figure, panels[0], "outside upper center", columns=5)
    return figure


def figure3(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """The paper's Figure 3: dissimilar halves, random filters, and all of them less the base of their target."""
    figure = Figure(figsize=(14, 4.9), layout=ConstrainedLayoutEngine(wspace=0.05))
    accuracies = of_the_paper(accuracies)
    grouped, filters, together = figure.subplots(1, 3)
    _by_direction(grouped, accuracies[accuracies["kind"] == GROUPED], statistic, colours)
    _random_filters(filters, accuracies, statistic, colours)
    _normalised(together, accuracies, statistic, colours)
    warn(figure, bases_at_chance(accuracies))
    return figure


def effects(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """Paired effects by n with their intervals: losses above, gains below; random and dissimilar halves side by side.

    An effect looks like the treatment that it is about. Effects of a single split and seed have no interval.
    """
    table = paired_effects(accuracies, statistic)
    kinds = [kind for kind in (RANDOM, GROUPED) if (table["kind"] == kind).any()]
    figure = Figure(figsize=(5.6 * max(len(kinds), 1), 7.6), layout="constrained")
    panels = figure.subplots(2, max(len(kinds), 1), squeeze=False, sharey="row", sharex=True)
    depths = sorted({int(n) for n in table["n"]})
    for axes, kind in zip(panels[0], kinds, strict=False):
        axes.set_title(KINDS_IN_WORDS[kind])
    for row, shown, what in zip(panels, (_LOSSES, _GAINS), ("loss", "gain"), strict=True):
        row[0].set_ylabel(f"{what}, points of accuracy (paired)")
        for axes, kind in zip(row, kinds, strict=False):
            of_kind = table[(table["kind"] == kind) & table["effect"].isin(shown)]
            axes.axhline(0, color="black", linewidth=0.8)
            axes.set_xticks(depths)
            axes.set_xlim(min(depths) - 0.5, max(depths) + 0.5)
            axes.grid(axis="x", visible=False)
            for offset, (effect, (treatment, formula)) in zip((-0.1, 0.1, 0.0), shown.items(), strict=False):
                rows = of_kind[of_kind["effect"] == effect].sort_values("n")
                if len(rows):
                    style = marker_style(treatment, colours) if treatment else _TOTAL_STYLE
                    _with_interval(axes, rows, offset, style, f"{effect} ({formula})")
                    of_effect = accuracies[(accuracies["kind"] == kind) & accuracies["treatment"].isin(EFFECTS[effect])]
                    meaningless = rows[rows["n"].isin(flagged_depths(of_effect))]
                    if len(meaningless):
                        cross_out(axes, meaningless["n"].to_numpy(float) + offset, 100 * meaningless["mean"])
            if of_kind.empty:
                say_empty(axes, f"no networks for any {what}")
    for axes in panels[1]:
        axes.set_xlabel("layer n at which the network is cut and retrained")
    warn(figure, bases_at_chance(accuracies))
    legend_by_row(figure, panels, "outside lower center")
    if not kinds:
        say_empty(panels[0, 0], "no paired networks")
    return figure


def reduced(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> Figure:
    """Networks of all classes trained on fewer and fewer images a class, as in the paper's supplement.

    With all images they need not reach the base: the paper trained them by another schedule.
    """
    figure = Figure(figsize=(6.6, 4.6), layout="constrained")
    axes = figure.subplots()
    rows = accuracies[accuracies["treatment"] == "reduced"]
    if rows.empty:
        say_empty(axes, "no networks of reduced data")
        return figure
    examples = rows["examples_per_class"].to_numpy(float)
    means = rows.groupby("examples_per_class")[statistic].mean()
    style = marker_style("reduced", colours)
    if len(means) < len(rows):
        axes.plot(examples, rows[statistic], linestyle="none", marker=".", color=style["color"])
    axes.plot(means.index.to_numpy(float), means, label="reduced, on the first images of each class", **style)
    bases = accuracies[(accuracies["treatment"] == "base") & (accuracies["target"] == WHOLE)]
    if len(bases):
        _base_line(axes, bases, statistic, colours, label="base, on all images")
    axes.set_xscale("log")
    axes.set_xticks(means.index.to_numpy(float), [str(count) for count in means.index], rotation=60)
    axes.minorticks_off()
    from_zero(axes)
    axes.set_xlabel("training images a class")
    axes.set_ylabel(STATISTIC_LABELS[statistic])
    axes.grid(axis="x", visible=False)
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
    figure = Figure(figsize=(2.6 * max(2, len(common)), 6.4), layout="constrained")
    panels = figure.subplots(2, max(1, len(common)), squeeze=False, sharex=True)
    for row, column in zip(panels, ("difference", "relative"), strict=True):
        for axes, (treatment, kind) in zip(row, common, strict=False):
            axes.axhline(0, color=colours["base"], linestyle=LINES["base"], linewidth=1)
            for study, table in tables.items():
                rows = table[(table["treatment"] == treatment) & (table["kind"] == kind)].sort_values("n")
                axes.plot(
                    rows["n"].to_numpy(float),
                    100 * rows[column],
                    label=study,
                    **_study_style(study, treatment, colours),
                )
            axes.set_xticks(sorted({int(n) for table in tables.values() for n in table["n"]}))
            axes.grid(axis="x", visible=False)
    for axes, (treatment, kind) in zip(panels[0], common, strict=False):
        halves = "halves or all classes" if kind == ANY else KINDS_IN_WORDS[kind]
        axes.set_title(f"{SYMBOLS[treatment]}\n{halves}")
    if not common:
        say_empty(panels[0, 0], "no treatment that both have")
        return figure
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
    columns = min(5, max(1, len(series)))
    rows = -(-max(1, len(series)) // columns)
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
    if series:
        shared_legend(figure, panels, "outside lower center", columns=8)
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


def flagged_depths(accuracies: pd.DataFrame) -> list[int]:
    """The depths at which some network's base or source is at chance."""
    return sorted({int(n) for n in accuracies.loc[accuracies["flag"].notna(), "n"]})


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
            flagged = rows["flag"].notna().to_numpy()
            if flagged.any():
                cross_out(axes, x[flagged], rows.loc[flagged, statistic])
    _base_line(axes, accuracies, statistic, colours)
    depth_axis(axes, _depths(accuracies))
    axes.set_xlabel("")
    absent = [SYMBOLS[t] for t in _FIGURE2 if not (accuracies["treatment"] == t).any()]
    if absent:
        note(axes, f"no networks: {', '.join(absent)}")


def _mean_lines(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    base = accuracies.loc[accuracies["treatment"] == "base", statistic].mean()
    for treatment in _FIGURE2[1:]:
        rows = accuracies[accuracies["treatment"] == treatment]
        means = rows.groupby("n")[statistic].mean()
        if means.empty:
            continue
        flagged = means[means.index.isin(flagged_depths(rows))]
        if len(flagged):
            cross_out(axes, flagged.index.to_numpy(float), flagged)
        x, y = [0.0, *means.index.to_numpy(float)], [base, *means]
        axes.plot(x, y, **marker_style(treatment, colours))
    axes.plot([0.0], [base], **marker_style("base", colours))
    _base_line(axes, accuracies, statistic, colours)
    depth_axis(axes, _depths(accuracies))
    _name_losses(axes, accuracies, statistic, base)


def _name_losses(axes: Axes, accuracies: pd.DataFrame, statistic: str, base: float) -> None:
    """The paper's two reasons for a drop, each where it is largest, if there it is large enough to see."""
    selffer, transfer = (
        accuracies[accuracies["treatment"] == treatment].groupby("n")[statistic].mean()
        for treatment in ("selffer", "transfer")
    )
    visible = 0.06 * (axes.get_ylim()[1] - axes.get_ylim()[0])
    key = []
    for number, what, upper, lower in (
        (1, "fragile co-adaptation, base − BnB", pd.Series(base, index=selffer.index), selffer),
        (2, "specificity of the features, BnB − AnB", selffer, transfer),
    ):
        loss = (upper - lower).dropna()
        if len(loss) and loss.max() > visible:
            n = loss.index[int(np.argmax(loss))]
            key.append(f"{number}  {what}")
            number_difference(axes, number, float(n), float(upper.loc[n]), float(lower.loc[n]))
    note(axes, "\n".join(key))


def _base_line(
    axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str], label: str | None = None
) -> None:
    base = accuracies.loc[accuracies["treatment"] == "base", statistic].mean()
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
    legend_below(axes)


def _random_filters(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    axes.set_title("random, untrained filters, frozen")
    axes.set_ylabel(STATISTIC_LABELS[statistic].partition("\n")[0])
    with_random = accuracies.loc[accuracies["treatment"] == "random", "split"].unique()
    rows = accuracies[accuracies["split"].isin(with_random) & accuracies["treatment"].isin(("base", "random"))]
    if rows.empty:
        say_empty(axes, "no networks with random filters")
        return
    for kind in (RANDOM, GROUPED, WHOLE):
        of_kind = rows[rows["kind"] == kind]
        if of_kind.empty:
            continue
        means = of_kind.groupby("n")[statistic].mean()
        style = marker_style("random", colours) | {"linestyle": {RANDOM: "-", GROUPED: "--", WHOLE: "-."}[kind]}
        if len(means) < len(of_kind):
            points = {"linestyle": "none", "marker": ".", "color": style["color"]}
            axes.plot(of_kind["n"].to_numpy(float), of_kind[statistic], **points)
        axes.plot(means.index.to_numpy(float), means, label=KINDS_IN_WORDS[kind], **style)
    depth_axis(axes, _depths(rows))
    from_zero(axes)
    legend_below(axes)


def _normalised(axes: Axes, accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str]) -> None:
    """Frozen networks less the base of their own target, so that halves of different difficulty compare."""
    axes.set_title("all, less the base of their target")
    axes.set_ylabel("difference in top-1 accuracy")
    drawn = False
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
            drawn = True
    axes.axhline(0, color=colours["base"], linestyle=LINES["base"], linewidth=1)
    depth_axis(axes, _depths(accuracies))
    if drawn:
        legend_below(axes)
    else:
        say_empty(axes, "no frozen networks")


def _depths(accuracies: pd.DataFrame) -> list[int]:
    return sorted(int(n) for n in accuracies["n"].unique() if n > 0)
