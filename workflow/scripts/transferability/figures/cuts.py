"""How much of a network lies below each point where it can be cut."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from transferability.results.cuts import CutRow

_PARAMETERS, _OPERATIONS = "#0072B2", "#D55E00"


def cuts_figure(rows: Sequence[CutRow]) -> Figure:
    """The shares of parameters and operations below each cut point, in %; markers are filled where a study cuts."""
    safe = [row for row in rows if not row.why_not]
    figure = Figure(figsize=(6.5, 1.4 + 0.24 * len(safe)), layout="constrained")
    axes = figure.subplots()
    heights = np.arange(len(safe))
    for color, label, shares in (
        (_PARAMETERS, "parameters", [row.parameters for row in safe]),
        (_OPERATIONS, "operations", [np.nan if row.operations is None else row.operations for row in safe]),
    ):
        percent = 100 * np.array(shares, dtype=float)
        used = np.array([row.depth is not None for row in safe])
        axes.plot(percent, heights, color=color, linewidth=1, zorder=1)
        axes.scatter(percent, heights, s=26, facecolor="white", edgecolor=color, zorder=2)
        axes.scatter(percent[used], heights[used], s=26, facecolor=color, edgecolor=color, zorder=3, label=label)
    axes.set_yticks(heights, [row.name if row.depth is None else f"{row.name}   n = {row.depth}" for row in safe])
    axes.invert_yaxis()  # images at the top, as in the table
    axes.set_xlim(-3, 103)
    axes.set_xlabel("share below the cut, %")
    axes.legend(loc="best")
    return figure
