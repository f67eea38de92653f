"""A list of images and classes, parsed into a table with each delimiter that it may have."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from transferability.data.folders.image_formats import IMAGE_SUFFIXES
from transferability.data.folders.listed_files import FileFinder
from transferability.delimited_text import COMMA, SEMICOLON, SPACE, TAB, Row, rows_of, utf8_text
from transferability.store.source import StoreError

# The words of a header that decide what a column is.
FILE, CLASS, INDEX = "file", "class", "index"


@dataclass(frozen=True)
class LabelList:
    """A list, and the files and classes that it may name.

    Attributes:
        key: in the config, for messages.
        finder: of the files that may be listed.
        folder: where these are, for messages.
        classes: the names of all classes, in order; None if the list itself defines them.
        numerals_are_names: whether a number is the name of a class and never an index.
    """

    path: Path
    key: str
    finder: FileFinder
    folder: Path
    classes: Sequence[str] | None
    numerals_are_names: bool = False

    @property
    def place(self) -> str:
        return f"{self.key}: {self.path}"


@dataclass(frozen=True)
class Table:
    """A list, parsed in one way; the header's titles are in lower case, and there are none without a header."""

    header: list[str]
    rows: list[Row]

    @property
    def width(self) -> int:
        return max(len(cells) for _, cells in self.rows)

    def title(self, column: int) -> str:
        return self.header[column] if column < len(self.header) else ""


def tables(asked: LabelList) -> list[Table]:
    """The list, parsed with each delimiter in it; StoreError if it cannot be read or no line has more than one cell."""
    problem, found = None, []
    for delimiter in (TAB, COMMA, SEMICOLON, SPACE):
        try:
            rows = _rows(asked, delimiter)
        except csv.Error as error:
            problem = problem or error
            continue
        if any(len(cells) > 1 for _, cells in rows):
            found += [rows] if delimiter != SPACE else _ways_to_part(rows, asked)
    if not found:
        if problem:
            raise StoreError(f"{asked.place}, {problem}; quotes must come in pairs") from problem
        line, cells = rows[0]
        raise StoreError(f"{asked.place}, line {line}: {cells[0]} has no class; a line needs a file and its class")
    return [_with_header(_without_row_numbers(rows), asked) for rows in found]


def file_columns(table: Table, finder: FileFinder) -> list[int]:
    """The column that the header calls `FILE`, or those with the most files, or the first one."""
    if FILE in table.header:
        return [table.header.index(FILE)]
    hits = [0] * table.width
    for _, cells in table.rows:
        for column, cell in enumerate(cells):
            hits[column] += bool(finder.find(cell))
    return [column for column, count in enumerate(hits) if count == max(hits)] if any(hits) else [0]


def _rows(asked: LabelList, delimiter: str) -> list[Row]:
    if not asked.path.is_file():
        raise StoreError(f"{asked.key}: there is no file {asked.path}")
    try:
        rows = rows_of(utf8_text(asked.path), delimiter)
    except ValueError as error:
        raise StoreError(f"{asked.key}: {error}") from error
    if not rows:
        raise StoreError(f"{asked.place} is empty; it needs a line for each image, with its file and its class")
    return rows


def _ways_to_part(rows: list[Row], asked: LabelList) -> list[list[Row]]:
    """Cells separated by white space, as they are and with names that contain white space.

    If the classes are not known, as for training images, all that follows the file can only be the class.
    """
    joined = [(line, _joined(cells, asked.finder)) for line, cells in rows]
    return [joined] if joined == rows or asked.classes is None else [rows, joined]


def _joined(cells: list[str], finder: FileFinder) -> list[str]:
    """Cells as a file and a class if the first ones, as many as possible, are a file's name."""
    for end in range(len(cells) - 1, 0, -1):
        if finder.find(file := " ".join(cells[:end])):
            return [file, " ".join(cells[end:])]
    return cells


def _without_row_numbers(rows: list[Row]) -> list[Row]:
    """Rows without the numbers 0, 1, ... that pandas puts before them, under an empty title or `index`."""
    first = rows[0][1]
    is_titled = len(first) > 2 and first[0].lower() in ("", INDEX)
    if is_titled and all(cells[0] == str(i) for i, (_, cells) in enumerate(rows[1:])):
        return [(line, cells[1:]) for line, cells in rows]
    return rows


def _with_header(rows: list[Row], asked: LabelList) -> Table:
    titles = [cell.lower() for cell in rows[0][1]]
    if not _is_header(rows, titles, asked):
        return Table([], rows)
    if len(rows) == 1:
        raise StoreError(f"{asked.place} has no lines except its header; it needs one for each image")
    return Table(titles, rows[1:])


def _is_header(rows: list[Row], titles: list[str], asked: LabelList) -> bool:
    """Whether the first row consists of words, none of them a file or a class."""
    if FILE in titles and {CLASS, INDEX} & set(titles):
        return True
    first, others = rows[0][1], [cells for _, cells in rows[1:]]
    column = file_columns(Table([], rows[1:] or rows), asked.finder)[0]
    if not others or column >= len(first) or not _is_word(first[column]) or asked.finder.find(first[column]):
        return False
    words = [cell for i, cell in enumerate(first) if i != column]
    known = set(asked.classes or ()) | {cell for cells in others for i, cell in enumerate(cells) if i != column}
    return not any(word.isdecimal() or word in known for word in words)


def _is_word(cell: str) -> bool:
    """Whether a cell may be the title of a column of files rather than a file's name."""
    is_named = any(sign.isdigit() or sign in "/\\" for sign in cell)
    return not is_named and PurePosixPath(cell).suffix.lower() not in IMAGE_SUFFIXES
