"""The paper's Figures 2 and 3, and its supplement's figure on reduced data, from the accuracies of any study."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from transferability.figures.style import (
    DEPTH_LABEL,
    LABELS,
    LINES,
    color_of,
    cross_out,
    depth_axis,
    depth_width,
    from_zero,
    legend_below,
    legend_columns,
    marker_style,
    mean_line,
    name_difference,
    nothing_but,
    question,
    shared_legend,
    warn,
)
from transferability.labels import visible
from transferability.results.accuracies import Results, layer_names
from transferability.results.by_images import on_amount
from transferability.results.effects import formula
from transferability.results.pairs import compared_types, dead_depths, of_the_paper, paired_differences
from transferability.results.unlearned import bases_at_chance, doubtful, meaningless
from transferability.study.compared import accuracy_in_words, evaluation_in_words
from transferability.study.names import SYMBOLS, WHOLE, other_half
from transferability.study.split_types import DATA_SETS, IMAGES, RANDOM, SEMANTIC, TYPES_OF_HALVES

# The treatments of figure 2, with the offsets of their points from n.
_FIGURE2 = {
    "base": 0.0,
    "selffer": -0.2,
    "selffer+": -0.07,
    "transfer": 0.07,
    "transfer+": 0.2,
    "pretrained": -0.33,
    "pretrained+": 0.33,
}
_LINES_OF_SPLITS = {RANDOM: "-", IMAGES: ":", SEMANTIC: "--", DATA_SETS: (0, (5, 1)), WHOLE: "-."}
_DISSIMILAR = (SEMANTIC, DATA_SETS)


def figure2(results: Results) -> Figure:
    """The paper's Figure 2, with a column for each split type: every network as a point, and the means as lines.

    The paper's is the column of random splits. Split types have scales of their own; figure 3 compares them on one.
    """
    accuracies = of_the_paper(in_percent(results.accuracies))
    accuracies = accuracies[accuracies["treatment"].isin(list(_FIGURE2))]
    split_types = [one for one in compared_types(accuracies) if (accuracies["split_type"] == one).any()]
    if not split_types:
        return nothing_but("no networks for halves that this figure shows")
    depths = _depths(accuracies)
    figure = Figure(figsize=(depth_width(depths) * len(split_types), 8.4), layout="constrained")
    panels = figure.subplots(2, len(split_types), squeeze=False, sharex=True)
    there = set(accuracies["treatment"])
    for column, split_type in enumerate(split_types):
        of_type = accuracies[accuracies["split_type"] == split_type]
        points, lines = panels[:, column]
        if not meaningless(of_type).any():  # far below the others, their points would flatten the means
            lines.sharey(points)
        # The depths are those of all split types, because panels share them.
        for axes in (points, lines):
            depth_axis(axes, depths, layer_names(accuracies), (depth_width(depths) - 1) / (len(depths) + 1.2))
        _points(points, of_type)
        key = _mean_lines(lines, of_type)
        absent = [SYMBOLS[t] for t in _FIGURE2 if t in there and not (of_type["treatment"] == t).any()]
        points.set_title(
            "\n".join([results.halves(split_type), *[f"(no {', '.join(absent)} networks)"] * bool(absent)])
        )
        lines.set_xlabel("\n".join([DEPTH_LABEL, *key]))
    for row, what in zip(panels, ("every network", "means"), strict=True):
        row[0].set_ylabel(f"{what}: {accuracy_label(results)}")
    warn(figure, bases_at_chance(accuracies), below=True)
    columns = legend_columns(figure.get_figwidth(), 2.2, most=5)
    shared_legend(figure, panels[0], "outside upper center", columns)
    return figure


def _points(axes: Axes, accuracies: pd.DataFrame) -> None:
    for treatment, offset in _FIGURE2.items():
        rows = accuracies[accuracies["treatment"] == treatment]
        if len(rows):
            style = marker_style(treatment) | {"linestyle": "none", "alpha": 0.85}
            x = rows["n"].to_numpy(float) + offset
            axes.plot(x, rows["accuracy"], label=LABELS[treatment], **style)
            _mark(axes, x, rows)
    base_line(axes, accuracies)
    axes.set_xlabel("")


def _mean_lines(axes: Axes, accuracies: pd.DataFrame) -> list[str]:
    """Draw means by n, starting from the base's; return lines that explain the arrows in the figure."""
    base = _base_mean(accuracies)
    for treatment in _FIGURE2:
        rows = accuracies[accuracies["treatment"].isin(("base", treatment))]
        dead, learned = _dead_means(rows), rows[~meaningless(rows)]
        cross_out(axes, dead.index.to_numpy(float), dead)
        if treatment != "base" and (learned["treatment"] == treatment).any():
            mean_line(axes, learned["n"], learned["accuracy"], **marker_style(treatment))
    axes.plot([0.0], [base], **marker_style("base"))
    base_line(axes, accuracies)
    return list(_name_losses(axes, accuracies, base))


