"""Names as pages, figures and logs show them: whole, visible, and wrapped where a reader would break them.

Files keep names unchanged. What is shown differs only in characters that would disturb the text around them.
"""

import re
import unicodedata

# Marks that change the direction of the text after them, and the byte order mark. Not right-to-left letters, which
# affect only themselves, nor joiners, which shape adjacent letters.
_TURNING = {*map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))), "\ufeff"}
_MOVING = {"Cc", "Cs", "Zl", "Zp"}  # control characters, surrogates, line and paragraph separators
_BREAK = re.compile(r"(?<=[\s_\-./\\,;:|+])(?=[^\s_\-./\\,;:|+])")
_MORE = "…"


def visible(text: str, keep: str = "") -> str:
    """The text with an escape, such as ``\\r``, for each character that would break its line or change its direction.

    Args:
        text: any text.
        keep: characters that stay as they are.
    """
    return "".join(_escaped(c) if c not in keep and _moves(c) else c for c in text)


def reason_of(error: Exception) -> str:
    """An unexpected error on one line: its type and its message."""
    return f"{type(error).__name__}: {' '.join(visible(str(error), keep=chr(10)).split())}"


def wrapped(name: str, width: int, lines: int = 3) -> str:
    """A name on at most ``lines`` lines, broken after spaces and signs such as ``_`` if possible; ``…`` ends a cut.

    Args:
        name: any text; see `visible`.
        width: of a line, in Latin letters; wide characters, such as Chinese ones, count as two.
        lines: the maximum number of lines.
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
    """The text in pieces of at most this width and at least one character."""
    pieces = [""]
    for character in text:
        if pieces[-1] and _width(pieces[-1] + character.rstrip()) > width and not unicodedata.combining(character):
            pieces.append("")
        pieces[-1] += character
    return pieces


def _width(text: str) -> int:
    """Width in Latin letters."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1 for c in text
    )
