"""Cheap proxies beside what was measured: the table of proxies, and how well they rank and estimate measured drops."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

from transferability.files import read_json
from transferability.results.accuracies import Results, read_table
from transferability.results.pairs import CONFIDENCE, of_the_paper
from transferability.results.unlearned import meaningless
from transferability.study.compared import parts_of
from transferability.study.names import TREATMENTS
from transferability.study.proxies import DEPTH, FEATURES, INDEPENDENT, PROXIES, SIMILARITY

COLUMNS = [
    *("split", "split_type", "network", "treatment", "source", "target", "n", "layer", "seed", "features", "dimension"),
    *("training_images", "validation_images"),
    *(f"{proxy}_{accuracy}" for proxy in PROXIES for accuracy in ("top1", "balanced")),
    *("regularization", "dead_units", "effective_dimension", SIMILARITY, INDEPENDENT),
]
_KEY = ["split", "split_type", "seed", "target", "treatment", "n"]
ALL = "all"
WITHIN = "mean within splits"
AGREEMENT = [
    *("proxy", "features", "treatment", "scope", "networks", "rank_correlation", "low", "high", "mean_error"),
    "mean_absolute_error",
]


def collect_proxies(parts: Iterable[Path], layers: Sequence[str]) -> pd.DataFrame:
    """Make one row for each network that could be trained and kind of features, from the files that jobs wrote.

    Args:
        parts: the files of all splits and seeds.
        layers: the names of all layers, lowest first.

    Raises:
        ValueError: a file, which the message names, is not one of these or is damaged.
    """
    frame = pd.DataFrame([row for path in parts for row in _rows(path, layers)], columns=COLUMNS)
    numbers = dict.fromkeys((SIMILARITY, INDEPENDENT), "float64")
    order = ["split", "seed", "treatment", "target", "n", "features"]
    return frame.astype(numbers).sort_values(order, key=_in_order, ignore_index=True)


def _rows(path: Path, layers: Sequence[str]) -> Iterator[dict[str, Any]]:
    try:
        for row in read_json(path)["rows"]:
            yield {**{column: row[column] for column in COLUMNS if column != "layer"}, "layer": layers[row["n"] - 1]}
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"{path}: no probes of bases, or damaged ({error!r}); delete it to have it made again"
        ) from error


def _in_order(column: pd.Series) -> pd.Series:
    orders = {"treatment": TREATMENTS, "features": FEATURES}
    return column.map(list(orders[str(column.name)]).index) if column.name in orders else column


def read_proxies(path: Path) -> pd.DataFrame:
    """Read what `collect_proxies` made from its CSV file."""
    return read_table(path)


def beside_measured(proxies: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The drop that each proxy estimates and the measured one, for every trained network with frozen layers.

    Columns: split, split_type, seed, target, treatment, n, proxy, features, estimated, measured. Both drops are from
    the same base and positive where the network is worse. The measured one is by the metric; the estimated one starts
    from the base's last evaluation, because proxies do not select among evaluations either. The proxy `DEPTH` estimates
    n. Networks that are unlearned, or whose base is, are left out, as are those trained on few images, because probes
    use all images.
    """
    accuracies = of_the_paper(results.accuracies)
    learned = accuracies[~meaningless(accuracies) & accuracies["examples_per_class"].isna()]
    accuracy = parts_of(results.metric)[0]
    bases = learned.assign(final=learned[f"{accuracy}_final"])[learned["treatment"] == "base"]
    bases = bases[["split", "seed", "target", "accuracy", "final"]]
    trained = learned[[*_KEY, "accuracy"]].merge(bases, on=["split", "seed", "target"], suffixes=("", "_base"))
    both = proxies.merge(trained, on=_KEY)
    both["measured"] = both["accuracy_base"] - both["accuracy"]
    tables = [both.assign(proxy=proxy, estimated=both["final"] - both[f"{proxy}_{accuracy}"]) for proxy in PROXIES]
    depths = both[both["features"] == FEATURES[0]]
    tables.append(depths.assign(proxy=DEPTH, features="", estimated=depths["n"].astype(float)))
    return pd.concat(tables, ignore_index=True)[[*_KEY, "proxy", "features", "estimated", "measured"]]


def agreement(proxies: pd.DataFrame, results: Results) -> pd.DataFrame:
    """How well each proxy ranks the measured drops of a treatment, and how far its estimates are off.

    There is a row for each split, with each network as one observation; one for all networks of all splits; and one for
    the mean within splits. Columns: proxy, features, treatment, scope, networks; rank_correlation, Spearman's, with its
    95 % interval low and high; mean_error, the estimated minus the measured drop, positive where the proxy
    overestimates the drop, and mean_absolute_error. Both errors are in accuracy, and empty for the depth.

    The interval is Fisher's for a rank correlation (Bonett and Wright, 2000). It treats networks as independent, which
    those with the same base are not, so it is somewhat too narrow. For the mean within splits, it is Student's t over
    splits.
    """
    rows = []
    drops = beside_measured(proxies, results)
    for (proxy, features, treatment), group in drops.groupby(["proxy", "features", "treatment"], sort=False):
        of_splits = [(split, of_split) for split, of_split in group.groupby("split", sort=True)]
        found = [(split, _correlation(rows_of_split), rows_of_split) for split, rows_of_split in of_splits]
        for scope, correlation, part in [*found, (ALL, _correlation(group), group)]:
            interval = fisher_interval(correlation, len(part))
            rows.append((proxy, features, treatment, scope, len(part), correlation, *interval, *_errors(part)))
        within = [correlation for _, correlation, _ in found if not math.isnan(correlation)]
        mean = float(np.mean(within)) if within else math.nan
        rows.append((proxy, features, treatment, WITHIN, len(group), mean, *_t_interval(within), *_errors(group)))
    return pd.DataFrame(rows, columns=AGREEMENT)


def _correlation(drops: pd.DataFrame) -> float:
    """Spearman's rank correlation; NaN where either side does not vary."""
    estimated, measured = drops["estimated"].rank().to_numpy(float), drops["measured"].rank().to_numpy(float)
    if len(drops) < 2 or not estimated.std() or not measured.std():
        return math.nan
    return float(np.corrcoef(estimated, measured)[0, 1].clip(-1, 1))


def _errors(drops: pd.DataFrame) -> tuple[float, float]:
    if (drops["proxy"] == DEPTH).all():
        return math.nan, math.nan
    error = drops["estimated"] - drops["measured"]
    return float(error.mean()), float(error.abs().mean())


def fisher_interval(correlation: float, count: int) -> tuple[float, float]:
    """95 % interval of a rank correlation of this many independent pairs; both ends are NaN for fewer than 5 or for ±1.

    The standard error after Fisher's transformation is sqrt((1 + r² / 2) / (count - 3)).
    """
    if math.isnan(correlation) or count < 5 or abs(correlation) == 1:
        return math.nan, math.nan
    half = ndtri((1 + CONFIDENCE) / 2) * math.sqrt((1 + correlation**2 / 2) / (count - 3))
    middle = math.atanh(correlation)
    return math.tanh(middle - half), math.tanh(middle + half)


def _t_interval(correlations: Sequence[float]) -> tuple[float, float]:
    """The interval of the mean, by Student's t; both ends are NaN for fewer than two correlations."""
    if len(correlations) < 2:
        return math.nan, math.nan
    freedom = len(correlations) - 1
    deviation = float(np.std(correlations, ddof=1))
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(len(correlations))
    mean = float(np.mean(correlations))
    return max(-1.0, mean - half), min(1.0, mean + half)
