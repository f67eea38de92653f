"""Tables made from accuracies: means by treatment and depth, the paper's Table 1, and paired effects.

Wherever a ``statistic`` is asked for, it is a column of the accuracies. The paper's is ``top1_mean_best10``, the
mean of a network's ten best evaluations: it selects on the validation set and so is a little too good, for every
network alike. ``top1_final`` does not select.

Networks that preserve layers above the frozen ones have no part in the paper's treatments: `summarise` gives them rows
of their own, the other tables leave them out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transferability.names import COPYING, DEEPEST_CUT, HALVES, LAYER_NAMES, TREATMENTS, Network, Series
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
# Student's t for a 95 % interval by degrees of freedom, 1 to 30; beyond, the last, which is at most 5 % too wide.
STUDENT_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)

_MEANS = ["kind", "n", "pairs", "splits", "mean", "low", "high"]

# How layers of the other half's base can be used: frozen, or fine-tuned with the rest.
WAYS_OF_REUSE: Mapping[str, str] = {"transfer": "frozen", "transfer+": "fine-tuned"}

ANY = "any"


def summarise(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """By kind of split, treatment and n: number of networks, spread of their accuracy, difference to base.

    Reduced networks have a row for each number of examples, and networks that preserve layers for each number of those.
    """
    differences = accuracies.assign(
        difference=accuracies[statistic] - _base_of(accuracies, statistic),
        preserved=accuracies["copied"] - accuracies["n"],
    )
    by = ["kind", "treatment", "n", "preserved", "examples_per_class"]
    groups = differences.groupby(by, dropna=False, sort=False)
    table = groups.agg(
        networks=(statistic, "size"),
        mean=(statistic, "mean"),
        standard_deviation=(statistic, "std"),
        minimum=(statistic, "min"),
        maximum=(statistic, "max"),
        mean_difference_to_base=("difference", "mean"),
    )
    return table.reset_index().sort_values(by, ignore_index=True)


def table1(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """The paper's Table 1: by how much AnB+ beats base and BnB+, over ranges of layers, on random splits.

    The paper's formula, in ``over_base`` and ``over_selffer+``, compares flat means over networks: of all AnB+ in the
    range with all bases, and with all BnB+ in the range. Halves differ in difficulty, so where the networks are not of
    the same halves, that too is in these numbers. Free of it are:

    - ``over_base_paired``: the mean over AnB+ of its accuracy less that of its own base, of the same split, target and
      seed, with an interval as in `paired_effects`;
    - ``over_selffer+_paired``: each AnB+ less the BnB+ of the same split, target, seed and n; empty without such pairs;
    - ``gain_over_selffer+``: the mean gain of AnB+ over its own base, less that of BnB+ over its own. It needs no
      pairs, so it can be had where the two were trained for different halves.
    """
    accuracies = of_the_paper(accuracies[accuracies["kind"] == RANDOM])
    gain = {
        (first, second): paired_differences(accuracies, first, second, statistic)
        for first, second in (("transfer+", "base"), ("transfer+", "selffer+"), ("selffer+", "base"))
    }
    rows = []
    for layers in LAYER_RANGES:
        in_range = accuracies[accuracies["n"].between(*layers)]
        mean = {name: _mean(in_range, name, statistic) for name in ("transfer+", "selffer+")}
        pairs = {which: table[table["n"].between(*layers)] for which, table in gain.items()}
        over_base = pairs["transfer+", "base"]
        low, high = _interval(over_base)
        rows.append(
            {
                "layers": "{}-{}".format(*layers),
                "networks": int((in_range["treatment"] == "transfer+").sum()),
                "over_base": mean["transfer+"] - _mean(accuracies, "base", statistic),
                "over_selffer+": mean["transfer+"] - mean["selffer+"],
                "over_base_paired": over_base["difference"].mean(),
                "over_base_paired_low": low,
                "over_base_paired_high": high,
                "over_selffer+_paired": pairs["transfer+", "selffer+"]["difference"].mean(),
                "gain_over_selffer+": over_base["difference"].mean() - pairs["selffer+", "base"]["difference"].mean(),
            }
        )
    return pd.DataFrame(rows)


def drops(accuracies: pd.DataFrame, statistic: str, n: int = DEEPEST_CUT) -> pd.DataFrame:
    """By kind of split: how much less frozen transfer AnB reaches than base.

    The paper's 8 % (random halves) and 25 % (man-made/natural) at n = 7 are ``drop``: the mean of all bases of such
    splits less the mean of all AnB, in points of accuracy. ``relative`` is that drop as a share of the bases' mean,
    and ``paired`` the mean of the differences of each network to its own base.
    """
    rows = []
    for kind in (RANDOM, GROUPED):
        of_kind = of_the_paper(accuracies[accuracies["kind"] == kind])
        transfer = of_kind[(of_kind["treatment"] == "transfer") & (of_kind["n"] == n)]
        if transfer.empty:
            continue
        base, mean = _mean(of_kind, "base", statistic), transfer[statistic].mean()
        pairs = paired_differences(of_kind, "base", "transfer", statistic)
        rows.append(
            {
                "kind": kind,
                "n": n,
                "networks": len(transfer),
                "base": base,
                "transfer": mean,
                "drop": base - mean,
                "relative": (base - mean) / base,
                "paired": pairs.loc[pairs["n"] == n, "difference"].mean(),
            }
        )
    return pd.DataFrame(rows, columns=["kind", "n", "networks", "base", "transfer", "drop", "relative", "paired"])


def paired_differences(accuracies: pd.DataFrame, first: str, second: str, statistic: str) -> pd.DataFrame:
    """For each pair of networks of the same split, target, seed and n (a base has every n): first minus second.

    Columns: split, kind, target, seed, n, the accuracies first and second, difference. Networks without a partner are
    left out.
    """
    key = ["split", "kind", "target", "seed"]
    accuracies = of_the_paper(accuracies)
    sides = {}
    for treatment in (first, second):
        rows = accuracies[accuracies["treatment"] == treatment]
        sides[treatment] = rows[[*key, *([] if treatment == "base" else ["n"]), statistic]]
    on = key if "base" in (first, second) else [*key, "n"]
    pairs = sides[first].merge(sides[second], on=on, suffixes=("_first", "_second"))
    pairs = pairs.rename(columns={f"{statistic}_first": "first", f"{statistic}_second": "second"})
    pairs["difference"] = pairs["first"] - pairs["second"]
    return pairs[[*key, "n", "first", "second", "difference"]]


def paired_effects(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """`EFFECTS` by kind of split and n: mean of paired differences, with a 95 % interval, ``low`` to ``high``.

    Networks of a split share their classes and those of a seed their base, so what counts as one observation is a
    split, or, where there is only one split, a seed. The interval is Student's t over those; it is empty where there
    is one split and seed, and tells only of that split's classes where there is one split. A percentile bootstrap over
    so few would be far too narrow: one that says 95 % holds the true mean in 50, 73, 80, 83 and 89 % of all cases for
    2, 3, 4, 5 and 9 splits.
    """
    tables = []
    for effect, (first, second) in EFFECTS.items():
        pairs = paired_differences(accuracies, first, second, statistic)
        tables.append(_means_with_intervals(pairs).assign(effect=effect))
    return pd.concat(tables, ignore_index=True)[["effect", *_MEANS]]


def reusable(accuracies: pd.DataFrame, statistic: str, tolerated_loss: float) -> pd.DataFrame:
    """Whether the lowest n layers can be copied from the other half at no more than a tolerated loss of accuracy.

    A row a kind of split, n and way of copying: ``transfer`` for frozen layers, ``transfer+`` for fine-tuned ones. The
    loss is that of the network against its own base, paired, with its interval as in `paired_effects`; it is negative
    where copying gains. ``layer`` is the deepest that is copied.

    Args:
        accuracies: as `transferability.accuracies.collect` makes them.
        statistic: the column that is compared.
        tolerated_loss: in accuracy, so 0.02 for 2 points.

    Returns:
        Columns kind, n, layer, treatment, pairs, splits, loss, low, high, verdict, certain. The verdict is ``within``
        if the mean loss is at most the tolerated one, else ``beyond``; it is certain if the whole interval is on that
        side, and so never where one split and seed give no interval. Where a base is at chance it is empty.
    """
    tables = []
    for treatment in WAYS_OF_REUSE:
        pairs = paired_differences(accuracies, "base", treatment, statistic)
        tables.append(_means_with_intervals(pairs).assign(treatment=treatment))
    table = pd.concat(tables, ignore_index=True).rename(columns={"mean": "loss"})
    table["layer"] = [LAYER_NAMES[n - 1] for n in table["n"]]
    within = table["loss"] <= tolerated_loss
    table["verdict"] = within.map({True: "within", False: "beyond"})
    table["certain"] = (table["high"] <= tolerated_loss) | (table["low"] > tolerated_loss)
    key = ["kind", "n", "treatment"]
    flagged = set(accuracies.loc[accuracies["flag"].notna(), key].itertuples(index=False, name=None))
    meaningless = [row in flagged for row in table[key].itertuples(index=False, name=None)]
    table.loc[meaningless, ["verdict", "certain"]] = [None, False]
    columns = ["kind", "n", "layer", "treatment", "pairs", "splits", "loss", "low", "high", "verdict", "certain"]
    return table.sort_values(key, ignore_index=True)[columns]


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


def _base_of(accuracies: pd.DataFrame, statistic: str) -> NDArray[np.float64]:
    """The statistic of each network's base, in the order of the accuracies."""
    bases = accuracies[accuracies["treatment"] == "base"].set_index(["split", "target", "seed"])[statistic]
    keys = pd.MultiIndex.from_frame(accuracies[["split", "target", "seed"]])
    return bases.reindex(keys).to_numpy(dtype=np.float64)


