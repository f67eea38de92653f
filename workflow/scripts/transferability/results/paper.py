"""The paper's numbers: accuracy by treatment and depth, its Table 1, and the drop of frozen transfer at the deepest n.

Networks that preserve layers above the frozen ones do not belong to the paper's treatments: `summarize` gives them rows
of their own, and the other tables leave them out.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transferability.results.accuracies import Results
from transferability.results.pairs import interval, of_the_paper, paired_differences
from transferability.results.unlearned import meaningless
from transferability.study.split_types import RANDOM, TYPES_OF_HALVES

LAYER_RANGES = ((1, 7), (3, 7), (5, 7))  # of the paper's Table 1

_TABLE_1 = [
    *("layers", "depths", "networks", "over_base", "over_selffer+"),
    *("over_base_paired", "over_base_paired_low", "over_base_paired_high", "over_selffer+_paired"),
    *("gain_over_selffer+", "left_out"),
]
_DROPS = ["split_type", "n", "networks", "base", "transfer", "drop", "relative", "paired", "left_out"]


def summarize(results: Results) -> pd.DataFrame:
    """The number of networks, the spread of their accuracy and their difference from base, by split type, treatment, n.

    Each number of images per class and each number of preserved layers has rows of its own. ``at_chance`` counts
    networks that are at chance themselves but are included in means.
    """
    accuracies = results.accuracies
    dead = meaningless(accuracies)
    differences = accuracies.assign(
        counted=accuracies["accuracy"].mask(dead),
        difference=(accuracies["accuracy"] - _base_of(accuracies)).mask(dead),
        preserved=accuracies["copied"] - accuracies["n"],
        left_out=dead,
        guesses=accuracies["at_chance"].fillna(False).astype(bool) & ~dead,
    )
    by = ["split_type", "treatment", "n", "preserved", "examples_per_class"]
    groups = differences.groupby(by, dropna=False, sort=False)
    table = groups.agg(
        networks=("counted", "count"),
        mean=("counted", "mean"),
        standard_deviation=("counted", "std"),
        minimum=("counted", "min"),
        maximum=("counted", "max"),
        mean_difference_to_base=("difference", "mean"),
        left_out=("left_out", "sum"),
        at_chance=("guesses", "sum"),
    )
    return table.reset_index().sort_values(by, ignore_index=True)


def table1(results: Results) -> pd.DataFrame:
    """The paper's Table 1: by how much AnB+ beats base and BnB+, over ranges of layers, on random splits.

    ``depths`` are the n of a range that have been tried; a range without any has no row.

    The paper's formula, in ``over_base`` and ``over_selffer+``, compares plain means over networks: all AnB+ in the
    range with all bases, and with all BnB+ in the range. Halves differ in difficulty, which affects these numbers where
    the networks are not of the same halves. The following are free of this:

    - ``over_base_paired``: the mean over AnB+ of the accuracy minus that of its own base (same split, target and seed),
      with an interval as in `paired_effects`;
    - ``over_selffer+_paired``: the mean of each AnB+ minus the BnB+ of the same split, target, seed and n; empty
      without such pairs;
    - ``gain_over_selffer+``: the mean gain of AnB+ over its own base, minus that of BnB+ over its own. It needs no
      pairs of AnB+ and BnB+, so it is available even where the two were trained for different halves.
    """
    everything = results.accuracies
    everything = of_the_paper(everything[everything["split_type"] == RANDOM])
    accuracies = everything[~meaningless(everything)]
    gain = {
        (first, second): paired_differences(accuracies, first, second)
        for first, second in (("transfer+", "base"), ("transfer+", "selffer+"), ("selffer+", "base"))
    }
    rows = []
    for layers in LAYER_RANGES:
        of_range = everything[_has(everything, "transfer+", layers)]
        if of_range.empty:
            continue
        in_range = accuracies[accuracies["n"].between(*layers)]
        networks = int(_has(accuracies, "transfer+", layers).sum())
        mean = {name: _mean(in_range, name) for name in ("transfer+", "selffer+")}
        pairs = {which: table[table["n"].between(*layers)] for which, table in gain.items()}
        over_base = pairs["transfer+", "base"]
        low, high = interval(over_base)
        rows.append(
            {
                "layers": "{}-{}".format(*layers),
                "depths": ", ".join(map(str, sorted(of_range["n"].unique()))),
                "networks": networks,
                "left_out": len(of_range) - networks,
                "over_base": mean["transfer+"] - _mean(accuracies, "base"),
                "over_selffer+": mean["transfer+"] - mean["selffer+"],
                "over_base_paired": over_base["difference"].mean(),
                "over_base_paired_low": low,
                "over_base_paired_high": high,
                "over_selffer+_paired": pairs["transfer+", "selffer+"]["difference"].mean(),
                "gain_over_selffer+": over_base["difference"].mean() - pairs["selffer+", "base"]["difference"].mean(),
            }
        )
    return pd.DataFrame(rows, columns=_TABLE_1)


def drops(results: Results) -> pd.DataFrame:
    """How far frozen transfer AnB falls below base at the deepest n that has been tried, by split type.

    ``drop`` corresponds to the paper's 8 % (random halves) and 25 % (man-made/natural) at n = 7: the mean accuracy of
    all bases of such splits minus that of all AnB, as a fraction of 1. ``relative`` is that drop as a fraction of the
    bases' mean, and ``paired`` the mean difference between each network and its own base.
    """
    accuracies, rows = results.accuracies, []
    for split_type in TYPES_OF_HALVES:
        everything = of_the_paper(accuracies[accuracies["split_type"] == split_type])
        depths = everything.loc[everything["treatment"] == "transfer", "n"]
        if depths.empty:
            continue
        n = int(depths.max())
        of_type = everything[~meaningless(everything)]
        transfer = of_type[_has(of_type, "transfer", (n, n))]
        base, mean = _mean(of_type, "base"), transfer["accuracy"].mean()
        pairs = paired_differences(of_type, "base", "transfer")
        rows.append(
            {
                "split_type": split_type,
                "n": n,
                "networks": len(transfer),
                "base": base,
                "transfer": mean,
                "drop": base - mean,
                "relative": (base - mean) / base,
                "paired": pairs.loc[pairs["n"] == n, "difference"].mean(),
                "left_out": int((depths == n).sum()) - len(transfer),
            }
        )
    return pd.DataFrame(rows, columns=_DROPS)


def _has(accuracies: pd.DataFrame, treatment: str, layers: tuple[int, int]) -> pd.Series:
    """Which networks have a given treatment and a depth in a range, including both ends."""
    return (accuracies["treatment"] == treatment) & accuracies["n"].between(*layers)


def _base_of(accuracies: pd.DataFrame) -> NDArray[np.float64]:
    """The accuracy of each network's base, in the order of the accuracies."""
    bases = accuracies[accuracies["treatment"] == "base"].set_index(["split", "network", "seed"])["accuracy"]
    keys = pd.MultiIndex.from_frame(accuracies[["split", "base", "seed"]])
    return bases.reindex(keys).to_numpy(dtype=np.float64)


def _mean(accuracies: pd.DataFrame, treatment: str) -> float:
    return float(accuracies.loc[accuracies["treatment"] == treatment, "accuracy"].mean())
