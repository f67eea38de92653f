"""How all figures look and how they are written, in one place."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike

from transferability.figures.rendering import own_settings
from transferability.files import whole_file
from transferability.labels import visible


class Look(NamedTuple):
    """How a treatment looks and what it is called in figures; marker and line distinguish it even without color."""

    marker: str
    line: str
    label: str


LOOKS = {
    "base": Look("o", ":", "base"),
    "selffer": Look("s", "--", "selffer BnB, frozen"),
    "selffer+": Look("s", "-", "selffer BnB⁺, fine-tuned"),
    "transfer": Look("D", "--", "transfer AnB, frozen"),
    "transfer+": Look("D", "-", "transfer AnB⁺, fine-tuned"),
    "random": Look("v", "--", "random, frozen"),
    "random+": Look("v", "-", "random, fine-tuned"),
    "pretrained": Look("^", "--", "pretrained PnB, frozen"),
    "pretrained+": Look("^", "-", "pretrained PnB⁺, fine-tuned"),
    "reduced": Look("o", "-", "reduced"),
}
MARKERS = {treatment: look.marker for treatment, look in LOOKS.items()}
LINES = {treatment: look.line for treatment, look in LOOKS.items()}
LABELS = {treatment: look.label for treatment, look in LOOKS.items()}

DEPTH_LABEL = "transferred layers n"
QUIET = "#555555"  # for notes, and for whatever has no color of its own

_COLORS: ContextVar[Mapping[str, str]] = ContextVar("colors by treatment")  # set within `figure_style`


@contextmanager
def figure_style(colors: Mapping[str, str] | None = None) -> Iterator[None]:
    """Give everything drawn in this block the same style; nothing outside of it changes.

    Treatments have the given colors, and those without one are gray.

    The style does not depend on a user's matplotlib settings (`own_settings`).
    """
    of_treatments = _COLORS.set(colors or {})
    with own_settings(sns.axes_style("whitegrid"), sns.plotting_context("notebook", font_scale=0.85)):
        try:
            yield
        finally:
            _COLORS.reset(of_treatments)


def color_of(treatment: str) -> str:
    """A treatment's color as given to `figure_style`; call it in such a block."""
    return _COLORS.get().get(treatment, QUIET)


def marker_style(treatment: str) -> dict[str, Any]:
    """The style of a treatment's markers and line: hollow markers are frozen networks, filled ones all others."""
    color = color_of(treatment)
    filled = treatment.endswith("+") or treatment in ("base", "reduced")
    return {
        "marker": MARKERS[treatment],
        "linestyle": LINES[treatment],
        "color": color,
        "markerfacecolor": color if filled else "white",
        "markeredgecolor": color,
        "markersize": 6,
    }


_LETTER = 0.085  # the width in inches of a letter in a layer's name


def depth_labels(depths: Sequence[int], names: Mapping[int, str], step: float) -> list[str]:
    """Tick labels of depths: n and, if a step of this many inches has room for all names, that of the n-th layer."""
    if max((len(names.get(n, "")) for n in depths), default=0) * _LETTER > step:
        return list(map(str, depths))
    return [f"{n}\n{visible(names.get(n, ''))}".rstrip() for n in depths]


def depth_axis(axes: Axes, depths: list[int], names: Mapping[int, str], step: float) -> None:
    """Put layers on the x axis (see `depth_labels`), with the bases, at 0, one step before the first layer."""
    first = min(depths, default=1)
    if first > 1:
        # Points are up to half a step from their n, so only the space between these ranges is compressed.
        at, place = np.array([-9.0, 0.5, first - 0.5, first + 9.0]), np.array([-9.0, 0.5, 0.6, 10.1])
        scale = (lambda x: np.interp(x, at, place), lambda x: np.interp(x, place, at))
        axes.set_xscale("function", functions=scale)
    axes.set_xticks([0, *depths], ["base", *depth_labels(depths, names, step)])
    axes.set_xlim(-0.6, max(depths, default=1) + 0.6)
    axes.set_xlabel(DEPTH_LABEL)
    axes.grid(axis="x", visible=False)


def mean_line(axes: Axes, x: ArrayLike, y: ArrayLike, **style: Any) -> None:
    """Draw a line through the mean of all y at each x, with a style such as that of `marker_style`."""
    sns.lineplot(x=np.asarray(x, float), y=np.asarray(y, float), errorbar=None, legend=False, ax=axes, **style)


def depth_limits(depths: Sequence[int]) -> tuple[float, float]:
    """Where an axis of depths begins and ends; few depths have room beside them, so that nothing is drawn too wide."""
    low, high = min(depths, default=1), max(depths, default=1)
    spare = max(0.0, (_LEAST_DEPTHS - 1 - (high - low)) / 2)
    return low - 0.55 - spare, high + 0.55 + spare


_LEAST_DEPTHS = 4  # an axis has room for at least this many


def depth_width(depths: Sequence[int]) -> float:
    """The width in inches of a panel with a `depth_axis`: 6.6 for seven depths, and at least 3.6 for fewer."""
    steps = 1 + max(depths, default=1) - min(depths, default=1)
    return max(3.6, 1.0 + 0.8 * steps)


