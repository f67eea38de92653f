"""Which layers can be reused: what copying them costs or gains at every depth, and why, in one picture."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from transferability.accuracies import bases_at_chance
from transferability.figure_style import QUIET, SYMBOLS, cross_out, legend_by_row, say_empty, warn
from transferability.figures import flagged_depths
from transferability.names import LAYER_NAMES
from transferability.splits import GROUPED, KINDS_IN_WORDS, RANDOM
from transferability.statistics import EFFECTS, WAYS_OF_REUSE, paired_effects, reusable

_GREEN = "#00694D"  # dark enough for white text; in grey, too, darker than what is not tolerated
# Face, edge and text of a cell, by whether the loss is tolerated and whether that is certain.
_CELLS: Mapping[tuple[bool, bool], tuple[str, str, str]] = {
    (True, True): (_GREEN, _GREEN, "white"),
    (True, False): ("#DFEEE9", _GREEN, _GREEN),
    (False, True): ("#DDDDDD", "#DDDDDD", "black"),
    (False, False): ("white", "#BBBBBB", "black"),
}
_BAR = 0.27  # width; depths are 1 apart
# The bars of a depth: centre, width, the treatment whose colour it has, and what it is.
_BARS: Mapping[str, tuple[float, float, str | None, str]] = {
    "co-adaptation loss": (-_BAR, _BAR, "selffer", "co-adaptation loss (base − BnB)"),
    "specificity loss": (0.0, _BAR, "transfer", "specificity loss (BnB − AnB)"),
    "total loss": (-_BAR / 2, 2 * _BAR, None, "total loss (base − AnB)"),
    "transfer gain": (_BAR, _BAR, "transfer+", "transfer gain (AnB⁺ − base)"),
}
_CENTRED: Mapping[str, Any] = {"ha": "center", "va": "center"}
_REASONS = ("co-adaptation loss", "specificity loss")


def reuse_figure(accuracies: pd.DataFrame, statistic: str, colours: Mapping[str, str], tolerated_loss: float) -> Figure:
    """A column a kind of split: above, what copying comes to and whether that is tolerated, by depth; below, why.

    A cell has the mean difference to base, in points, and half the width of its 95 % interval where there is one. It is
    green if no more than the tolerated loss is lost, and full if the whole interval says so.

    The bars of a depth begin at the base's accuracy with co-adaptation; specificity goes on from where that ends, and
    so ends where frozen transfer does; beside them is what fine-tuning gains. Where the loss cannot be divided, for
    want of selffer networks, it is one grey bar. Lines are the 95 % intervals of the bars at whose ends they are.

    Args:
        accuracies: as `transferability.accuracies.collect` makes them.
        statistic: the column that is compared.
        colours: by treatment.
        tolerated_loss: in accuracy, so 0.02 for 2 points.
    """
    reuse, effects = reusable(accuracies, statistic, tolerated_loss), paired_effects(accuracies, statistic)
    effects = effects[effects["effect"].isin(_BARS)]
    kinds = [kind for kind in (RANDOM, GROUPED) if (effects["kind"] == kind).any()]
    columns = max(1, len(kinds))
    figure = Figure(figsize=(max(9.4, 1.4 + 5.4 * columns), 6.8), layout="constrained")
    panels = figure.subplots(2, columns, squeeze=False, sharey="row", height_ratios=[1, 3.2])
    for cells, bars, kind in zip(*panels, kinds, strict=False):
        of_kind = accuracies[accuracies["kind"] == kind]
        _draw_cells(cells, reuse[reuse["kind"] == kind])
        _draw_bars(bars, of_kind, effects[effects["kind"] == kind], colours)
        bars.axhspan(-100 * tolerated_loss, 0, color=_CELLS[True, False][0], linewidth=0, zorder=0)
        cells.set_title(KINDS_IN_WORDS[kind], fontweight="bold")
        cells.set_xlabel(_rests_on(of_kind, statistic), color=QUIET, labelpad=8)
    for cells, bars in panels.T:
        _set_axes(cells, bars, sorted({int(n) for n in effects["n"]}))
    if not kinds:
        say_empty(panels[1, 0], "no networks with copied layers")
    panels[1, 0].set_ylabel("points of accuracy above or below base")
    _explain_cells(panels[0, 0], reuse, tolerated_loss)
    legend_by_row(figure, panels, "outside lower center")
    warn(figure, bases_at_chance(accuracies))
    return figure


def _set_axes(cells: Axes, bars: Axes, depths: list[int]) -> None:
    """Layers by name above the cells and by number below the bars."""
    for axes in (cells, bars):
        axes.set_xlim(min(depths, default=0) - 0.55, max(depths, default=1) + 0.55)
        axes.grid(axis="x", visible=False)
    cells.set_xticks(depths, [LAYER_NAMES[n - 1] for n in depths])
    cells.xaxis.set_label_position("top")
    cells.tick_params(length=0, labeltop=True, labelbottom=False)
    cells.set_yticks(range(len(WAYS_OF_REUSE)), [f"copied, {way}:\n{SYMBOLS[t]}" for t, way in WAYS_OF_REUSE.items()])
    cells.set_ylim(len(WAYS_OF_REUSE) - 0.5, -0.5)
    cells.grid(axis="y", visible=False)
    cells.spines[:].set_visible(False)
    bars.set_xticks(depths)
    bars.set_xlabel("layer n, the deepest that is copied")


def _rests_on(accuracies: pd.DataFrame, statistic: str) -> str:
    """The base's accuracy, and what the intervals can be had from."""
    base = accuracies.loc[accuracies["treatment"] == "base", statistic].mean()
    splits, seeds = accuracies["split"].nunique(), accuracies["seed"].nunique()
    counts = f"{splits} split{'s' * (splits > 1)}, {seeds} seed{'s' * (seeds > 1)}"
    intervals = "no intervals" if splits * seeds == 1 else "± and lines are 95 % intervals"
    return f"base {100 * base:.1f} %; {counts}: {intervals}"


