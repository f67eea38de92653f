"""Accuracies by depth and amount of training images, side by side."""

import pandas as pd

from transferability.report.sheets import Sheet, sheet_of
from transferability.report.table_views import Column, TableView
from transferability.results.accuracies import Results
from transferability.results.pairs import of_the_paper
from transferability.results.unlearned import meaningless
from transferability.study.amounts import amount_in_words
from transferability.study.names import SYMBOLS, TREATMENTS
from transferability.words import percent

_KEY = ["split_type", "treatment", "n"]


def accuracies_by_amount(results: Results) -> Sheet | None:
    """Mean accuracies, with a row per split type, treatment and n, and a column per amount of images.

    None for a study whose networks are all trained on all images.
    """
    if not results.has_few:
        return None
    columns = {}
    for amount in results.amounts:
        networks = of_the_paper(results.at(amount).accuracies)
        columns[amount_in_words(amount)] = networks[~meaningless(networks)].groupby(_KEY)["accuracy"].mean()
    table = pd.DataFrame(columns).reset_index()
    table = table.sort_values(_KEY, key=_in_order, kind="stable", ignore_index=True)
    table["network"] = table["treatment"].map(SYMBOLS)
    shown = {
        "split_type": Column("halves", results.halves),
        "network": Column("network"),
        "n": Column("n", str),
        **{name: Column(f"{name}, %", percent) for name in columns},
    }
    return sheet_of("accuracies_by_amount", TableView("Mean accuracy by amount of training images", shown), table)


def _in_order(column: pd.Series) -> pd.Series:
    return column.map(TREATMENTS.index) if column.name == "treatment" else column