def _mean(accuracies: pd.DataFrame, treatment: str, statistic: str) -> float:
    return float(accuracies.loc[accuracies["treatment"] == treatment, statistic].mean())


def of_the_paper(accuracies: pd.DataFrame) -> pd.DataFrame:
    """The networks that preserve no layers above the frozen ones."""
    return accuracies[accuracies["copied"] == accuracies["n"]]


def _means_with_intervals(pairs: pd.DataFrame) -> pd.DataFrame:
    """The mean of paired differences by kind of split and n, with its interval: columns `_MEANS`."""
    rows = []
    for (kind, n), group in pairs.groupby(["kind", "n"], sort=True):
        splits, mean = group["split"].nunique(), group["difference"].mean()
        rows.append((kind, n, len(group), splits, mean, *_interval(group)))
    return pd.DataFrame(rows, columns=_MEANS)


def _interval(pairs: pd.DataFrame) -> tuple[float, float]:
    """95 % interval of the mean difference: Student's t over splits, or over the seeds of a single split.

    Its standard error is the cluster-robust one, so that splits need not have the same number of pairs.
    """
    by = "split" if pairs["split"].nunique() > 1 else "seed"
    mean = pairs["difference"].mean()
    residuals = (pairs["difference"] - mean).groupby(pairs[by]).sum().to_numpy(np.float64)
    freedom = len(residuals) - 1
    if freedom < 1:
        return float("nan"), float("nan")
    error = np.sqrt((residuals**2).sum() * len(residuals) / freedom) / len(pairs)
    half = STUDENT_T[min(freedom, len(STUDENT_T)) - 1] * error
    return float(mean - half), float(mean + half)


