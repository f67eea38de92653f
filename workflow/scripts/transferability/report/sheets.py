"""Tables as a page shows them: cells as text, the keys that they are sorted by, and the file to download."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from transferability.files import csv_of
from transferability.labels import visible
from transferability.report.table_views import Column, TableView
from transferability.results.accuracies import read_accuracies, read_table


@dataclass(frozen=True)
class Cell:
    """The text that a table shows, and the key that it is sorted by."""

    text: str
    key: str
    is_number: bool


@dataclass(frozen=True)
class Sheet:
    """A table on the page, with its CSV file as a data URL."""

    title: str
    name: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    csv: str


def sheet_of_file(name: str, view: TableView, path: Path) -> Sheet:
    table = read_accuracies(path) if name == "accuracies" else read_table(path)
    return _made_sheet(name, view, table, path.read_bytes().decode())


def sheet_of(name: str, view: TableView, table: pd.DataFrame) -> Sheet:
    return _made_sheet(name, view, table, csv_of(table))


def _made_sheet(name: str, view: TableView, table: pd.DataFrame, text: str) -> Sheet:
    table = view.arranged(table) if view.arranged else table
    columns = {
        column: shown
        for column, shown in view.columns.items()
        if column in table and (table[column].dropna().any() if shown.mostly_nothing else table[column].notna().any())
    }
    rows = [
        [_cell(value, column) for value, column in zip(row, columns.values(), strict=True)]
        for row in table[list(columns)].itertuples(index=False, name=None)
    ]
    return Sheet(
        title=view.title,
        name=name,
        headings=[column.heading for column in columns.values()],
        rows=rows,
        csv=f"data:text/csv;charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}",
    )


def _cell(value: Any, column: Column) -> Cell:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return Cell(column.nothing, column.nothing, is_number=False)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(visible(column.show(value)), repr(value) if is_number else visible(str(value)), is_number)
