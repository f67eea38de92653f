"""Tables made from accuracies: means by treatment and depth, the paper's Table 1, and paired effects.

Wherever a ``statistic`` is asked for, it is a column of the accuracies. The paper's is ``top1_mean_best10``, the
mean of a network's ten best evaluations: it selects on the validation set and so is a little too good, for every
network alike. ``top1_final`` does not select.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transferability.splits import GROUPED, RANDOM

LAYER_RANGES = ((1, 7), (3, 7), (5, 7))  # of the paper's Table 1

# Each effect is the mean of (first - second) over pairs of networks of the same split, target, seed and n.
EFFECTS: Mapping[str, tuple[str, str]] = {
    "co-adaptation loss": ("base", "selffer"),
    "specificity loss": ("selffer", "transfer"),
    "total loss": ("base", "transfer"),
    "transfer gain": ("transfer+", "base"),
    "retraining gain": ("selffer+", "base"),
    "random filter loss": ("base", "random"),
}
RESAMPLES = 10_000


def summarise(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """By kind of split, treatment and n: number of networks, spread of their accuracy, difference to base."""
    differences = accuracies.assign(difference=accuracies[statistic] - _base_of(accuracies, statistic))
    groups = differences.groupby(["kind", "treatment", "n"], dropna=False, sort=False)
    table = groups.agg(
        networks=(statistic, "size"),
        mean=(statistic, "mean"),
        standard_deviation=(statistic, "std"),
        minimum=(statistic, "min"),
        maximum=(statistic, "max"),
        mean_difference_to_base=("difference", "mean"),
    )
    return table.reset_index().sort_values(["kind", "treatment", "n"], ignore_index=True)


def table1(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """The paper's Table 1: by how much AnB+ beats base and BnB+, over ranges of layers, on random splits.

    The paper's formula compares flat means over networks: of all AnB+ in the range with all bases, and with all
    BnB+ in the range. Beside it stands the mean of paired differences, each AnB+ with the base, and with the BnB+,
    of its own split, target, seed (and n): halves differ in difficulty, and pairing takes that out.
    """
    accuracies = accuracies[accuracies["kind"] == RANDOM]
    rows = []
    for first, last in LAYER_RANGES:
        in_range = accuracies[accuracies["n"].between(first, last)]
        gain = {other: paired_differences(accuracies, "transfer+", other, statistic) for other in ("base", "selffer+")}
        means = {name: _mean(in_range, name, statistic) for name in ("transfer+", "selffer+")}
        rows.append(
            {
                "layers": f"{first}-{last}",
                "networks": int((in_range["treatment"] == "transfer+").sum()),
                "over_base": means["transfer+"] - _mean(accuracies, "base", statistic),
                "over_selffer+": means["transfer+"] - means["selffer+"],
                "over_base_paired": _mean_in_range(gain["base"], first, last),
                "over_selffer+_paired": _mean_in_range(gain["selffer+"], first, last),
            }
        )
    return pd.DataFrame(rows)


def paired_differences(accuracies: pd.DataFrame, first: str, second: str, statistic: str) -> pd.DataFrame:
    """For each pair of networks of the same split, target, seed and n (a base has every n): first minus second.

    Columns: split, kind, target, seed, n, difference. Networks without a partner are left out.
    """
    key = ["split", "kind", "target", "seed"]
    sides = {}
    for treatment in (first, second):
        rows = accuracies[accuracies["treatment"] == treatment]
        sides[treatment] = rows[[*key, *([] if treatment == "base" else ["n"]), statistic]]
    on = key if "base" in (first, second) else [*key, "n"]
    pairs = sides[first].merge(sides[second], on=on, suffixes=("_first", "_second"))
    pairs["difference"] = pairs[f"{statistic}_first"] - pairs[f"{statistic}_second"]
    return pairs[[*key, "n", "difference"]]


def paired_effects(accuracies: pd.DataFrame, statistic: str, seed: int = 0) -> pd.DataFrame:
    """`EFFECTS` by kind of split and n: mean of paired differences, with a 95 % bootstrap interval.

    The bootstrap resamples whole splits, and seeds within them, since networks of a split share their classes and
    those of a seed their base; the interval is the percentile one, and empty where there is only one split and seed.
    """
    rows = []
    for effect, (first, second) in EFFECTS.items():
        pairs = paired_differences(accuracies, first, second, statistic)
        for (kind, n), group in pairs.groupby(["kind", "n"], sort=True):
            low, high = _bootstrap_interval(group, np.random.default_rng(seed))
            rows.append(
                {
                    "effect": effect,
                    "kind": kind,
                    "n": n,
                    "pairs": len(group),
                    "splits": group["split"].nunique(),
                    "mean": group["difference"].mean(),
                    "low": low,
                    "high": high,
                }
            )
    return pd.DataFrame(rows, columns=["effect", "kind", "n", "pairs", "splits", "mean", "low", "high"])


def headline(accuracies: pd.DataFrame, statistic: str) -> str:
    """A few lines that say what the study found."""
    lines = [f"{len(accuracies)} networks; accuracy is {statistic}, differences are in points, paired with each base"]
    deepest = accuracies["n"].max()
    for kind, halves in ((RANDOM, "random halves"), (GROUPED, "dissimilar halves")):
        of_kind = accuracies[accuracies["kind"] == kind]
        bases = of_kind[of_kind["treatment"] == "base"]
        if bases.empty:
            continue
        lines.append(f"{halves}: base {100 * bases[statistic].mean():.1f} %")
        for treatment, what in (
            ("selffer", f"own frozen features, B{deepest}B"),
            ("transfer", f"other half's frozen features, A{deepest}B"),
            ("random", f"random frozen features, R{deepest}B"),
        ):
            pairs = paired_differences(of_kind, treatment, "base", statistic)
            at_depth = pairs.loc[pairs["n"] == deepest, "difference"]
            if len(at_depth):
                lines.append(f"  {what + ':':44} {100 * at_depth.mean():+6.1f}")
        gains = paired_differences(of_kind, "transfer+", "base", statistic)["difference"]
        if len(gains):
            lines.append(f"  {'fine-tuned transfer, AnB+, mean over n:':44} {100 * gains.mean():+6.1f}")
    return "\n".join(lines) + "\n"


def _base_of(accuracies: pd.DataFrame, statistic: str) -> NDArray[np.float64]:
    """The statistic of each network's base, in the order of the accuracies."""
    bases = accuracies[accuracies["treatment"] == "base"].set_index(["split", "target", "seed"])[statistic]
    keys = pd.MultiIndex.from_frame(accuracies[["split", "target", "seed"]])
    return bases.reindex(keys).to_numpy(dtype=np.float64)


