"""What someone with published weights and a data set wants to know, in one sentence."""

import pandas as pd

from transferability.results.pairs import NO_INTERVAL, paired_differences
from transferability.results.reuse import WAYS_OF_REUSE, certain_depths, deepest_within, tolerated
from transferability.study.names import OTHER_SOURCES, PRETRAINED_SOURCE
from transferability.words import enumerated, half_interval, percent, points

_FROZEN = OTHER_SOURCES[PRETRAINED_SOURCE]
_FINE_TUNED = f"{_FROZEN}+"


def advice(accuracies: pd.DataFrame, reuse: pd.DataFrame, max_drop: float) -> str:
    """Which published layers give the highest accuracy, and how many can be frozen; empty without such networks.

    The highest of several accuracies on the same validation images is slightly optimistic, and the sentence says so.

    Args:
        accuracies: the accuracies of one split type, with the column ``accuracy``.
        reuse: rows of `transferability.results.reuse.reusable` for that split type.
        max_drop: the tolerated drop from freezing layers, as a fraction of 1.
    """
    rows = reuse[reuse["treatment"].isin((_FROZEN, _FINE_TUNED)) & reuse["verdict"].notna()]
    if rows.empty:
        return ""
    return "; ".join([_best(accuracies, rows), *_of_frozen(rows[rows["treatment"] == _FROZEN], max_drop)])


def _best(accuracies: pd.DataFrame, rows: pd.DataFrame) -> str:
    best = rows.sort_values("drop", kind="stable").iloc[0]
    pairs = paired_differences(accuracies, "base", best["treatment"])
    accuracy = pairs.loc[pairs["n"] == best["n"], "second"].mean()
    half = half_interval(best["low"], best["high"]) or f" ({NO_INTERVAL})"
    of_several = f", the best of {len(rows)} choices and so a little optimistic" if len(rows) > 1 else ""
    return (
        f"published weights: the highest accuracy, {percent(accuracy)} %, is with layers {_up_to(best)} "
        f"{WAYS_OF_REUSE[best['treatment']]}, {points(-best['drop'])}{half} points over "
        f"base{of_several}"
    )


def _of_frozen(rows: pd.DataFrame, max_drop: float) -> list[str]:
    if rows.empty:
        return []
    at_a_drop = tolerated(max_drop)
    if not (deepest := deepest_within(rows, _FROZEN)):
        return [f"no layer can be copied and frozen {at_a_drop}"]
    certain = certain_depths(rows, _FROZEN)
    tried = [n for n in rows["n"].sort_values() if n <= deepest]
    unsure = "" if certain == tried else f" (by the mean; certain at {_depths(certain)})"
    return [f"layers {_up_to(rows[rows['n'] == deepest].iloc[0])} can be copied and frozen {at_a_drop}{unsure}"]


def _depths(depths: list[int]) -> str:
    return f"n = {enumerated(depths)}" if depths else "no n"


def _up_to(row: pd.Series) -> str:
    return f"up to {row['layer']}"