def _draw_cells(axes: Axes, reuse: pd.DataFrame) -> None:
    for y, (treatment, way) in enumerate(WAYS_OF_REUSE.items()):
        of_way = reuse[reuse["treatment"] == treatment]
        if of_way.empty:
            axes.text(0.5, y, f"no {way} networks", color=QUIET, transform=axes.get_yaxis_transform(), **_CENTRED)
        for row in of_way.to_dict("records"):
            _draw_cell(axes, y, row)


def _explain_cells(axes: Axes, reuse: pd.DataFrame, tolerated_loss: float) -> None:
    """Something for the legend to show of each kind of cell that there is."""
    states = reuse.loc[reuse["verdict"].notna(), ["verdict", "certain"]]
    there = {(verdict == "within", certain) for verdict, certain in states.itertuples(index=False)}
    for (tolerated, certain), (face, edge, _) in _CELLS.items():
        if (tolerated, certain) in there:
            label = f"{'at most' if tolerated else 'more than'} {100 * tolerated_loss:g} points lost"
            label += "" if certain else ", mean only"
            axes.add_patch(Rectangle((0, 0), 0, 0, facecolor=face, edgecolor=edge, label=label))


def _draw_cell(axes: Axes, y: float, row: Mapping[Hashable, Any]) -> None:
    """The difference to base of one n and way of reuse, a row of `reusable`."""
    n, tolerated = row["n"], row["verdict"] == "within"
    face, edge, ink = _CELLS[tolerated, row["certain"]]
    box = FancyBboxPatch((n - 0.41, y - 0.41), 0.82, 0.82, facecolor=face, edgecolor=edge)
    box.set_boxstyle("round", pad=0, rounding_size=0.1)
    axes.add_patch(box)
    mean = f"{0 - round(100 * row['loss'], 1):+.1f}".replace("-", "−")
    has_interval = pd.notna(row["low"])
    weight = "bold" if tolerated else "normal"
    axes.text(n, y - 0.14 * has_interval, mean, color=ink, fontweight=weight, **_CENTRED)
    if has_interval:
        half = f"±{50 * (row['high'] - row['low']):.1f}"
        axes.text(n, y + 0.22, half, color=ink, size="x-small", **_CENTRED)
    if pd.isna(row["verdict"]):
        cross_out(axes, [n], [y])


def _draw_bars(axes: Axes, accuracies: pd.DataFrame, effects: pd.DataFrame, colours: Mapping[str, str]) -> None:
    axes.axhline(0, color=colours["base"], linewidth=1)
    for n in sorted({int(n) for n in effects["n"]}):
        by_effect = {row["effect"]: row for row in effects[effects["n"] == n].to_dict("records")}
        end = 0.0
        for effect in _shown(set(by_effect)):
            offset, width, treatment, label = _BARS[effect]
            start = end if effect in _REASONS else 0.0
            sign = 1 if effect == "transfer gain" else -1
            height, low, high = (100 * sign * by_effect[effect][name] for name in ("mean", "low", "high"))
            end = start + height
            colour = colours[treatment] if treatment else "#999999"
            axes.bar(n + offset, height, width, bottom=start, color=colour, label=label, linewidth=0)
            axes.vlines(n + offset, start + low, start + high, color="black", linewidth=1.2, zorder=3)
            if n in flagged_depths(accuracies[accuracies["treatment"].isin(EFFECTS[effect])]):
                cross_out(axes, [n + offset], [end])


def _shown(effects: set[str]) -> list[str]:
    """The bars of a depth from the effects that there are: the reasons of the loss if both are known, else its sum."""
    losses = _REASONS if effects.issuperset(_REASONS) else ("total loss",) if "total loss" in effects else _REASONS[:1]
    return [effect for effect in (*losses, "transfer gain") if effect in effects]
