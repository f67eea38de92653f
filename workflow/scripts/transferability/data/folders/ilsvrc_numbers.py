"""ImageNet's official ground truth, ILSVRC2012_validation_ground_truth.txt: one number per line, no file names."""

import csv
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from transferability.delimited_text import utf8_text
from transferability.files import PROJECT
from transferability.store.source import StoreError

_ILSVRC_CLASSES = PROJECT / "resources" / "imagenet" / "classes.csv"


def read_numbers(path: Path, files: Sequence[Path], where: str, classes: Sequence[str]) -> dict[Path, str] | None:
    """The class of each file from a list of numbers alone, ILSVRC2012_validation_ground_truth.txt; None for others.

    The numbers are for the files in name order. They are the challenge's, which do not follow the order of class names.
    """
    rows = _rows(path)
    if not rows or not all(number.isdecimal() for _, number in rows):
        return None
    ordered, place = sorted(files, key=lambda file: file.name), f"{where}: {path}"
    _require_fit(rows, ordered, place)
    names = _ilsvrc_names()
    _require_known(rows, names, set(classes), place)
    return {file: names[number] for file, (_, number) in zip(ordered, rows, strict=True)}


def _rows(path: Path) -> list[tuple[int, str]]:
    """The number and text of each line; none if the file is not text, which is reported elsewhere."""
    try:
        lines = utf8_text(path).splitlines()
    except (OSError, ValueError):
        return []
    return [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]


def _require_fit(rows: Sequence[tuple[int, str]], ordered: Sequence[Path], place: str) -> None:
    """StoreError if it is unclear which line belongs to which file, in the order of their names."""
    for one, other in pairwise(ordered):
        if one.name == other.name:
            raise StoreError(
                f"{place} has one number per line, for the files in the order of their names, but {one} and {other} "
                "have the same name; use a list that names the files"
            )
    if len(rows) != len(ordered):
        raise StoreError(f"{place} has {len(rows)} lines, but there are {len(ordered)} images")


def _require_known(rows: Sequence[tuple[int, str]], names: Mapping[str, str], known: set[str], place: str) -> None:
    for line, number in rows:
        if number not in names:
            raise StoreError(f"{place}, line {line}: {number} is not a class number of ILSVRC 2012 (1 to 1000)")
    for line, number in rows:
        if names[number] not in known:
            raise StoreError(
                f"{place}, line {line}: a number alone is read as ILSVRC 2012's, of which {number} is {names[number]}, "
                "not a class of the training set; for your own classes, give a file and its class in each line"
            )


def _ilsvrc_names() -> Mapping[str, str]:
    """The class that each number in the official ground truth stands for."""
    with _ILSVRC_CLASSES.open(encoding="utf-8", newline="") as file:
        return {row["ilsvrc_id"]: row["class"] for row in csv.DictReader(file)}
