"""Every table, or text, that is made from a study's results, by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from transferability.files import write_table, write_text
from transferability.results.accuracies import Results
from transferability.results.answers import headline
from transferability.results.effects import effects
from transferability.results.paper import drops, summarize, table1
from transferability.results.reuse import reusable

TABLES: Mapping[str, Callable[[Results], pd.DataFrame | str]] = {
    "summary": summarize,
    "table1": table1,
    "drops": drops,
    "effects": effects,
    "reuse": reusable,
    "headline": headline,
}


def write_tables(results: Results, paths: Mapping[str, Path]) -> None:
    """Make some of `TABLES` and write each to its path."""
    for name, path in paths.items():
        made = TABLES[name](results)
        if isinstance(made, str):
            write_text(path, made)
        else:
            write_table(path, made)
