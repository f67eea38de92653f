"""Every table that is made from a study's accuracies, by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from transferability.files import write_table, write_text
from transferability.results.accuracies import require_metric
from transferability.results.answers import headline
from transferability.results.effects import paired_effects
from transferability.results.paper import drops, summarize, table1
from transferability.results.reuse import reusable

# From accuracies, the metric that is compared and the tolerated drop to a table, or to a text.
TABLES: Mapping[str, Callable[[pd.DataFrame, str, float], pd.DataFrame | str]] = {
    "summary": lambda accuracies, metric, _: summarize(accuracies, metric),
    "table1": lambda accuracies, metric, _: table1(accuracies, metric),
    "drops": lambda accuracies, metric, _: drops(accuracies, metric),
    "effects": lambda accuracies, metric, _: paired_effects(accuracies, metric),
    "reuse": reusable,
    "headline": headline,
}


def write_tables(accuracies: pd.DataFrame, paths: Mapping[str, Path], metric: str, max_drop: float) -> None:
    """Make some of `TABLES` and write each to its path; ValueError if some networks lack the metric."""
    require_metric(accuracies, metric)
    for name, path in paths.items():
        made = TABLES[name](accuracies, metric, max_drop)
        if isinstance(made, str):
            write_text(path, made)
        else:
            write_table(path, made)
