"""What copying layers costs and gains: named differences between two treatments, paired, with intervals."""

from collections.abc import Mapping

import pandas as pd

from transferability.results.accuracies import Results
from transferability.results.pairs import MEANS, all_pairs, means_with_intervals
from transferability.study.names import SYMBOLS

# Each effect is the mean of (first - second) over pairs of networks of the same split, target, seed and n.
EFFECTS: Mapping[str, tuple[str, str]] = {
    "co-adaptation drop": ("base", "selffer"),
    "specificity drop": ("selffer", "transfer"),
    "total drop": ("base", "transfer"),
    "fine-tuning gain": ("transfer+", "base"),
    "transfer gain": ("transfer+", "selffer+"),
    "retraining gain": ("selffer+", "base"),
    "random filter drop": ("base", "random"),
}


def formula(effect: str) -> str:
    """An effect as a difference of its treatments, like base − BnB."""
    return " − ".join(SYMBOLS[treatment] for treatment in EFFECTS[effect])


def paired_effects(results: Results) -> pd.DataFrame:
    """`EFFECTS` by split type and n: mean of paired differences, with a 95 % interval, ``low`` to ``high``.

    Networks of a split share their classes and those of a seed their base, so what counts as one observation is a
    split, or, where there is only one split, a seed. The interval is Student's t over those; it is empty where there
    is one split and seed, and tells only of that split's classes where there is one split. A percentile bootstrap over
    so few would be far too narrow: one that says 95 % holds the true mean in 50, 73, 80, 83 and 89 % of all cases for
    2, 3, 4, 5 and 9 splits.
    """
    tables = []
    for effect, (first, second) in EFFECTS.items():
        pairs = all_pairs(results.accuracies, first, second)
        tables.append(means_with_intervals(pairs).assign(effect=effect))
    return pd.concat(tables, ignore_index=True)[["effect", *MEANS]]
