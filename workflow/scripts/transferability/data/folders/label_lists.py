"""Lists of images and their classes, in the common forms, which docs/images.md describes.

A list is read in one way from its first line to its last: with one delimiter, the file in one column and the class in
another, all classes by name or all by index. The reading that fits every line is used. If several fit and differ, or
none does, the list is refused with the line that shows it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transferability.data.folders.list_tables import CLASS, INDEX, LabelList, Table, file_columns, tables
from transferability.data.folders.listed_files import FileFinder
from transferability.delimited_text import nearest, text_key
from transferability.process.log import Say
from transferability.store.source import StoreError
from transferability.words import counted

# Other titles of the class column, which do not decide whether classes are given by name or by index.
_LABEL_WORDS = {"label", "category", "target"}
_PREDICTION = "predictionstring"  # in ImageNet's LOC_val_solution.csv: class, box, class, box, ...

_HOW_TO_DECIDE = (
    "a first line `file,class` says which columns are meant and that classes are given by name, `file,index` by "
    "position in the sorted names of all classes, counted from 0"
)

Meaning = Callable[[str], str | None]


@dataclass(frozen=True)
class _Reading:
    """A table with its columns of files and classes, and whether a class is given by `CLASS` or `INDEX`."""

    table: Table
    file_column: int
    class_column: int
    kind: str
    meaning: Meaning

    @property
    def lines(self) -> Iterator[tuple[int, str, str]]:
        """Each line's number, file cell and class cell, empty if there is none."""
        for line, cells in self.table.rows:
            file, label = ("".join(cells[i : i + 1]) for i in (self.file_column, self.class_column))
            yield line, file, label

    def fits(self, finder: FileFinder, file: str, label: str) -> bool:
        return len(finder.find(file)) == 1 and self.meaning(label) is not None

    def __str__(self) -> str:
        return f"{'name' if self.kind == CLASS else 'index'} in column {self.class_column + 1}"


def read_label_list(asked: LabelList, say: Say = lambda line: None) -> dict[Path, str]:
    """The class of each file of a list, in the order of its lines; says how the list was read.

    Raises:
        StoreError: the list cannot be read, or can be read in two ways; the message names the line.
    """
    readings = [reading for table in tables(asked) for reading in _readings(table, asked)]
    fitting = [r for r in readings if all(r.fits(asked.finder, file, label) for _, file, label in r.lines)]
    if not fitting:
        raise StoreError(_misfit(readings, asked))
    reading, *others = _strongest(fitting)
    for other in (*others, *_names_beside(reading, asked)):
        _require_same(reading, other, asked)
    _require_from_zero(reading, asked)
    labels = _labels(reading, asked)
    below = f", below the header {' '.join(reading.table.header)}" if reading.table.header else ""
    say(f"{asked.path}: {counted(len(labels), 'image')}, classes read as {reading}{below}")
    return labels


def _readings(table: Table, asked: LabelList) -> Iterator[_Reading]:
    for file_column in file_columns(table, asked.finder):
        for class_column in _class_columns(table, file_column):
            for kind, meaning in _meanings(table.title(class_column), asked):
                yield _Reading(table, file_column, class_column, kind, meaning)


def _names_beside(reading: _Reading, asked: LabelList) -> Iterator[_Reading]:
    """Readings of other columns that hold only class names, if this one is by index without the title `INDEX`."""
    table = reading.table
    if reading.kind != INDEX or table.title(reading.class_column) == INDEX or asked.classes is None:
        return
    names = {text_key(name): name for name in asked.classes}
    for column in set(range(table.width)) - {reading.file_column, reading.class_column}:
        named = replace(reading, class_column=column, kind=CLASS, meaning=names.get)
        if all(label in names for _, _, label in named.lines):
            yield named


def _class_columns(table: Table, file_column: int) -> list[int]:
    """The class column that the header names, or all columns that may be it."""
    others = [column for column in range(table.width) if column != file_column]
    for words in ({CLASS}, {INDEX}, {_PREDICTION}, _LABEL_WORDS):
        named = [column for column in others if table.title(column) in words]
        if len(named) == 1:
            return named
    return others


def _meanings(title: str, asked: LabelList) -> Iterator[tuple[str, Meaning]]:
    """What the cells of a column with this title can mean."""
    if asked.classes is None:
        yield CLASS, lambda cell: cell or None
        return
    names = {text_key(name): name for name in asked.classes}
    if title == _PREDICTION:
        yield CLASS, lambda cell: names.get(cell.split(" ")[0])
        return
    if title != INDEX:
        yield CLASS, names.get
    if title == INDEX or (title != CLASS and not asked.numerals_are_names):
        yield INDEX, {str(i): name for i, name in enumerate(asked.classes)}.get


