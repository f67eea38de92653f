"""Two studies side by side, by how far their networks are from their own bases."""

import pandas as pd

from transferability.results.pairs import all_pairs
from transferability.study.names import COPYING, TREATMENTS

ANY = "any"  # split type, of random filters


def compare(ours: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Two studies side by side: differences to base by treatment, split type and n, of each and between them.

    ``relative`` differences are shares of the base's accuracy, for data sets on which bases differ. Columns end in
    ``_ours`` and ``_published``; where one study has no such networks, they are empty. Random filters know no classes,
    so their networks are compared over all split type: the paper has them for the whole set only.

    Args:
        ours: as `transferability.results.accuracies.by_metric` gives them.
        published: the same, by the same metric.
    """
    key = ["treatment", "split_type", "n"]
    tables = [differences_to_base(accuracies) for accuracies in (ours, published)]
    table = tables[0].merge(tables[1], on=key, how="outer", suffixes=("_ours", "_published"))
    for name in ("difference", "relative"):
        table[f"{name}_ours_less_published"] = table[f"{name}_ours"] - table[f"{name}_published"]
    return table.sort_values(key, key=_in_order, ignore_index=True)


def differences_to_base(accuracies: pd.DataFrame) -> pd.DataFrame:
    """By treatment, split type (``any`` for random filters) and n: networks, mean difference to the own base.

    Columns: treatment, split_type, n, networks, difference, relative (to the own base's accuracy), left_out.
    """
    tables = []
    for treatment in COPYING:
        pairs = all_pairs(accuracies, treatment, "base")
        pairs["counted"] = pairs["difference"].mask(pairs["left_out"])
        pairs["relative"] = pairs["counted"] / pairs["second"]
        if treatment.startswith("random"):
            pairs["split_type"] = ANY
        means = pairs.groupby(["split_type", "n"]).agg(
            networks=("counted", "count"),
            difference=("counted", "mean"),
            relative=("relative", "mean"),
            left_out=("left_out", "sum"),
        )
        tables.append(means.reset_index().assign(treatment=treatment))
    return pd.concat(tables, ignore_index=True)[
        ["treatment", "split_type", "n", "networks", "difference", "relative", "left_out"]
    ]


def _in_order(column: pd.Series) -> pd.Series:
    return column.map(TREATMENTS.index) if column.name == "treatment" else column