def missing_networks(accuracies: pd.DataFrame, expected: Sequence[tuple[str, int, str]]) -> pd.DataFrame:
    """Which of the expected networks, (split, seed, name), have no accuracy; they are reported, never filled in."""
    there = set(accuracies[["split", "seed", "network"]].itertuples(index=False, name=None))
    return pd.DataFrame([e for e in expected if e not in there], columns=["split", "seed", "network"])


def full_design(accuracies: pd.DataFrame) -> list[tuple[str, int, str]]:
    """The networks that would make published accuracies complete, (split, seed, name), for `missing_networks`.

    For each kind of split they are the bases, every series that one of its splits has, in both directions and at every
    n that there is, and every reduced network, in all of its splits and seeds: that random halves were fine-tuned
    does not mean that dissimilar ones should have been.
    """
    design = []
    depths = sorted({int(n) for n in accuracies["n"] if n > 0})
    for _, of_kind in accuracies.groupby("kind", sort=True):
        networks = [Network.parse(name) for name in of_kind["network"].unique()]
        series = {either for network in networks if network.source for either in _both_directions(network.series)}
        complete = {Network(target) for network in networks for target in _mirrors(network.target)}
        complete |= {one.at(n) for one in series for n in depths if n + one.preserved <= DEEPEST_CUT}
        complete |= {network for network in networks if network.examples_per_class}
        names = [network.name for network in sorted(complete, key=_by_treatment)]
        design += list(product(of_kind["split"].unique(), map(int, of_kind["seed"].unique()), names))
    return design


def compare(ours: pd.DataFrame, published: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """Two studies side by side: differences to base by treatment, kind of split and n, of each and between them.

    ``relative`` differences are shares of the base's accuracy, for data sets on which bases differ. Columns end in
    ``_ours`` and ``_published``; where one study has no such networks, they are empty. Random filters know no classes,
    so their networks are compared over all kinds of splits: the paper has them for the whole set only.
    """
    key = ["treatment", "kind", "n"]
    tables = [differences_to_base(accuracies, statistic) for accuracies in (ours, published)]
    table = tables[0].merge(tables[1], on=key, how="outer", suffixes=("_ours", "_published"))
    for name in ("difference", "relative"):
        table[f"{name}_ours_less_published"] = table[f"{name}_ours"] - table[f"{name}_published"]
    return table.sort_values(key, key=_in_order, ignore_index=True)


def differences_to_base(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """By treatment, kind of split (``any`` for random filters) and n: networks, mean difference to the own base.

    Columns: treatment, kind, n, networks, difference, relative (to the own base's accuracy).
    """
    tables = []
    for treatment in COPYING:
        pairs = paired_differences(accuracies, treatment, "base", statistic)
        pairs["relative"] = pairs["difference"] / pairs["second"]
        if treatment.startswith("random"):
            pairs["kind"] = ANY
        means = pairs.groupby(["kind", "n"]).agg(
            networks=("difference", "size"), difference=("difference", "mean"), relative=("relative", "mean")
        )
        tables.append(means.reset_index().assign(treatment=treatment))
    return pd.concat(tables, ignore_index=True)[["treatment", "kind", "n", "networks", "difference", "relative"]]


def _both_directions(series: Series) -> tuple[Series, Series]:
    mirror = {"A": "B", "B": "A"}
    source, target = (mirror.get(part, part) for part in (series.source, series.target))
    return series, replace(series, source=source, target=target)


def _mirrors(target: str) -> tuple[str, ...]:
    return HALVES if target in HALVES else (target,)


def _by_treatment(network: Network) -> tuple[int, str, int, int]:
    return TREATMENTS.index(network.treatment), network.target, network.n, network.copied


def _in_order(column: pd.Series) -> pd.Series:
    return column.map(TREATMENTS.index) if column.name == "treatment" else column