def _mean(accuracies: pd.DataFrame, treatment: str, statistic: str) -> float:
    return float(accuracies.loc[accuracies["treatment"] == treatment, statistic].mean())


def _mean_in_range(pairs: pd.DataFrame, first: int, last: int) -> float:
    return float(pairs.loc[pairs["n"].between(first, last), "difference"].mean())


def _bootstrap_interval(pairs: pd.DataFrame, random: np.random.Generator) -> tuple[float, float]:
    by_split = [_sums_by_seed(group) for _, group in pairs.groupby("split", sort=True)]
    if len(by_split) == 1 and len(by_split[0]) == 1:
        return float("nan"), float("nan")
    totals = np.zeros((RESAMPLES, 2))
    drawn = random.integers(len(by_split), size=(RESAMPLES, len(by_split)))
    for position in range(len(by_split)):
        for index, seeds in enumerate(by_split):
            chosen = np.flatnonzero(drawn[:, position] == index)
            picks = random.integers(len(seeds), size=(len(chosen), len(seeds)))
            totals[chosen] += seeds[picks].sum(axis=1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
    return float(low), float(high)


def _sums_by_seed(pairs: pd.DataFrame) -> NDArray[np.float64]:
    """Sum and count of the differences of each seed: seeds x 2."""
    table = pairs.groupby("seed", sort=True)["difference"].agg(["sum", "size"])
    return table.to_numpy(dtype=np.float64)


def missing_networks(accuracies: pd.DataFrame, expected: Sequence[tuple[str, int, str]]) -> pd.DataFrame:
    """Which of the expected networks, (split, seed, name), have no accuracy; they are reported, never filled in."""
    there = set(accuracies[["split", "seed", "network"]].itertuples(index=False, name=None))
    return pd.DataFrame([e for e in expected if e not in there], columns=["split", "seed", "network"])
