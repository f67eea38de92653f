"""Tables written by people: CSV and its relatives, in one dialect per file, every row with its line number."""

import codecs
import csv
import difflib
import io
from collections.abc import Sequence
from pathlib import Path

from transferability.unicode_names import nfc

COMMA, TAB, SEMICOLON, SPACE = ",", "\t", ";", " "

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Row = tuple[int, list[str]]  # the number of its (last) line, and its cells


def text_key(text: str) -> str:
    """A name in the form in which spellings are compared: Unicode form NFC, no leading or trailing white space."""
    return nfc(text).strip()


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint at the name that was probably meant."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def utf8_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; ValueError with the likely encoding otherwise."""
    content = path.read_bytes()
    if content.startswith(_UTF_16) or b"\0" in content[:4096]:
        other = "UTF-16" if content.startswith(_UTF_16) or b"\0" in content[:2] else "a binary format"
        raise ValueError(f"{path} is not in UTF-8 (it seems to be in {other}); save it as text in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path} is not in UTF-8 (line {line} has the byte 0x{content[error.start]:02x}; it seems to be in Latin-1 "
            "or Windows-1252); save it in UTF-8"
        ) from error


def rows_of(text: str, delimiter: str) -> list[Row]:
    """The nonempty rows of a text, with cells stripped of white space and in NFC.

    With `SPACE`, any amount of white space is one delimiter. csv.Error with a line number if quotes do not match.
    """
    if delimiter == SPACE:
        text = text.replace(TAB, SPACE)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter != TAB, strict=True
    )
    rows = []
    try:
        for cells in reader:
            kept = [text_key(cell) for cell in cells]
            if any(kept) and not (reader.line_num == 1 and kept[0].lower() in ("sep=", f"sep={delimiter}")):  # Excel's
                # White space at the end of a line does not start another cell.
                rows.append((reader.line_num, kept if delimiter != SPACE or kept[-1] else kept[:-1]))
    except csv.Error as error:
        raise csv.Error(f"line {reader.line_num}: {error}") from error
    return rows


def table_of(path: Path, columns: Sequence[str]) -> tuple[list[str], list[Row]]:
    """Header, in lower case, and rows of a table, read with the delimiter that gives its header these columns.

    Raises:
        ValueError: it is not such a table, or a row has more cells than the header; the message names file and line.
    """
    text = utf8_text(path)
    header, rows = _best_read(path, text, columns)
    missing = [column for column in columns if column not in header]
    if missing:
        there = f"it has {', '.join(title or 'one without a title' for title in header)}" if header else "it is empty"
        raise ValueError(f"{path}: no column {missing[0]}; it takes {' and '.join(columns)}, but {there}")
    twice = [column for column in columns if header.count(column) > 1]
    if twice:
        raise ValueError(f"{path}: the column {twice[0]} is there twice")
    for line, cells in rows:
        if any(cells[len(header) :]):
            raise ValueError(
                f"{path}, line {line}: has {len(cells)} cells, but there are {len(header)} columns; put text that "
                "contains the delimiter in double quotes"
            )
        cells.extend([""] * (len(header) - len(cells)))
    return header, rows


def _best_read(path: Path, text: str, columns: Sequence[str]) -> tuple[list[str], list[Row]]:
    """Header and rows, read with the first delimiter whose header has the most of the columns."""
    best: tuple[list[str], list[Row]] | None = None
    problem = None
    for delimiter in (COMMA, SEMICOLON, TAB):
        try:
            rows = rows_of(text, delimiter)
        except csv.Error as error:
            problem = problem or error
            continue
        header = [title.lower() for title in rows[0][1]] if rows else []
        if best is None or len(set(header) & set(columns)) > len(set(best[0]) & set(columns)):
            best = header, rows[1:]
    if best is None:
        raise ValueError(f"{path}: not a CSV file in UTF-8 ({problem})")
    return best
