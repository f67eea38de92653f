"""Published accuracies, read from a table into the rows that a study has, and the networks that such a table lacks.

The same code then makes all tables and figures of both.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from transferability.files import open_csv
from transferability.networks.architectures import architecture_layers
from transferability.results.accuracies import frame_of, require_accuracy, require_cross_entropy
from transferability.study.compared import TOP1, TRAINING_CROSS_ENTROPY, VALIDATION_CROSS_ENTROPY
from transferability.study.names import (
    FROM_THE_BOTTOM,
    HALVES,
    RANDOM_SOURCE,
    TREATMENTS,
    WHOLE,
    Network,
    Series,
    other_half,
    source_of,
)
from transferability.study.schema import EXACT
from transferability.study.split_types import split_type_of

PAPERS_LAYERS = architecture_layers("caffenet")
PUBLISHED_COLUMNS = (
    *("split", "treatment", "source", "target", "n", "examples_per_class", "iterations"),
    *TOP1,
)
# Optional columns of such a table (of the last evaluation and the last iterations), each with its name in our tables.
PUBLISHED_LOSSES = {"validation_loss_final": VALIDATION_CROSS_ENTROPY, "training_loss": TRAINING_CROSS_ENTROPY}


def read_published(path: Path) -> pd.DataFrame:
    """Read published accuracies into the rows that `transferability.results.accuracies.collect` makes.

    Args:
        path: a CSV file with `PUBLISHED_COLUMNS` and optionally `PUBLISHED_LOSSES`, in any order; other columns are
            ignored. It has one row per network, with accuracies from 0 to 1 and losses in nats. Whatever was not
            published, such as top-5, the number of evaluations or a loss, is empty in the result. Splits named
            ``random`` and a number are random halves, ``images`` and a number are halves by images, ``whole`` is all
            classes, and others are halves by group.

    Raises:
        ValueError: a column is missing, there are no rows, or a row is impossible or repeats a network, in which case
            the message names its line.
    """
    with open_csv(path) as reader:
        absent = [column for column in PUBLISHED_COLUMNS if column not in (reader.fieldnames or [])]
        if absent:
            raise ValueError(f"{path}: no column {absent[0]}; it takes {', '.join(PUBLISHED_COLUMNS)}")
        rows = list(_published_rows(path, reader))
    if not rows:
        raise ValueError(f"{path}: there is no row below the header; give one a network")
    return frame_of(rows, PAPERS_LAYERS)


def missing_networks(accuracies: pd.DataFrame, expected: Sequence[tuple[str, int, str]]) -> pd.DataFrame:
    """Which of the expected networks (split, seed, name) have no accuracy; they are reported, never filled in."""
    there = set(accuracies[["split", "seed", "network"]].itertuples(index=False, name=None))
    return pd.DataFrame([e for e in expected if e not in there], columns=["split", "seed", "network"])


def full_design(accuracies: pd.DataFrame) -> list[tuple[str, int, str]]:
    """The networks (split, seed, name) that would make published accuracies complete, for `missing_networks`.

    For each split type, these are the bases, every series that one of its splits has, in both directions and at every n
    that occurs, and every reduced network, in all of the type's splits and seeds. Split types are treated separately:
    that networks of random halves were fine-tuned does not mean that those of dissimilar halves should have been.
    """
    design = []
    depths = sorted({int(n) for n in accuracies["n"] if n > 0})
    for _, of_type in accuracies.groupby("split_type", sort=True):
        networks = [Network.parse(name) for name in of_type["network"].unique()]
        series = {either for network in networks if network.source for either in _both_directions(network.series)}
        complete = {Network(target) for network in networks for target in _mirrors(network.target)}
        complete |= {one.at(n) for one in series for n in depths if n + one.preserved < len(PAPERS_LAYERS)}
        complete |= {network for network in networks if network.reduced}
        names = [network.name for network in sorted(complete, key=_by_treatment)]
        design += list(product(of_type["split"].unique(), map(int, of_type["seed"].unique()), names))
    return design


def _both_directions(series: Series) -> tuple[Series, Series]:
    source, target = (other_half(part) if part in HALVES else part for part in (series.source, series.target))
    return series, replace(series, source=source, target=target)


def _mirrors(target: str) -> tuple[str, ...]:
    return HALVES if target in HALVES else (target,)


def _by_treatment(network: Network) -> tuple[int, str, int, int]:
    return TREATMENTS.index(network.treatment), network.target, network.n, network.copied


def _published_rows(path: Path, reader: "csv.DictReader[str]") -> Iterator[tuple[str, dict[str, Any]]]:
    for row in reader:
        place = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise ValueError(f"{place}: the row has not as many fields as the header, which has {len(row)}")
        text = {column: row.get(column, "").strip() for column in (*PUBLISHED_COLUMNS, *PUBLISHED_LOSSES)}
        try:
            content = _published(text)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        yield place, content


def _published(text: Mapping[str, str]) -> dict[str, Any]:
    network = _published_network(text)
    accuracies = {name: _number(text, name) for name in TOP1}
    for name, value in accuracies.items():
        require_accuracy(value, name)
    losses = {name: _number(text, name) for name in PUBLISHED_LOSSES if text[name]}
    for name, value in losses.items():
        require_cross_entropy(value, name)
    split = text["split"]
    return {
        "split": split,
        "split_type": split_type_of(split),
        **network.facts,
        "seed": 0,
        "iterations": _integer(text, "iterations", 1) if text["iterations"] else None,
        **accuracies,
        **{PUBLISHED_LOSSES[name]: value for name, value in losses.items()},
    }


def _published_network(text: Mapping[str, str]) -> Network:
    """The network of a row; ValueError if the row's split, treatment, source, target and n do not fit together."""
    if not text["split"]:
        raise ValueError("split is empty; it is the name of a split, such as random0")
    target = _one_of(text, "target", (WHOLE,) if text["split"] == WHOLE else HALVES)
    treatment = _one_of(text, "treatment", ("base", *FROM_THE_BOTTOM, "reduced"))
    if treatment in ("base", "reduced"):
        _one_of(text, "source", ("",))
        _integer(text, "n", 0, 0)
        if treatment == "base":
            _one_of(text, "examples_per_class", ("",))
            return Network(target)
        _one_of(text, "target", (WHOLE,))
        return Network(target, examples_per_class=_integer(text, "examples_per_class", 1), reduced=True)
    _one_of(text, "examples_per_class", ("",))
    if treatment.startswith("transfer"):
        _one_of(text, "target", HALVES)
    source = source_of(treatment.removesuffix("+"), target)
    _one_of(text, "source", ("", source) if source == RANDOM_SOURCE else (source,))
    n = _integer(text, "n", 1, len(PAPERS_LAYERS) - 1)
    return Network(target, source, copied=n, frozen=0 if treatment.endswith("+") else n)


def _one_of(text: Mapping[str, str], column: str, allowed: Sequence[str]) -> str:
    if text[column] not in allowed:
        known = " or ".join(value or "empty" for value in allowed)
        of = "" if column in ("split", "treatment") else f" for {text['treatment']} networks of split {text['split']}"
        of += f" and target {text['target']}" if column == "source" else ""
        raise ValueError(f"{column} is {text[column]!r}; it must be {known}{of}")
    return text[column]


def _number(text: Mapping[str, str], column: str) -> float:
    try:
        return float(text[column])
    except ValueError:
        raise ValueError(f"{column} is {text[column]!r}, not a number") from None


def _integer(text: Mapping[str, str], column: str, least: int, most: int = EXACT) -> int:
    """The whole number in a column; 50.0 counts as one too, because tables with gaps are often written that way."""
    value = _number(text, column)
    if not (least <= value <= most and value.is_integer()):
        bounds = f"from {least} to {most}" if most < EXACT else f"of at least {least}"
        wanted = str(least) if least == most else f"a whole number {bounds}"
        raise ValueError(f"{column} is {text[column]}; it must be {wanted} for {text['treatment']} networks")
    return int(value)