def _strongest(fitting: list[_Reading]) -> list[_Reading]:
    """The readings to prefer: if a column holds only class names, numbers in another column are something else."""
    named = {(id(r.table), r.class_column) for r in fitting if r.kind == CLASS}
    return [r for r in fitting if not named or (id(r.table), r.class_column) in named]


def _require_same(one: _Reading, other: _Reading, asked: LabelList) -> None:
    for (line, file, label), (_, other_file, other_label) in zip(one.lines, other.lines, strict=True):
        same_file = asked.finder.find(file) == asked.finder.find(other_file)
        if not same_file or one.meaning(label) != other.meaning(other_label):
            raise StoreError(
                f"{asked.place}, line {line}: {file} can be of the class {one.meaning(label)} ({label!r} as {one}), or "
                f"{'' if same_file else other_file + ' '}of the class {other.meaning(other_label)} ({other_label!r} as "
                f"{other}); {_HOW_TO_DECIDE}"
            )


def _require_from_zero(reading: _Reading, asked: LabelList) -> None:
    """StoreError if indices may count from 1: unless the last one occurs, each would pass for the next class's."""
    if reading.kind == INDEX and reading.table.title(reading.class_column) != INDEX:
        line, _, label = min(reading.lines, key=lambda line: int(line[2]))
        if label != "0":
            raise StoreError(
                f"{asked.place}, line {line}: {label} is the smallest index, so the list may count from 1; "
                f"{_HOW_TO_DECIDE}"
            )


def _labels(reading: _Reading, asked: LabelList) -> dict[Path, str]:
    labels: dict[Path, tuple[str, int]] = {}
    for line, text, label in reading.lines:
        (file,), meant = asked.finder.find(text), reading.meaning(label) or ""
        known, first = labels.setdefault(file, (meant, line))
        if known != meant:
            raise StoreError(
                f"{asked.place}, lines {first} and {line}: {text} is listed twice, with the classes {known} and {meant}"
            )
    return {file: label for file, (label, _) in labels.items()}


# ---- What is wrong with a list ---------------------------------------------------------------------------------------


def _misfit(readings: Sequence[_Reading], asked: LabelList) -> str:
    """The first line that does not fit the reading that fits best, and how many more fail for the same reason."""

    def score(reading: _Reading) -> int:
        return sum(bool(asked.finder.find(f)) + (reading.meaning(c) is not None) for _, f, c in reading.lines)

    reading = max(readings, key=score)
    misfits = [line for line in reading.lines if not reading.fits(asked.finder, *line[1:])]
    line, file, label = misfits[0]
    kinds = [_kind(found, name, asked) for _, found, name in misfits]
    more = kinds.count(kinds[0]) - 1
    message = _problem(reading, kinds[0], file, label, asked)
    return f"{asked.place}, line {line}: {message}{f' (and {more} more such lines)' if more else ''}"


def _kind(file: str, label: str, asked: LabelList) -> str:
    """What is wrong with a line, in a word."""
    found = len(asked.finder.find(file))
    if found != 1:
        return "several files" if found else "no file"
    return "no class" if not label or asked.classes is None else "unknown class"


def _problem(reading: _Reading, kind: str, file: str, label: str, asked: LabelList) -> str:
    """What is wrong with a line of that kind, as a sentence; slow, because it looks for the nearest class."""
    found, title = asked.finder.find(file), reading.table.title(reading.class_column)
    if kind == "no file":
        return f"no image {file} in {asked.folder}"
    if kind == "several files":
        places = " and ".join(str(path) for path in found[:2])
        more = f" and {len(found) - 2} more" if len(found) > 2 else ""
        return f"{file} can be {places}{more}; list it by its path in {asked.folder}"
    if kind == "no class" or asked.classes is None:
        return f"no class for {file}"
    last = f"from 0 to {len(asked.classes) - 1} in the sorted class names"
    if title == INDEX:
        return f"{label} is not an index {last}"
    hint = nearest(label, asked.classes)
    if title in (CLASS, _PREDICTION):
        return f"{label} is not a class of the training set{hint}"
    return f"{label} is neither a class of the training set nor an index {last}{hint}"
