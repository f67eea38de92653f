"""Networks paired by split, target, seed, number of images and n: differences, and intervals of their mean.

Networks that preserve layers above the frozen ones do not belong to the paper's treatments, and so are in no pair.
Those with a plan for every layer have treatments of their own.
Accuracies are those of `transferability.results.accuracies.by_metric`.
"""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from transferability.results.unlearned import meaningless
from transferability.study.names import COPYING, WHOLE
from transferability.study.split_types import TYPES_OF_HALVES

# Treatments with layers that were trained before.
REUSING = tuple(treatment for treatment in COPYING if not treatment.startswith("random"))
CONFIDENCE = 0.95  # of every interval
NO_INTERVAL = "no interval"
MEANS = ["split_type", "n", "pairs", "splits", "mean", "low", "high", "left_out"]  # of `means_with_intervals`


def compared_types(accuracies: pd.DataFrame) -> list[str]:
    """The split types to report and draw, in order: those of halves, and the whole set if layers are reused there.

    Otherwise the whole set only has the bases of random or reduced networks that are trained on it, as in the paper.
    """
    of_whole = accuracies[accuracies["split_type"] == WHOLE]
    reused = bool(of_whole["treatment"].isin(REUSING).any())
    return [*TYPES_OF_HALVES, *[WHOLE] * reused]


def of_the_paper(accuracies: pd.DataFrame) -> pd.DataFrame:
    """The networks that preserve no layers above the frozen ones, including those with a plan (``copied`` is empty)."""
    preserve_none = accuracies["copied"].isna() | (accuracies["copied"] == accuracies["n"])
    return accuracies[preserve_none.fillna(False).astype(bool)]


def paired_differences(accuracies: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """First minus second for each pair with the same split, target, seed, images and n (a base pairs with every n).

    Columns: split, split_type, target, seed, examples_per_class, n, the accuracies first and second, difference.
    Networks without a partner are left out, and so are pairs in which either network is `meaningless`.
    """
    pairs = all_pairs(accuracies, first, second)
    return pairs[~pairs["left_out"]].drop(columns="left_out").reset_index(drop=True)


def all_pairs(accuracies: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """As `paired_differences`, but with the meaningless pairs, which the column ``left_out`` marks."""
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
    """The n at which there are pairs but all of them are meaningless."""
    dead = all_pairs(accuracies, first, second).groupby("n")["left_out"].all()
    return [int(n) for n in dead.index[dead]]


def means_with_intervals(pairs: pd.DataFrame) -> pd.DataFrame:
    """The mean difference of `all_pairs` by split type and n, with its interval: columns `MEANS`.

    Pairs in which a network lacks the compared value are not counted.
    """
    rows = []
    for (split_type, n), everything in pairs.groupby(["split_type", "n"], sort=True):
        group = everything[~everything["left_out"] & everything["difference"].notna()]
        splits, mean = group["split"].nunique(), group["difference"].mean()
        rows.append((split_type, n, len(group), splits, mean, *interval(group), everything["left_out"].sum()))
    return pd.DataFrame(rows, columns=MEANS)


def interval(pairs: pd.DataFrame) -> tuple[float, float]:
    """95 % interval of the mean difference: Student's t over splits, or over the seeds of a single split.

    The standard error is cluster-robust, so splits need not have the same number of pairs. Pairs of one split and seed
    have no interval: both ends are NaN.
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