def legend_columns(width: float, entry: float, most: int) -> int:
    """How many columns a legend with entries of this many inches has in a figure of this width, up to ``most``."""
    return max(1, min(most, int(width / entry)))


def beside(count: int, step: float) -> list[float]:
    """Offsets of things drawn side by side, so that together they are centered on their tick."""
    return [step * (i - (count - 1) / 2) for i in range(count)]


def shared_legend(figure: Figure, panels: Iterable[Axes], place: Any, columns: int) -> None:
    """Draw one legend with everything that any panel has, each thing once."""
    handles = _legend_handles(panels)
    if handles:
        figure.legend(list(handles.values()), list(handles), loc=place, ncols=min(columns, len(handles)))


def legend_by_row(figure: Figure, rows: Iterable[Iterable[Axes]], place: Any) -> None:
    """Draw one legend with a line for each row of panels; what several rows have is in the last of these lines."""
    lines: list[dict[str, Any]] = []
    for handles in map(_legend_handles, rows):
        for line in lines:
            for label in line.keys() & handles.keys():
                del line[label]
        lines.append(handles)
    # Legends are filled column by column, so shorter lines have to be padded.
    columns = list(zip_longest(*(line.items() for line in lines), fillvalue=("", Line2D([], [], linestyle="none"))))
    if columns:
        labels, symbols = zip(*chain.from_iterable(columns), strict=True)
        figure.legend(symbols, labels, loc=place, ncols=len(columns))


def _legend_handles(panels: Iterable[Axes]) -> dict[str, Any]:
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    return handles


def legend_below(axes: Axes, gap: float = 0.17) -> None:
    """Draw a legend below the axes, where it hides nothing, whatever a study's lines look like."""
    handles = _legend_handles([axes])
    if handles:
        axes.legend(list(handles.values()), list(handles), loc="upper center", bbox_to_anchor=(0.5, -gap))


def name_difference(axes: Axes, name: str, x: float, upper: float, lower: float) -> None:
    """Draw a double arrow between two heights at ``x``, with a name to its right that hides no line."""
    arrow = {"arrowstyle": "<->", "color": QUIET, "shrinkA": 4, "shrinkB": 4}
    axes.annotate("", (x, lower), (x, upper), arrowprops=arrow)
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "linewidth": 0}
    axes.text(x + 0.15, (upper + lower) / 2, name, color=QUIET, va="center", bbox=box, zorder=1.5)


def question(axes: Axes, x: ArrayLike, y: ArrayLike) -> None:
    """Put a question mark above points that may mean nothing, because a base has too few images to tell from chance."""
    if not np.size(x):
        return
    above = axes.transData + ScaledTranslation(0, 9 / 72, axes.figure.dpi_scale_trans)
    style: dict[str, Any] = {"linestyle": "none", "marker": _question_mark(), "color": QUIET, "zorder": 4}
    style |= {"markersize": 8, "markeredgewidth": 0}
    axes.plot(x, y, label="a base may be at chance: too few images to tell", transform=above, **style)


def _question_mark() -> TextPath:
    """A question mark as a path, because matplotlib's text markers are formulas, which our style does not parse."""
    drawn = TextPath((0, 0), "?", size=1)
    middle = drawn.get_extents().get_points().mean(axis=0)
    return TextPath(tuple(-middle), "?", size=1)


def cross_out(axes: Axes, x: ArrayLike, y: ArrayLike) -> None:
    """Cross out points that mean nothing, because the network or a base in its comparison has not learned."""
    if not np.size(x):
        return
    style: dict[str, Any] = {
        "linestyle": "none",
        "marker": "x",
        "color": QUIET,
        "markersize": 11,
        "markeredgewidth": 1.6,
        "zorder": 4,
    }
    axes.plot(x, y, label="unlearned, or beside a base that is: in no mean", **style)


def warn(figure: Figure, text: str, below: bool = False) -> None:
    """Write a warning above everything else, or below it if the legend is above."""
    if text:
        write = figure.supxlabel if below else figure.suptitle
        width = int(11 * figure.get_figwidth())
        write("\n".join(textwrap.fill(line, width) for line in text.splitlines()), color="firebrick", size="medium")


def from_zero(axes: Axes) -> None:
    """Start the axis of accuracies at zero, with room for whole markers at the bottom and top."""
    top = axes.get_ylim()[1]
    axes.set_ylim(-0.03 * top, 1.03 * top)


def nothing_but(text: str) -> Figure:
    """A figure without data: it has no axes, only a text that says so."""
    figure = Figure(figsize=(6.6, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center", color=QUIET)
    return figure


def save(figure: Figure, *paths: Path) -> None:
    """Write the figure in the format of each path's extension; the same figure gives the same bytes."""
    for path in paths:
        metadata = {"CreationDate": None} if path.suffix == ".pdf" else {"Software": None}
        with whole_file(path) as temporary:
            figure.savefig(temporary, bbox_inches="tight", metadata=metadata)
