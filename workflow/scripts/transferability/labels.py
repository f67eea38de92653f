"""Names as pages, figures and logs show them: whole, visible, and broken where a reader would break them.

Files keep a name as it is. What is shown differs only in characters that would move the text around them.
"""

import re
import unicodedata

# Marks that turn the direction of whatever follows them, and the mark of byte order; letters of scripts that are
# written from right to left turn nothing but themselves, and joiners shape the letters beside them.
_TURNING = {*map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))), "\ufeff"}
_MOVING = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of pairs, separators of lines and of paragraphs
_BREAK = re.compile(r"(?<=[\s_\-./\\,;:|+])(?=[^\s_\-./\\,;:|+])")
_MORE = "…"


def visible(text: str, keep: str = "") -> str:
    """The text with an escape, such as ``\\r``, for each character that would break or turn its line.

    Args:
        text: any text.
        keep: characters that stay as they are.
    """
    return "".join(_escaped(c) if c not in keep and _moves(c) else c for c in text)


def reason_of(error: Exception) -> str:
    """What went wrong where nobody expected it, on one line: the kind of the error and what it says."""
    return f"{type(error).__name__}: {' '.join(visible(str(error), keep=chr(10)).split())}"


def wrapped(name: str, width: int, lines: int = 3) -> str:
    """A name on at most so many lines, broken behind spaces and signs such as ``_``, else anywhere; ``…`` ends a cut.

    Args:
        name: any text; see `visible`.
        width: of a line, in Latin letters; others, such as Chinese ones, take two.
        lines: the most that there are.
    """
    rows = [""]
    for part in _BREAK.split(visible(name)):
        for piece in _pieces(part, width):
            if rows[-1] and _width(rows[-1] + piece.rstrip()) > width:
                rows.append(piece)
            else:
                rows[-1] += piece
    if len(rows) > lines:
        rows[lines - 1 :] = [_pieces(rows[lines - 1].rstrip(), width - 1)[0] + _MORE]
    return "\n".join(row.strip() for row in rows)


def _moves(character: str) -> bool:
    return unicodedata.category(character) in _MOVING or character in _TURNING


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _pieces(text: str, width: int) -> list[str]:
    """The text in pieces of at most that width, and of at least one character."""
    pieces = [""]
    for character in text:
        if pieces[-1] and _width(pieces[-1] + character.rstrip()) > width and not unicodedata.combining(character):
            pieces.append("")
        pieces[-1] += character
    return pieces


def _width(text: str) -> int:
    """In Latin letters."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1 for c in text
    )