def _name_losses(axes: Axes, accuracies: pd.DataFrame, base: float) -> Iterator[str]:
    """Name the paper's two reasons for a drop, each where it is largest, if it is large enough there to see."""
    selffer, transfer = (
        _means(accuracies[accuracies["treatment"] == treatment]) for treatment in ("selffer", "transfer")
    )
    visible = 0.06 * (axes.get_ylim()[1] - axes.get_ylim()[0])
    for reason, upper, lower in (
        ("co-adaptation", pd.Series(base, index=selffer.index), selffer),
        ("specificity", selffer, transfer),
    ):
        loss = (upper - lower).dropna()
        if len(loss) and loss.max() > visible:
            n = loss.index[int(np.argmax(loss))]
            name_difference(axes, reason, float(n), float(upper.loc[n]), float(lower.loc[n]))
            yield f"arrow: largest {reason}, {formula(f'{reason} drop')}"


def figure3(results: Results) -> Figure:
    """A figure after the paper's Figure 3: dissimilar halves, random filters, and all of these as drops from base.

    Panels for which a study has no networks are not drawn.
    """
    accuracies = of_the_paper(in_percent(results.accuracies))
    frozen = accuracies["treatment"].isin(("transfer", "random", "pretrained"))
    transferred = set(accuracies.loc[accuracies["treatment"] == "transfer", "split_type"])
    filters = accuracies["treatment"] == "random"
    words = accuracy_in_words(results.metric)
    panels: list[tuple[Callable[[Axes, pd.DataFrame, Results], None], str, bool]] = [
        *((partial(_by_direction, of), accuracy_label(results), of in transferred) for of in _DISSIMILAR),
        (_random_filters, f"{words}, %", bool(filters.any())),
        (_normalized, f"drop in {words}, points below base", bool(frozen.any())),
    ]
    drawn = [(draw, label) for draw, label, shown in panels if shown]
    if not drawn:
        return nothing_but("no frozen networks with layers from the other half, published weights or random filters")
    figure = Figure(figsize=(4.7 * len(drawn), 4.9), layout=ConstrainedLayoutEngine(wspace=0.05))
    for axes, (draw, label) in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        draw(axes, accuracies, results)
        depth_axis(axes, _depths(accuracies[frozen]), layer_names(accuracies), step=0.45)
        legend_below(axes, gap=0.24)
        axes.set_ylabel(label)
    warn(figure, bases_at_chance(accuracies))
    return figure


def _by_direction(split_type: str, axes: Axes, accuracies: pd.DataFrame, results: Results) -> None:
    """Draw dissimilar halves: each direction's points, and the mean of both."""
    axes.set_title(f"frozen transfer,\n{results.halves(split_type)}")
    of_type = results.groups_of(split_type)
    groups = next(iter(of_type.values())) if len(of_type) == 1 else {}
    rows = accuracies[(accuracies["split_type"] == split_type) & accuracies["treatment"].isin(("base", "transfer"))]
    for target, marker in (("A", "^"), ("B", "o")):
        of_target = rows[rows["target"] == target]
        if of_target.empty:
            continue
        style = marker_style("transfer") | {"marker": marker, "linestyle": "none"}
        x = of_target["n"].to_numpy(float)
        trained_for = f": trained for {visible(groups[target])}" if groups else ""
        axes.plot(x, of_target["accuracy"], label=f"{other_half(target)}n{target}, base{target}{trained_for}", **style)
        _mark(axes, x, of_target)
    learned = rows[~meaningless(rows)]
    if learned["n"].nunique() > 1:
        label = "mean over directions" if rows["target"].nunique() > 1 else "mean"
        mean_line(axes, learned["n"], learned["accuracy"], color=color_of("transfer"), label=label)
    base_line(axes, rows)


def _random_filters(axes: Axes, accuracies: pd.DataFrame, results: Results) -> None:
    axes.set_title("random untrained filters,\nfrozen")
    with_random = accuracies.loc[accuracies["treatment"] == "random", "split"].unique()
    rows = accuracies[accuracies["split"].isin(with_random) & accuracies["treatment"].isin(("base", "random"))]
    for split_type, line in _LINES_OF_SPLITS.items():
        of_type = rows[rows["split_type"] == split_type]
        if of_type.empty:
            continue
        learned = of_type[~meaningless(of_type)]
        style = marker_style("random") | {"linestyle": line}
        x = of_type["n"].to_numpy(float)
        if learned["n"].nunique() < len(of_type):
            axes.plot(x, of_type["accuracy"], linestyle="none", marker=".", color=style["color"])
        if len(learned):
            mean_line(axes, learned["n"], learned["accuracy"], label=results.halves(split_type), **style)
        _mark(axes, x, of_type)
    from_zero(axes)


