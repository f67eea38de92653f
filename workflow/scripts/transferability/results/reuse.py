"""Which layers can be reused: whether copying them from elsewhere costs more than a tolerated drop."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from transferability.results.accuracies import Results, layer_names
from transferability.results.pairs import all_pairs, means_with_intervals
from transferability.results.unlearned import doubtful
from transferability.study.pretrained_weights import is_copied_from_weights

# How layers of the other half's base, or of published weights, can be used: frozen, or fine-tuned with the rest.
WAYS_OF_REUSE: Mapping[str, str] = {
    "transfer": "frozen",
    "transfer+": "fine-tuned",
    "pretrained": "frozen",
    "pretrained+": "fine-tuned",
}


def copied_from(treatment: str) -> str:
    """Where a way of reuse copies layers from, in words."""
    return "published weights" if is_copied_from_weights(treatment) else "the other half"


def way_in_words(treatment: str, max_drop: float) -> str:
    """The headline's words for a way of reuse: at what drop layers count as reusable, and how they are used."""
    of = f"{copied_from(treatment)} " if is_copied_from_weights(treatment) else ""
    return f"reusable {tolerated(max_drop)}, {of}{WAYS_OF_REUSE[treatment]}"


def tolerated(max_drop: float) -> str:
    """Like at a drop of at most 2 points."""
    return f"at a drop of at most {100 * max_drop:g} points"


def reusable(results: Results) -> pd.DataFrame:
    """Whether the lowest n layers can be copied from elsewhere at no more than a tolerated drop in accuracy.

    There is a row for each split type, n and way of reuse, a key of `WAYS_OF_REUSE`: ``transfer`` for frozen layers of
    the other half, ``transfer+`` for fine-tuned ones, ``pretrained`` and ``pretrained+`` for those of published
    weights. The drop is paired, from the network's own base, with its interval as in `paired_effects`; it is negative
    where copying gains. ``layer`` is the deepest copied layer.

    Returns:
        Columns split_type, n, layer, treatment, pairs, splits, drop, low, high, verdict, conclusive, left_out. The
        verdict is ``within`` if the mean drop is at most the tolerated one, otherwise ``beyond``. It is conclusive if
        the whole interval is on that side, and thus never where one split and seed give no interval, nor where a base
        has too few validation images to tell it from chance. Where no pair is left that counts, drop and verdict are
        empty. Depths that were not tried have no row.
    """
    accuracies, max_drop = results.accuracies, results.max_drop
    names = layer_names(accuracies)
    tables = []
    for treatment in WAYS_OF_REUSE:
        pairs = all_pairs(accuracies, "base", treatment)
        tables.append(means_with_intervals(pairs).assign(treatment=treatment))
    table = pd.concat(tables, ignore_index=True).rename(columns={"mean": "drop"})
    table["layer"] = [names[n] for n in table["n"]]
    within = table["drop"] <= max_drop
    table["verdict"] = within.map({True: "within", False: "beyond"}).where(table["pairs"] > 0, None)
    key = ["split_type", "n", "treatment"]
    of_doubtful_bases = set(accuracies.loc[doubtful(accuracies), key].itertuples(index=False, name=None))
    clear = np.array([row not in of_doubtful_bases for row in table[key].itertuples(index=False, name=None)], bool)
    table["conclusive"] = ((table["high"] <= max_drop) | (table["low"] > max_drop)) & clear
    columns = [
        "split_type",
        "n",
        "layer",
        "treatment",
        "pairs",
        "splits",
        "drop",
        "low",
        "high",
        "verdict",
        "conclusive",
    ]
    return table.sort_values(key, ignore_index=True)[[*columns, "left_out"]]


def deepest_within(reuse: pd.DataFrame, treatment: str) -> int:
    """The largest n such that the drop is tolerated there and at every smaller n that was tried; 0 if there is none.

    Args:
        reuse: rows of `reusable` for one split type.
        treatment: a key of `WAYS_OF_REUSE`.
    """
    deepest = 0
    for row in reuse[reuse["treatment"] == treatment].sort_values("n").to_dict("records"):
        if row["verdict"] != "within":
            break
        deepest = row["n"]
    return deepest


def certain_depths(reuse: pd.DataFrame, treatment: str) -> list[int]:
    """The n up to `deepest_within` at which the whole interval of the drop is tolerated, not just the mean."""
    rows = reuse[(reuse["treatment"] == treatment) & (reuse["n"] <= deepest_within(reuse, treatment))]
    return sorted(map(int, rows.loc[rows["conclusive"].astype(bool), "n"]))
