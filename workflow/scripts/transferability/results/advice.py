"""What somebody who has published weights and a data set wants to know, in a sentence."""

import numpy as np
import pandas as pd

from transferability.results.pairs import interval, paired_differences
from transferability.results.reuse import deepest_within
from transferability.study.names import OTHER_SOURCES, PRETRAINED_SOURCE
from transferability.words import points

_FROZEN = OTHER_SOURCES[PRETRAINED_SOURCE]
_FINE_TUNED = f"{_FROZEN}+"


def advice(accuracies: pd.DataFrame, reuse: pd.DataFrame, max_drop: float) -> str:
    """How far published layers can be copied and frozen, and what fine-tuning them gains; empty without such networks.

    Args:
        accuracies: of one split type, with the column ``accuracy``.
        reuse: rows of `transferability.results.reuse.reusable`, of that split type.
        max_drop: what freezing them may cost, of accuracy.
    """
    parts = [*_of_frozen(reuse[reuse["treatment"] == _FROZEN], max_drop), *_of_fine_tuned(accuracies, reuse)]
    return "; ".join(parts)


def _of_frozen(rows: pd.DataFrame, max_drop: float) -> list[str]:
    if rows["verdict"].isna().all():
        return []
    deepest = deepest_within(rows, _FROZEN)
    surely = deepest_within(rows.assign(verdict=rows["verdict"].where(rows["conclusive"])), _FROZEN)
    unsure = "" if surely == deepest else f" (by the mean; for certain, {_up_to(rows, surely)})"
    what = f"copy and freeze {_up_to(rows, deepest)}{unsure}" if deepest else "no layer can be copied and frozen"
    return [f"published weights: {what} at a drop of at most {100 * max_drop:g} points"]


def _up_to(rows: pd.DataFrame, n: int) -> str:
    return f"up to {rows.loc[rows['n'] == n, 'layer'].iloc[0]}" if n else "none"


def _of_fine_tuned(accuracies: pd.DataFrame, reuse: pd.DataFrame) -> list[str]:
    pairs = paired_differences(accuracies, _FINE_TUNED, "base")
    if pairs.empty:
        return []
    n = pairs["n"].max()
    of_deepest = pairs[pairs["n"] == n]
    low, high = interval(of_deepest)
    half = "" if np.isnan(low) else f" ± {50 * (high - low):.1f}"
    names = reuse.loc[reuse["n"] == n, "layer"]
    return [
        f"fine-tuning all layers up to {names.iloc[0]} gains {points(of_deepest['difference'].mean())}{half} points"
    ]
