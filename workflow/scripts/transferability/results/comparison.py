"""Two studies side by side, by how much their networks differ from their own bases."""

import pandas as pd

from transferability.results.by_images import amounts_of, on_amount
from transferability.results.effects import by_loss
from transferability.results.pairs import all_pairs
from transferability.study.amounts import Amount
from transferability.study.compared import LOSSES
from transferability.study.names import COPYING, TREATMENTS

ANY = "any"  # split type of random filters
_PARTS = {loss: name.replace("-", "_") for loss, name in LOSSES.items()}


def compare(ours: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Two studies side by side: differences from base by treatment, split type and n, in each and between them.

    ``relative`` differences are fractions of the base's accuracy, for data sets on which bases differ.
    ``cross_entropy`` and its parts, ``fit`` and ``generalization``, are in nats and, like accuracy, positive where a
    network is better than its base; for the authors' networks, the parts come from losses in training mode. Columns end
    in ``_ours`` and ``_published``, and are empty where a study has no such networks. Random filters do not depend on
    classes, so their networks are averaged over all split types: the paper has them for the whole set only.

    Args:
        ours: accuracies as returned by `transferability.results.accuracies.by_metric`.
        published: the same for the other study, by the same metric.
    """
    key = ["treatment", "split_type", "n"]
    tables = [differences_to_base(accuracies) for accuracies in (ours, published)]
    table = tables[0].merge(tables[1], on=key, how="outer", suffixes=("_ours", "_published"))
    for name in ("difference", "relative", *_PARTS.values()):
        table[f"{name}_ours_less_published"] = table[f"{name}_ours"] - table[f"{name}_published"]
    return table.sort_values(key, key=_in_order, ignore_index=True)


def compared_amount(accuracies: pd.DataFrame) -> Amount:
    """The largest amount of images in a study; only networks trained on this many are compared."""
    return amounts_of(accuracies)[-1]


def differences_to_base(accuracies: pd.DataFrame) -> pd.DataFrame:
    """Mean differences of networks from their own bases, by treatment, split type (``any`` for random filters) and n.

    Columns: treatment, split_type, n, networks, difference, relative (to the own base's accuracy), cross_entropy, fit,
    generalization, left_out. Only networks trained on the `compared_amount` of images count.
    """
    accuracies = on_amount(accuracies, compared_amount(accuracies))
    tables = []
    for treatment in COPYING:
        pairs = all_pairs(accuracies, treatment, "base")
        pairs["counted"] = pairs["difference"].mask(pairs["left_out"])
        pairs["relative"] = pairs["counted"] / pairs["second"]
        for loss, name in _PARTS.items():
            of_loss = all_pairs(by_loss(accuracies, loss), treatment, "base")
            pairs[name] = of_loss["difference"].mask(pairs["left_out"])
        if treatment.startswith("random"):
            pairs["split_type"] = ANY
        means = pairs.groupby(["split_type", "n"]).agg(
            networks=("counted", "count"),
            difference=("counted", "mean"),
            relative=("relative", "mean"),
            **{name: (name, "mean") for name in _PARTS.values()},
            left_out=("left_out", "sum"),
        )
        tables.append(means.reset_index().assign(treatment=treatment))
    return pd.concat(tables, ignore_index=True)[
        ["treatment", "split_type", "n", "networks", "difference", "relative", *_PARTS.values(), "left_out"]
    ]


def _in_order(column: pd.Series) -> pd.Series:
    return column.map(TREATMENTS.index) if column.name == "treatment" else column
