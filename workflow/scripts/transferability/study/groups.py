"""Groupings of classes, such as man-made and natural, from a small CSV file with the columns class and group.

All cells are text: a class or a group may be called NA, None or 1. Names are compared in Unicode's form NFC and without
white space at their ends.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from transferability.delimited_text import table_of, text_key
from transferability.store.source import ImageClass

COLUMNS = ("class", "group")
TITLE = "name"  # the optional column with a readable name of the class


class GroupsError(ValueError):
    """The file is not a grouping, or not one of the data set's classes."""


def read_groups(path: Path) -> dict[str, str]:
    """Each class's group, ignoring other columns. ValueError, such as GroupsError, says what is wrong and where."""
    return {row["class"]: row["group"] for row in _rows(path)}


def read_titles(path: Path) -> dict[str, str]:
    """The readable names of classes, from the file's column ``name``; empty if it has none.

    ValueError, such as GroupsError, says what is wrong and where.
    """
    return {row["class"]: row[TITLE] for row in _rows(path) if row.get(TITLE)}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows; GroupsError unless every class appears once and has a group."""
    if not path.is_file():
        raise GroupsError(f"{path}: there is no such file; it must be a CSV with the columns {' and '.join(COLUMNS)}")
    header, rows = table_of(path, COLUMNS)
    if header.count(TITLE) > 1:
        raise GroupsError(f"{path}: the column {TITLE} appears twice")
    line_of: dict[str, int] = {}
    for line, cells in rows:
        row = dict(zip(header, cells, strict=False))
        place, name = f"{path}, line {line}", row["class"]
        if not name or not row["group"]:
            raise GroupsError(f"{place}: {'group' if name else 'class'} is empty")
        if name in line_of:
            raise GroupsError(f"{place}: the class {name} appears twice, first in line {line_of[name]}")
        line_of[name] = line
        yield row


def described(classes: Sequence[ImageClass], path: Path | None) -> tuple[ImageClass, ...]:
    """The classes as figures name them: each with the group and title that the file, if there is one, gives it."""
    if path is None:
        return tuple(classes)
    groups, titles = read_groups(path), read_titles(path)
    return tuple(
        replace(c, group=groups.get(text_key(c.name), c.group), title=titles.get(text_key(c.name), "")) for c in classes
    )


def grouping_digest(path: Path) -> str:
    """A digest of which class is in which group, ignoring anything else in the file."""
    groups = read_groups(path)
    return hashlib.sha256(json.dumps(sorted(groups.items())).encode()).hexdigest()


def grouped(classes: Sequence[ImageClass], groups: Mapping[str, str], path: Path) -> tuple[ImageClass, ...]:
    """The classes, each with its group; GroupsError for classes that the file does not know."""
    unknown = [c.name for c in classes if text_key(c.name) not in groups]
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise GroupsError(
            f"{path}: no row for {', '.join(unknown[:3])}{more} of the data set's {len(classes)} classes; give each "
            "a group"
        )
    return tuple(replace(c, group=groups[text_key(c.name)]) for c in classes)
