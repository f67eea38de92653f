"""Which layers can be reused: what copying them costs or gains at every depth, and why, in one figure."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from transferability.figures.style import (
    DEPTH_LABEL,
    QUIET,
    beside,
    color_of,
    cross_out,
    depth_labels,
    depth_limits,
    legend_by_row,
    nothing_but,
    warn,
)
from transferability.labels import wrapped
from transferability.results.accuracies import Results, layer_names
from transferability.results.effects import formula, paired_effects
from transferability.results.pairs import compared_types
from transferability.results.reuse import WAYS_OF_REUSE, reusable
from transferability.results.unlearned import bases_at_chance, meaningless
from transferability.study.names import SYMBOLS
from transferability.words import counted, drop_points, half_interval, percent

_GREEN = "#00694D"  # dark enough for white text; darker than cells of drops that are not tolerated, even in gray
# Colors of a cell's face, edge and text, by whether the drop is tolerated and whether that is conclusive.
_CELLS: Mapping[tuple[bool, bool], tuple[str, str, str]] = {
    (True, True): (_GREEN, _GREEN, "white"),
    (True, False): ("#DFEEE9", _GREEN, _GREEN),
    (False, True): ("#DDDDDD", "#DDDDDD", "black"),
    (False, False): ("white", "#BBBBBB", "black"),
}
_BAR = 0.27  # width; depths are 1 apart
_NOT_TRIED = "—"
# The bars at a depth (drops above, gains below), each with the treatment whose color it has.
_Bars = Mapping[str, str | None]
_DROPS: _Bars = {
    "co-adaptation drop": "selffer",
    "specificity drop": "transfer",
    "total drop": None,
    "pretrained drop": "pretrained",
}
_GAINS: _Bars = {
    "retraining gain": "selffer+",
    "fine-tuning gain": "transfer+",
    "transfer gain": None,
    "pretrained gain": "pretrained+",
    "pretrained transfer gain": None,
}
_OF_NO_TREATMENT = {"total drop": "#999999", "transfer gain": "#444444", "pretrained transfer gain": "#BBBBBB"}
_CENTERED: Mapping[str, Any] = {"ha": "center", "va": "center"}
_REASONS = ("co-adaptation drop", "specificity drop")
# A bar stacked on another ends at their sum, and so has the sum's interval; its own would be read as that of the sum.
_INTERVAL_OF = {"specificity drop": "total drop"}


def reuse(results: Results) -> Figure:
    """One column per split type: at the top, the drop from copying and whether it is tolerated, by depth; below, why.

    A cell shows the mean drop in points below base, and half the width of its 95 % interval if there is one. It is
    green if the drop is tolerated, and solid if this is conclusive.

    Below are the reasons for the drop of frozen networks: the bar of specificity starts where that of co-adaptation
    ends, and thus ends at the drop of frozen transfer, if there are all pairs. Where the drop cannot be divided because
    there are no selffer networks, it is one gray bar; the drop of published weights is a bar of its own. At the bottom
    are the gains of fine-tuned networks, BnB+ and AnB+, and the difference between them, the only one due to transfer.
    Lines at the ends of bars are their 95 % intervals, but those of specificity have that of the total drop, which the
    green band judges. Its middle is not quite at their end where some pairs are missing.
    """
    accuracies, max_drop = results.accuracies, results.max_drop
    verdicts, effects = reusable(results), paired_effects(results)
    effects = effects[effects["effect"].isin((*_DROPS, *_GAINS))]
    split_types = [one for one in compared_types(accuracies) if (effects["split_type"] == one).any()]
    if not split_types:
        return nothing_but("no networks with copied layers to compare with their bases")
    ways = [treatment for treatment in WAYS_OF_REUSE if (verdicts["treatment"] == treatment).any()]
    kinds = [kind for kind in (_DROPS, _GAINS) if effects["effect"].isin(kind).any()]
    width, height = max(9.4, 1.4 + 5.4 * len(split_types)), 1.6 + 0.8 * len(ways) + 2.6 * len(kinds)
    figure = Figure(figsize=(width, height), layout="constrained")
    ratios = [0.5 * len(ways)] * bool(ways) + [2.4 if kind is _DROPS else 1.6 for kind in kinds]
    panels = figure.subplots(len(ratios), len(split_types), squeeze=False, sharey="row", height_ratios=ratios)
    depths = sorted({int(n) for n in effects["n"]})
    names = {n: layer_names(accuracies)[n] for n in depths}
    step = (width / len(split_types) - 1.2) / len(depths)
    for column, split_type in zip(panels.T, split_types, strict=True):
        of_type = effects[effects["split_type"] == split_type]
        if ways:
            _draw_cells(column[0], verdicts[verdicts["split_type"] == split_type], ways, depths)
        for axes, kind in zip(column[-len(kinds) :], kinds, strict=True):
            _draw_bars(axes, of_type, kind, depths)
            if kind is _DROPS:
                axes.axhspan(0, 100 * max_drop, color=_CELLS[True, False][0], linewidth=0, zorder=0)
        column[-1].set_xticks(depths, depth_labels(depths, names, step))
        column[-1].set_xlabel(DEPTH_LABEL)
        halves = wrapped(results.halves(split_type), int(9 * width / len(split_types)))
        column[0].set_title(halves, fontweight="bold")
        _label_above(column[0], _rests_on(accuracies[accuracies["split_type"] == split_type], of_type))
    for axes, kind in zip(panels[-len(kinds) :, 0], kinds, strict=True):
        axes.set_ylabel("points below base" if kind is _DROPS else "points gained")
    _explain_cells(panels[0, 0], verdicts, max_drop)
    legend_by_row(figure, panels, "outside lower center")
    warn(figure, bases_at_chance(accuracies))
    return figure


def _label_above(axes: Axes, text: str) -> None:
    """Put a text between the title and the panel; an axis label below the panel stays there."""
    if axes.get_xlabel():
        axes.text(0.5, 1.01, text, transform=axes.transAxes, color=QUIET, ha="center", va="bottom")
        axes.set_title(axes.get_title(), fontweight="bold", pad=20)
        return
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(text, color=QUIET, labelpad=8)


def _rests_on(accuracies: pd.DataFrame, effects: pd.DataFrame) -> str:
    """The base's accuracy, the numbers of splits and seeds, and whether there are intervals."""
    bases = accuracies[accuracies["treatment"] == "base"]
    learned = bases.loc[~meaningless(bases), "accuracy"]
    base = f"base {percent(learned.mean())} %" if len(learned) else "all bases at chance"
    counts = f"{counted(accuracies['split'].nunique(), 'split')}, {counted(accuracies['seed'].nunique(), 'seed')}"
    intervals = "no intervals" if effects["low"].isna().all() else "± and lines are 95 % intervals"
    return f"{base}; {counts}: {intervals}"


