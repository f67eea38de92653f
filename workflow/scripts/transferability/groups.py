"""Groupings of classes, such as man-made and natural, from a small CSV file with the columns class and group."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from transferability.files import open_csv
from transferability.source import ImageClass

COLUMNS = ("class", "group")


class GroupsError(ValueError):
    """The file is no grouping, or not one of the data set's classes."""


def read_groups(path: Path) -> dict[str, str]:
    """The group of each class; other columns are ignored. ValueError, such as GroupsError, says what is wrong where."""
    if not path.is_file():
        raise GroupsError(f"{path}: there is no such file; it takes a CSV with the columns {' and '.join(COLUMNS)}")
    groups: dict[str, str] = {}
    with open_csv(path) as reader:
        for column in COLUMNS:
            if column not in (reader.fieldnames or []):
                raise GroupsError(f"{path}: no column {column}; it takes {' and '.join(COLUMNS)}")
        for row in reader:
            name, group = ((row[column] or "").strip() for column in COLUMNS)
            place = f"{path}, line {reader.line_num}"
            if not name or not group:
                raise GroupsError(f"{place}: {'class' if not name else 'group'} is empty")
            if name in groups:
                raise GroupsError(f"{place}: the class {name} is there twice")
            groups[name] = group
    return groups


def grouped(classes: Sequence[ImageClass], groups: Mapping[str, str], path: Path) -> tuple[ImageClass, ...]:
    """The classes, each with its group; GroupsError for classes that the file does not know."""
    unknown = [c.name for c in classes if c.name not in groups]
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise GroupsError(
            f"{path}: no row for {', '.join(unknown[:3])}{more} of the data set's {len(classes)} classes; give each "
            "a group"
        )
    return tuple(replace(c, group=groups[c.name]) for c in classes)