def _normalized(axes: Axes, accuracies: pd.DataFrame, results: Results) -> None:
    """Draw drops from each network's own base, which makes halves of different difficulty comparable; down is worse."""
    axes.set_title("all of these, as drops from\ntheir own half's base")
    pooled = results.pooled_halves(paired_differences(accuracies, "base", "random")["split_type"])
    for treatment, split_type, line, what in (
        *(("transfer", of, _LINES_OF_SPLITS[of], f"AnB, {results.halves(of)}") for of in TYPES_OF_HALVES),
        ("random", None, "-.", f"random filters, {pooled}"),
        *(("pretrained", of, line, f"PnB, {results.halves(of)}") for of, line in _LINES_OF_SPLITS.items()),
    ):
        of_type = accuracies if split_type is None else accuracies[accuracies["split_type"] == split_type]
        pairs = paired_differences(of_type, "base", treatment)
        if len(pairs):
            style = marker_style(treatment) | {"linestyle": line}
            mean_line(axes, [0.0, *pairs["n"]], [0.0, *pairs["difference"]], label=what, **style)
        dead = dead_depths(of_type, treatment, "base")
        cross_out(axes, dead, np.zeros(len(dead)))
    axes.axhline(0, color=color_of("base"), linestyle=LINES["base"], linewidth=1)
    axes.yaxis.set_inverted(True)


def reduced(results: Results) -> Figure:
    """Networks of all classes trained on fewer and fewer images per class, as in the paper's supplement.

    Even with all images they need not reach the base, because the paper trained them with a different schedule.
    """
    accuracies = in_percent(results.accuracies)
    rows = accuracies[accuracies["treatment"] == "reduced"]
    if rows.empty:
        return nothing_but("no networks on reduced data")
    figure = Figure(figsize=(6.6, 4.6), layout="constrained")
    axes = figure.subplots()
    examples, learned = rows["examples_per_class"].to_numpy(float), rows[~meaningless(rows)]
    style = marker_style("reduced")
    if len(set(examples)) < len(rows):
        axes.plot(examples, rows["accuracy"], linestyle="none", marker=".", color=style["color"])
    label = "reduced, on the first images of each class"
    mean_line(axes, learned["examples_per_class"], learned["accuracy"], label=label, **style)
    _mark(axes, examples, rows)
    counts = sorted(int(count) for count in rows["examples_per_class"].unique())
    on_all = on_amount(accuracies, None)
    bases = on_all[(on_all["treatment"] == "base") & (on_all["target"] == WHOLE)]
    if len(bases):
        base_line(axes, bases, label="base, on all images")
    axes.set_xscale("log")
    axes.set_xticks(counts, list(map(str, counts)), rotation=60)
    axes.minorticks_off()
    from_zero(axes)
    axes.set_xlabel("training images per class")
    axes.set_ylabel(accuracy_label(results))
    axes.grid(axis="x", visible=False)
    warn(figure, bases_at_chance(accuracies[accuracies["target"] == WHOLE]), below=True)
    shared_legend(figure, [axes], "outside upper center", columns=2)
    return figure


def accuracy_label(results: Results) -> str:
    """The label of an axis of accuracies in percent: which accuracy, and from which evaluations."""
    return f"{accuracy_in_words(results.metric)}, %\n({evaluation_in_words(results.metric)})"


def in_percent(accuracies: pd.DataFrame) -> pd.DataFrame:
    """Accuracies in percent for drawing, so that their differences are in points, as in all reported results."""
    return accuracies.assign(accuracy=100 * accuracies["accuracy"])


def _depths(accuracies: pd.DataFrame) -> list[int]:
    return sorted(int(n) for n in accuracies["n"].unique() if n > 0)


def _means(rows: pd.DataFrame) -> pd.Series:
    """Mean accuracies by n, without meaningless networks."""
    return rows[~meaningless(rows)].groupby("n")["accuracy"].mean()


def _dead_means(rows: pd.DataFrame) -> pd.Series:
    """Mean accuracies at those n where all networks are meaningless: to be crossed out, and not part of a line."""
    means = rows.groupby("n")["accuracy"].mean()
    return means.drop(_means(rows).index)


def _mark(axes: Axes, x: NDArray[np.float64], rows: pd.DataFrame) -> None:
    """Cross out meaningless networks, and put a question mark above doubtful ones."""
    dead, untold = meaningless(rows).to_numpy(), doubtful(rows).to_numpy()
    cross_out(axes, x[dead], rows.loc[dead, "accuracy"])
    question(axes, x[untold], rows.loc[untold, "accuracy"])


def _base_mean(accuracies: pd.DataFrame) -> float:
    """The mean accuracy of the bases that have learned; NaN if none has."""
    bases = accuracies[accuracies["treatment"] == "base"]
    return float(bases.loc[~meaningless(bases), "accuracy"].mean())


def base_line(axes: Axes, accuracies: pd.DataFrame, label: str | None = None) -> None:
    """Draw a line at the mean accuracy of the bases that have learned."""
    base = _base_mean(accuracies)
    axes.axhline(base, linestyle=LINES["base"], color=color_of("base"), linewidth=1, label=label)
