"""Every table that is made from a study's accuracies, by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from transferability.files import write_table, write_text
from transferability.results.accuracies import require_statistic
from transferability.results.answers import headline
from transferability.results.effects import paired_effects
from transferability.results.paper import drops, summarise, table1
from transferability.results.reuse import reusable

# From accuracies, the statistic that is compared and the tolerated loss to a table, or to a text.
TABLES: Mapping[str, Callable[[pd.DataFrame, str, float], pd.DataFrame | str]] = {
    "summary": lambda accuracies, statistic, _: summarise(accuracies, statistic),
    "table1": lambda accuracies, statistic, _: table1(accuracies, statistic),
    "drops": lambda accuracies, statistic, _: drops(accuracies, statistic),
    "effects": lambda accuracies, statistic, _: paired_effects(accuracies, statistic),
    "reuse": reusable,
    "headline": headline,
}


def write_tables(accuracies: pd.DataFrame, paths: Mapping[str, Path], statistic: str, tolerated_loss: float) -> None:
    """Make some of `TABLES` and write each to its path; ValueError if some networks lack the statistic."""
    require_statistic(accuracies, statistic)
    for name, path in paths.items():
        made = TABLES[name](accuracies, statistic, tolerated_loss)
        if isinstance(made, str):
            write_text(path, made)
        else:
            write_table(path, made)
