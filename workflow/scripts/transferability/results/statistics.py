"""Tables made from accuracies: means by treatment and depth, the paper's Table 1, and paired effects.

Wherever a ``statistic`` is asked for, it is a column of the accuracies. The paper's is ``top1_mean_best10``, the
mean of a network's ten best evaluations: it selects on the validation set and so is a little too good, for every
network alike. ``top1_final`` does not select.

Networks that preserve layers above the frozen ones have no part in the paper's treatments: `summarise` gives them rows
of their own, the other tables leave them out.

Networks that a base at chance makes meaningless (`transferability.results.accuracies.meaningless`) are in no mean,
interval or verdict of any table; ``left_out`` counts them. Where they are all that there is, the row stays and is
empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from transferability.networks.architectures import DEEPEST_CUT, LAYER_NAMES
from transferability.results.accuracies import doubtful, meaningless, require_statistic
from transferability.study.names import COPYING, GROUPED, HALVES, RANDOM, TREATMENTS, Network, Series

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
CONFIDENCE = 0.95  # of all intervals

_MEANS = ["kind", "n", "pairs", "splits", "mean", "low", "high", "left_out"]

_TABLE_1 = [
    *("layers", "depths", "networks", "over_base", "over_selffer+"),
    *("over_base_paired", "over_base_paired_low", "over_base_paired_high", "over_selffer+_paired"),
    *("gain_over_selffer+", "left_out"),
]
_DROPS = ["kind", "n", "networks", "base", "transfer", "drop", "relative", "paired", "left_out"]

# How layers of the other half's base can be used: frozen, or fine-tuned with the rest.
WAYS_OF_REUSE: Mapping[str, str] = {"transfer": "frozen", "transfer+": "fine-tuned"}

ANY = "any"


def summarise(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """By kind of split, treatment and n: number of networks, spread of their accuracy, difference to base.

    Reduced networks have a row for each number of examples, and networks that preserve layers for each number of those.
    ``at_chance`` counts the networks that are at chance themselves though their bases are not: means have them.
    """
    dead = meaningless(accuracies)
    differences = accuracies.assign(
        counted=accuracies[statistic].mask(dead),
        difference=(accuracies[statistic] - _base_of(accuracies, statistic)).mask(dead),
        preserved=accuracies["copied"] - accuracies["n"],
        left_out=dead,
        guesses=accuracies["at_chance"].fillna(False).astype(bool) & ~dead,
    )
    by = ["kind", "treatment", "n", "preserved", "examples_per_class"]
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


def table1(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """The paper's Table 1: by how much AnB+ beats base and BnB+, over ranges of layers, on random splits.

    ``depths`` are the n of a range that have been tried; a range without any has no row.

    The paper's formula, in ``over_base`` and ``over_selffer+``, compares flat means over networks: of all AnB+ in the
    range with all bases, and with all BnB+ in the range. Halves differ in difficulty, so where the networks are not of
    the same halves, that too is in these numbers. Free of it are:

    - ``over_base_paired``: the mean over AnB+ of its accuracy less that of its own base, of the same split, target and
      seed, with an interval as in `paired_effects`;
    - ``over_selffer+_paired``: each AnB+ less the BnB+ of the same split, target, seed and n; empty without such pairs;
    - ``gain_over_selffer+``: the mean gain of AnB+ over its own base, less that of BnB+ over its own. It needs no
      pairs, so it can be had where the two were trained for different halves.
    """
    everything = of_the_paper(accuracies[accuracies["kind"] == RANDOM])
    accuracies = everything[~meaningless(everything)]
    gain = {
        (first, second): paired_differences(accuracies, first, second, statistic)
        for first, second in (("transfer+", "base"), ("transfer+", "selffer+"), ("selffer+", "base"))
    }
    rows = []
    for layers in LAYER_RANGES:
        of_range = everything[_has(everything, "transfer+", layers)]
        if of_range.empty:
            continue
        in_range = accuracies[accuracies["n"].between(*layers)]
        networks = int(_has(accuracies, "transfer+", layers).sum())
        mean = {name: _mean(in_range, name, statistic) for name in ("transfer+", "selffer+")}
        pairs = {which: table[table["n"].between(*layers)] for which, table in gain.items()}
        over_base = pairs["transfer+", "base"]
        low, high = _interval(over_base)
        rows.append(
            {
                "layers": "{}-{}".format(*layers),
                "depths": ", ".join(map(str, sorted(of_range["n"].unique()))),
                "networks": networks,
                "left_out": len(of_range) - networks,
                "over_base": mean["transfer+"] - _mean(accuracies, "base", statistic),
                "over_selffer+": mean["transfer+"] - mean["selffer+"],
                "over_base_paired": over_base["difference"].mean(),
                "over_base_paired_low": low,
                "over_base_paired_high": high,
                "over_selffer+_paired": pairs["transfer+", "selffer+"]["difference"].mean(),
                "gain_over_selffer+": over_base["difference"].mean() - pairs["selffer+", "base"]["difference"].mean(),
            }
        )
    return pd.DataFrame(rows, columns=_TABLE_1)


def _has(accuracies: pd.DataFrame, treatment: str, layers: tuple[int, int]) -> pd.Series:
    """Which networks are of a treatment and of a depth in a range, both ends of which belong to it."""
    return (accuracies["treatment"] == treatment) & accuracies["n"].between(*layers)


def drops(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """By kind of split: how much less frozen transfer AnB reaches than base, at the deepest n that has been tried.

    The paper's 8 % (random halves) and 25 % (man-made/natural) at n = 7 are ``drop``: the mean of all bases of such
    splits less the mean of all AnB, in points of accuracy. ``relative`` is that drop as a share of the bases' mean,
    and ``paired`` the mean of the differences of each network to its own base.
    """
    rows = []
    for kind in (RANDOM, GROUPED):
        everything = of_the_paper(accuracies[accuracies["kind"] == kind])
        depths = everything.loc[everything["treatment"] == "transfer", "n"]
        if depths.empty:
            continue
        n = int(depths.max())
        of_kind = everything[~meaningless(everything)]
        transfer = of_kind[_has(of_kind, "transfer", (n, n))]
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
                "left_out": int((depths == n).sum()) - len(transfer),
            }
        )
    return pd.DataFrame(rows, columns=_DROPS)


def paired_differences(accuracies: pd.DataFrame, first: str, second: str, statistic: str) -> pd.DataFrame:
    """For each pair of networks of the same split, target, seed and n (a base has every n): first minus second.

    Columns: split, kind, target, seed, n, the accuracies first and second, difference. Networks without a partner are
    left out, and pairs that a base at chance makes meaningless.
    """
    pairs = all_pairs(accuracies, first, second, statistic)
    return pairs[~pairs["left_out"]].drop(columns="left_out").reset_index(drop=True)


def all_pairs(accuracies: pd.DataFrame, first: str, second: str, statistic: str) -> pd.DataFrame:
    """As `paired_differences`, with the meaningless pairs, which the column ``left_out`` tells."""
    key = ["split", "kind", "target", "seed"]
    accuracies = of_the_paper(accuracies)
    accuracies = accuracies.assign(left_out=meaningless(accuracies))
    sides = {}
    for treatment in (first, second):
        rows = accuracies[accuracies["treatment"] == treatment]
        sides[treatment] = rows[[*key, *([] if treatment == "base" else ["n"]), statistic, "left_out"]]
    on = key if "base" in (first, second) else [*key, "n"]
    pairs = sides[first].merge(sides[second], on=on, suffixes=("_first", "_second"))
    pairs = pairs.rename(columns={f"{statistic}_first": "first", f"{statistic}_second": "second"})
    pairs["difference"] = pairs["first"] - pairs["second"]
    pairs["left_out"] = pairs["left_out_first"] | pairs["left_out_second"]
    return pairs[[*key, "n", "first", "second", "difference", "left_out"]]


def dead_depths(accuracies: pd.DataFrame, first: str, second: str, statistic: str) -> list[int]:
    """The n at which there are pairs, but bases at chance make all of them meaningless."""
    dead = all_pairs(accuracies, first, second, statistic).groupby("n")["left_out"].all()
    return [int(n) for n in dead.index[dead]]


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
        pairs = all_pairs(accuracies, first, second, statistic)
        tables.append(_means_with_intervals(pairs).assign(effect=effect))
    return pd.concat(tables, ignore_index=True)[["effect", *_MEANS]]


def reusable(accuracies: pd.DataFrame, statistic: str, tolerated_loss: float) -> pd.DataFrame:
    """Whether the lowest n layers can be copied from the other half at no more than a tolerated loss of accuracy.

    A row a kind of split, n and way of copying: ``transfer`` for frozen layers, ``transfer+`` for fine-tuned ones. The
    loss is that of the network against its own base, paired, with its interval as in `paired_effects`; it is negative
    where copying gains. ``layer`` is the deepest that is copied.

    Args:
        accuracies: as `transferability.results.accuracies.collect` makes them.
        statistic: the column that is compared.
        tolerated_loss: in accuracy, so 0.02 for 2 points.

    Returns:
        Columns kind, n, layer, treatment, pairs, splits, loss, low, high, verdict, certain, left_out. The verdict is
        ``within`` if the mean loss is at most the tolerated one, else ``beyond``; it is certain if the whole interval
        is on that side, and so never where one split and seed give no interval, nor where a base is judged on too few
        images to tell it from chance. Where bases at chance leave no pair, loss and verdict are empty. Depths that
        were not tried have no row.
    """
    tables = []
    for treatment in WAYS_OF_REUSE:
        pairs = all_pairs(accuracies, "base", treatment, statistic)
        tables.append(_means_with_intervals(pairs).assign(treatment=treatment))
    table = pd.concat(tables, ignore_index=True).rename(columns={"mean": "loss"})
    table["layer"] = [LAYER_NAMES[n - 1] for n in table["n"]]
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
    """The mean of `all_pairs` by kind of split and n, with its interval: columns `_MEANS`."""
    rows = []
    for (kind, n), everything in pairs.groupby(["kind", "n"], sort=True):
        group = everything[~everything["left_out"]]
        splits, mean = group["split"].nunique(), group["difference"].mean()
        rows.append((kind, n, len(group), splits, mean, *_interval(group), len(everything) - len(group)))
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
    half = stdtrit(freedom, (1 + CONFIDENCE) / 2) * error
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
    so their networks are compared over all kinds of splits: the paper has them for the whole set only. ValueError if
    networks of either lack the statistic.
    """
    for accuracies in (ours, published):
        require_statistic(accuracies, statistic)
    key = ["treatment", "kind", "n"]
    tables = [differences_to_base(accuracies, statistic) for accuracies in (ours, published)]
    table = tables[0].merge(tables[1], on=key, how="outer", suffixes=("_ours", "_published"))
    for name in ("difference", "relative"):
        table[f"{name}_ours_less_published"] = table[f"{name}_ours"] - table[f"{name}_published"]
    return table.sort_values(key, key=_in_order, ignore_index=True)


def differences_to_base(accuracies: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """By treatment, kind of split (``any`` for random filters) and n: networks, mean difference to the own base.

    Columns: treatment, kind, n, networks, difference, relative (to the own base's accuracy), left_out.
    """
    tables = []
    for treatment in COPYING:
        pairs = all_pairs(accuracies, treatment, "base", statistic)
        pairs["counted"] = pairs["difference"].mask(pairs["left_out"])
        pairs["relative"] = pairs["counted"] / pairs["second"]
        if treatment.startswith("random"):
            pairs["kind"] = ANY
        means = pairs.groupby(["kind", "n"]).agg(
            networks=("counted", "count"),
            difference=("counted", "mean"),
            relative=("relative", "mean"),
            left_out=("left_out", "sum"),
        )
        tables.append(means.reset_index().assign(treatment=treatment))
    return pd.concat(tables, ignore_index=True)[
        ["treatment", "kind", "n", "networks", "difference", "relative", "left_out"]
    ]


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