def _draw_cells(axes: Axes, reuse: pd.DataFrame, ways: Sequence[str], depths: Sequence[int]) -> None:
    """Draw a row of cells for each way of reuse, with dashes where it was not tried; above, which layers are copied."""
    for y, treatment in enumerate(ways):
        of_way = reuse[reuse["treatment"] == treatment]
        if of_way.empty:
            text = f"no {WAYS_OF_REUSE[treatment]} networks"
            axes.text(0.5, y, text, color=QUIET, transform=axes.get_yaxis_transform(), **_CENTERED)
        for row in of_way.to_dict("records"):
            _draw_cell(axes, y, row)
        for n in set(depths).difference(of_way["n"]) if len(of_way) else ():
            axes.text(n, y, _NOT_TRIED, color=QUIET, **_CENTERED)
    axes.set_xlim(*depth_limits(depths))
    axes.set_xticks(depths, [_copied(n) for n in depths])
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_yticks(range(len(ways)), [f"{SYMBOLS[t]}, {WAYS_OF_REUSE[t]}" for t in ways])
    axes.set_ylim(len(ways) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _copied(n: int) -> str:
    return f"layers 1-{n}" if n > 1 else f"layer {n}"


def _explain_cells(axes: Axes, reuse: pd.DataFrame, max_drop: float) -> None:
    """Add an entry to the legend for each kind of cell that occurs."""
    states = reuse.loc[reuse["verdict"].notna(), ["verdict", "conclusive"]]
    there = {(verdict == "within", conclusive) for verdict, conclusive in states.itertuples(index=False)}
    for (tolerated, conclusive), (face, edge, _) in _CELLS.items():
        if (tolerated, conclusive) in there:
            label = f"{'at most' if tolerated else 'more than'} {100 * max_drop:g} points below base"
            label += "" if conclusive else ", mean only"
            axes.add_patch(Rectangle((0, 0), 0, 0, facecolor=face, edgecolor=edge, label=label))


def _draw_cell(axes: Axes, y: float, row: Mapping[Hashable, Any]) -> None:
    """Draw the cell of one n and way of reuse, a row of `reusable`."""
    n, tolerated = row["n"], row["verdict"] == "within"
    face, edge, ink = _CELLS[tolerated, bool(row["conclusive"])]
    box = FancyBboxPatch((n - 0.41, y - 0.41), 0.82, 0.82, facecolor=face, edgecolor=edge)
    box.set_boxstyle("round", pad=0, rounding_size=0.1)
    axes.add_patch(box)
    if not row["pairs"]:
        cross_out(axes, [n], [y])
        return
    half = half_interval(row["low"], row["high"]).replace(" ", "")
    weight = "bold" if tolerated else "normal"
    axes.text(n, y - 0.14 * bool(half), drop_points(row["drop"]), color=ink, fontweight=weight, **_CENTERED)
    if half:
        axes.text(n, y + 0.22, half, color=ink, size="x-small", **_CENTERED)


def _draw_bars(axes: Axes, effects: pd.DataFrame, kind: _Bars, depths: Sequence[int]) -> None:
    """Draw the effects of one kind, `_DROPS` or `_GAINS`, side by side at their n."""
    effects = effects[effects["effect"].isin(kind)]
    if effects.empty:
        text = f"no {'frozen' if kind is _DROPS else 'fine-tuned'} networks"
        axes.text(0.5, 0.5, text, color=QUIET, transform=axes.transAxes, **_CENTERED)
    axes.axhline(0, color=color_of("base"), linewidth=1)
    for n in sorted({int(n) for n in effects["n"]}):
        by_effect = {row["effect"]: row for row in effects[effects["n"] == n].to_dict("records")}
        shown = _shown(kind, set(by_effect))
        end = 0.0
        for effect, offset in zip(shown, beside(len(shown), _BAR), strict=True):
            treatment = kind[effect]
            if not by_effect[effect]["pairs"]:
                cross_out(axes, [n + offset], [0.0])
                continue
            start = end if effect in _REASONS else 0.0
            height = 100 * by_effect[effect]["mean"]
            end = start + height
            color = color_of(treatment) if treatment else _OF_NO_TREATMENT[effect]
            label = f"{effect} ({formula(effect)})"
            axes.bar(n + offset, height, _BAR, bottom=start, color=color, label=label, linewidth=0)
            _draw_interval(axes, n + offset, by_effect.get(_INTERVAL_OF.get(effect, effect)))
    axes.set_xlim(*depth_limits(depths))
    axes.set_xticks(depths)
    axes.grid(axis="x", visible=False)


def _draw_interval(axes: Axes, x: float, effect: Mapping[Hashable, Any] | None) -> None:
    if effect:
        axes.vlines(x, 100 * effect["low"], 100 * effect["high"], color="black", linewidth=1.2, zorder=3)


def _shown(kind: _Bars, effects: set[str]) -> Sequence[str]:
    """The bars at a depth, given its effects: both reasons for the drop if they are known, otherwise their sum."""
    if kind is _GAINS:
        return [effect for effect in _GAINS if effect in effects]
    drops = _REASONS if effects.issuperset(_REASONS) else ("total drop",) if "total drop" in effects else _REASONS[:1]
    return [effect for effect in (*drops, "pretrained drop") if effect in effects]
