"""Every figure that is drawn from a study's accuracies, by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from transferability.figures.effects import effects
from transferability.figures.paper import figure2, figure3, reduced
from transferability.figures.reuse import reuse_figure
from transferability.figures.style import save
from transferability.results.accuracies import require_metric

# From accuracies, the metric that is compared, colors by treatment and the tolerated drop.
PICTURES: Mapping[str, Callable[[pd.DataFrame, str, Mapping[str, str], float], Figure]] = {
    "figure2": lambda accuracies, metric, colors, _: figure2(accuracies, metric, colors),
    "figure3": lambda accuracies, metric, colors, _: figure3(accuracies, metric, colors),
    "effects": lambda accuracies, metric, colors, _: effects(accuracies, metric, colors),
    "reduced": lambda accuracies, metric, colors, _: reduced(accuracies, metric, colors),
    "reuse": reuse_figure,
}


def draw_pictures(
    accuracies: pd.DataFrame,
    paths: Mapping[str, Sequence[Path]],
    metric: str,
    colors: Mapping[str, str],
    max_drop: float,
) -> None:
    """Draw some of `PICTURES` and save each to its paths; ValueError if some networks lack the metric."""
    require_metric(accuracies, metric)
    for name, files in paths.items():
        save(PICTURES[name](accuracies, metric, colors, max_drop), *files)
