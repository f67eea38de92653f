"""The accuracies of all networks of a study, one row a network, each beside the base of its own target."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from transferability.files import read_json
from transferability.names import WHOLE

STATISTICS = ("top1_final", "top5_final", "top1_best", "top5_best", "top1_mean_best10", "top5_mean_best10")
KEY = ["split", "seed", "network"]
COLUMNS = [
    "split",
    "kind",
    "network",
    "treatment",
    "source",
    "target",
    "n",
    "copied",
    "frozen",
    "seed",
    "examples_per_class",
    "iterations",
    "evaluations",
    *STATISTICS,
    "base",
]
# Compared with the base of the same split, target and seed: columns base_<statistic> and difference_<statistic>.
COMPARED = ("top1_final", "top1_mean_best10")
_INTEGERS = ["n", "copied", "frozen", "seed", "examples_per_class", "iterations", "evaluations"]


def collect(metrics: Iterable[Path]) -> pd.DataFrame:
    """One row for every metrics file; ValueError for a file that is incomplete or that repeats a network."""
    rows = []
    for path in metrics:
        content = read_json(path)
        absent = [column for column in COLUMNS[:-1] if column not in content]
        if absent:
            raise ValueError(f"{path}: {absent[0]} is missing; delete the file to have it written again")
        rows.append({column: content[column] for column in COLUMNS[:-1]})
    frame = pd.DataFrame(rows, columns=COLUMNS[:-1])
    repeated = frame[frame.duplicated(KEY)]
    if len(repeated):
        split, seed, network = repeated.iloc[0][KEY]
        raise ValueError(f"the network {network} of {split}, seed {seed}, is there twice")
    return beside_bases(frame)


def beside_bases(frame: pd.DataFrame) -> pd.DataFrame:
    """Add to each network its base, its accuracies and the differences to them, where there is one."""
    frame = frame.astype(dict.fromkeys(_INTEGERS, "Int64"))
    frame["base"] = "base" + frame["target"]
    bases = frame.loc[frame["treatment"] == "base", [*KEY, *COMPARED]]
    bases = bases.rename(columns={"network": "base"} | {name: f"base_{name}" for name in COMPARED})
    frame = frame.merge(bases, on=["split", "seed", "base"], how="left", validate="many_to_one")
    frame.loc[frame[f"base_{COMPARED[0]}"].isna(), "base"] = None
    for name in COMPARED:
        frame[f"difference_{name}"] = frame[name] - frame[f"base_{name}"]
    order = ["split", "seed", "treatment", "target", "examples_per_class", "n"]
    return frame.sort_values(order, key=_paper_order, ignore_index=True)


def _paper_order(column: pd.Series) -> pd.Series:
    treatments = ["base", "selffer", "selffer+", "transfer", "transfer+", "random", "random+", "reduced"]
    if column.name == "treatment":
        return column.map(treatments.index)
    return column.where(column != WHOLE, "~") if column.name == "split" else column


def read_accuracies(path: Path) -> pd.DataFrame:
    """Read what `collect` made, from its CSV file."""
    text = dict.fromkeys(["split", "kind", "network", "treatment", "source", "target", "base"], "string")
    return pd.read_csv(path, dtype=text | dict.fromkeys(_INTEGERS, "Int64"))
