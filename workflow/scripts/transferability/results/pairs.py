"""Networks paired with those of the same split, target, seed, images and n: differences, and intervals of the mean.

Networks that preserve layers above the frozen ones have no part in the paper's treatments, and so are in no pair.
Accuracies are those of `transferability.results.accuracies.by_metric`.
"""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from transferability.results.accuracies import meaningless

CONFIDENCE = 0.95  # of all intervals
MEANS = ["split_type", "n", "pairs", "splits", "mean", "low", "high", "left_out"]  # of `means_with_intervals`


def of_the_paper(accuracies: pd.DataFrame) -> pd.DataFrame:
    """The networks that preserve no layers above the frozen ones."""
    return accuracies[accuracies["copied"] == accuracies["n"]]


def paired_differences(accuracies: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """For each pair of networks of the same split, target, seed, images and n (a base has every n): first minus second.

    Columns: split, split_type, target, seed, examples_per_class, n, the accuracies first and second, difference.
    Networks without a partner are left out, and pairs that a base at chance makes meaningless.
    """
    pairs = all_pairs(accuracies, first, second)
    return pairs[~pairs["left_out"]].drop(columns="left_out").reset_index(drop=True)


def all_pairs(accuracies: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """As `paired_differences`, with the meaningless pairs, which the column ``left_out`` tells."""
    key = ["split", "split_type", "target", "seed", "examples_per_class"]
    accuracies = of_the_paper(accuracies)
    accuracies = accuracies.assign(left_out=meaningless(accuracies))
    sides = {}
    for treatment in (first, second):
        rows = accuracies[accuracies["treatment"] == treatment]
        sides[treatment] = rows[[*key, *([] if treatment == "base" else ["n"]), "accuracy", "left_out"]]
    on = key if "base" in (first, second) else [*key, "n"]
    pairs = sides[first].merge(sides[second], on=on, suffixes=("_first", "_second"))
    pairs = pairs.rename(columns={"accuracy_first": "first", "accuracy_second": "second"})
    pairs["difference"] = pairs["first"] - pairs["second"]
    pairs["left_out"] = pairs["left_out_first"] | pairs["left_out_second"]
    return pairs[[*key, "n", "first", "second", "difference", "left_out"]]


def dead_depths(accuracies: pd.DataFrame, first: str, second: str) -> list[int]:
    """The n at which there are pairs, but bases at chance make all of them meaningless."""
    dead = all_pairs(accuracies, first, second).groupby("n")["left_out"].all()
    return [int(n) for n in dead.index[dead]]


def means_with_intervals(pairs: pd.DataFrame) -> pd.DataFrame:
    """The mean of `all_pairs` by split type and n, with its interval: columns `MEANS`.

    Pairs of which a network lacks what is compared are not counted.
    """
    rows = []
    for (split_type, n), everything in pairs.groupby(["split_type", "n"], sort=True):
        group = everything[~everything["left_out"] & everything["difference"].notna()]
        splits, mean = group["split"].nunique(), group["difference"].mean()
        rows.append((split_type, n, len(group), splits, mean, *interval(group), everything["left_out"].sum()))
    return pd.DataFrame(rows, columns=MEANS)


def interval(pairs: pd.DataFrame) -> tuple[float, float]:
    """95 % interval of the mean difference: Student's t over splits, or over the seeds of a single split.

    Its standard error is the cluster-robust one, so that splits need not have the same number of pairs. Pairs of one
    split and seed have none: both ends are NaN.
    """
    by = "split" if pairs["split"].nunique() > 1 else "seed"
    mean = pairs["difference"].mean()
    residuals = (pairs["difference"] - mean).groupby(pairs[by]).sum().to_numpy(np.float64)
    freedom = len(residuals) - 1
    if freedom < 1:
        return float("nan"), float("nan")
    error = np.sqrt((residuals**2).sum() * len(residuals) / freedom) / len(pairs)
    half = stdtrit(freedom, (1 + CONFIDENCE) / 2) * error
    return float(mean - half), float(mean + half)
