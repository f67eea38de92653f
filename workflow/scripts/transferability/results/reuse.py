"""Which layers can be reused: whether copying them from the other half costs more than a tolerated loss."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from transferability.results.accuracies import Results, doubtful, layer_names
from transferability.results.pairs import all_pairs, means_with_intervals

# How layers of the other half's base can be used: frozen, or fine-tuned with the rest.
WAYS_OF_REUSE: Mapping[str, str] = {"transfer": "frozen", "transfer+": "fine-tuned"}


def reusable(results: Results) -> pd.DataFrame:
    """Whether the lowest n layers can be copied from the other half at no more than a tolerated loss of accuracy.

    A row a kind of split, n and way of copying: ``transfer`` for frozen layers, ``transfer+`` for fine-tuned ones. The
    loss is that of the network against its own base, paired, with its interval as in `paired_effects`; it is negative
    where copying gains. ``layer`` is the deepest that is copied.

    Returns:
        Columns kind, n, layer, treatment, pairs, splits, loss, low, high, verdict, certain, left_out. The verdict is
        ``within`` if the mean loss is at most the tolerated one, else ``beyond``; it is certain if the whole interval
        is on that side, and so never where one split and seed give no interval, nor where a base is judged on too few
        images to tell it from chance. Where bases at chance leave no pair, loss and verdict are empty. Depths that
        were not tried have no row.
    """
    accuracies, tolerated_loss = results.accuracies, results.tolerated_loss
    names = layer_names(accuracies)
    tables = []
    for treatment in WAYS_OF_REUSE:
        pairs = all_pairs(accuracies, "base", treatment)
        tables.append(means_with_intervals(pairs).assign(treatment=treatment))
    table = pd.concat(tables, ignore_index=True).rename(columns={"mean": "loss"})
    table["layer"] = [names[n] for n in table["n"]]
    within = table["loss"] <= tolerated_loss
    table["verdict"] = within.map({True: "within", False: "beyond"}).where(table["pairs"] > 0, None)
    key = ["kind", "n", "treatment"]
    of_doubtful_bases = set(accuracies.loc[doubtful(accuracies), key].itertuples(index=False, name=None))
    clear = np.array([row not in of_doubtful_bases for row in table[key].itertuples(index=False, name=None)], bool)
    table["certain"] = ((table["high"] <= tolerated_loss) | (table["low"] > tolerated_loss)) & clear
    columns = ["kind", "n", "layer", "treatment", "pairs", "splits", "loss", "low", "high", "verdict", "certain"]
    return table.sort_values(key, ignore_index=True)[[*columns, "left_out"]]


def deepest_within(reuse: pd.DataFrame, treatment: str) -> int:
    """The largest n at which, and at every smaller n that was tried, the loss is tolerated; 0 if there is none.

    Args:
        reuse: rows of `reusable`, of one kind of split.
        treatment: ``transfer`` or ``transfer+``.
    """
    deepest = 0
    for row in reuse[reuse["treatment"] == treatment].sort_values("n").to_dict("records"):
        if row["verdict"] != "within":
            break
        deepest = row["n"]
    return deepest
