"""Every figure that is drawn from a study's accuracies, by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from transferability.figures.effects import effects
from transferability.figures.paper import figure2, figure3, reduced
from transferability.figures.reuse import reuse_figure
from transferability.figures.style import save
from transferability.results.accuracies import require_statistic

# From accuracies, the statistic that is compared, colours by treatment and the tolerated loss.
PICTURES: Mapping[str, Callable[[pd.DataFrame, str, Mapping[str, str], float], Figure]] = {
    "figure2": lambda accuracies, statistic, colours, _: figure2(accuracies, statistic, colours),
    "figure3": lambda accuracies, statistic, colours, _: figure3(accuracies, statistic, colours),
    "effects": lambda accuracies, statistic, colours, _: effects(accuracies, statistic, colours),
    "reduced": lambda accuracies, statistic, colours, _: reduced(accuracies, statistic, colours),
    "reuse": reuse_figure,
}


def draw_pictures(
    accuracies: pd.DataFrame,
    paths: Mapping[str, Sequence[Path]],
    statistic: str,
    colours: Mapping[str, str],
    tolerated_loss: float,
) -> None:
    """Draw some of `PICTURES` and save each to its paths; ValueError if some networks lack the statistic."""
    require_statistic(accuracies, statistic)
    for name, files in paths.items():
        save(PICTURES[name](accuracies, statistic, colours, tolerated_loss), *files)
