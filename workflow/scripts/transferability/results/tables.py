"""Every table and text that is made from a study's results, by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from transferability.files import write_table, write_text
from transferability.results.accuracies import Results
from transferability.results.amounts import headline_by_amount, of_each_amount
from transferability.results.effects import effects
from transferability.results.paper import drops, summarize, table1
from transferability.results.reuse import reusable

TABLES: Mapping[str, Callable[[Results], pd.DataFrame | str]] = {
    "summary": summarize,
    "table1": of_each_amount(table1),
    "drops": of_each_amount(drops),
    "effects": of_each_amount(effects),
    "reuse": of_each_amount(reusable),
    "headline": headline_by_amount,
}


def write_tables(results: Results, paths: Mapping[str, Path]) -> None:
    """Make some of `TABLES` and write each to its path."""
    for name, path in paths.items():
        made = TABLES[name](results)
        if isinstance(made, str):
            write_text(path, made)
        else:
            write_table(path, made)
