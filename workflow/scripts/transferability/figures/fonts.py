"""Fonts for names in any script: which installed fonts have their characters, and which characters no font has."""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

FAMILY = "DejaVu Sans"  # ships with matplotlib, so a figure looks the same on every machine
_BOXES = "Last Resort"  # also ships with it, and has a box for every character
_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH")
_EAST_ASIAN, _SYMBOLS = "Chinese, Japanese or Korean", "symbols"
_SHOWN = 3


def text_style(text: str) -> dict[str, Any]:
    """Settings with which matplotlib draws a name literally, not as math, in fonts that have its characters."""
    return {"parse_math": False, "usetex": False, "fontfamily": list(families_for(text))}


def families_for(text: str) -> tuple[str, ...]:
    """The font families for drawing a text: the default first, then others for the characters that it lacks."""
    return _families(frozenset(text) - _characters_of_family(FAMILY))


def missing_characters(texts: Iterable[str]) -> str:
    """A sentence about the characters that no installed font has and what to install; empty if there are none."""
    wanted = frozenset().union(*texts) - _characters_of_family(FAMILY)
    lacking = wanted.difference(*map(_characters_of_family, _families(wanted)))
    by_script: dict[str, list[str]] = {}
    for character in sorted(lacking):
        if not _is_unseen(character):
            by_script.setdefault(_script(character), []).append(f"U+{ord(character):04X}")
    if not by_script:
        return ""
    found = "; ".join(f"{script} ({_some(codes)})" for script, codes in by_script.items())
    fonts = ", ".join(dict.fromkeys(map(_font_of_script, by_script)))
    return f"no installed font has these characters, which are drawn as boxes: {found}. Install fonts such as {fonts}."


def undrawable(figure: Figure) -> str:
    """`missing_characters` of all text in a figure."""
    return missing_characters([text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)])


@cache
def _families(characters: frozenset[str]) -> tuple[str, ...]:
    """The default family and, for the characters that it lacks, others, each time the one that has the most of them."""
    families, left = [FAMILY], set(characters)
    while left:
        best = max(_installed(), key=lambda font: len(left & _characters(font.fname, font.index)), default=None)
        found = left & _characters(best.fname, best.index) if best else set()
        if best is None or not found:
            break
        families.append(best.name)
        left -= found
    return tuple(families)


@cache
def _installed() -> Sequence[FontEntry]:
    """Upright fonts of regular weight, sans serif ones first, as far as their names say so."""
    fonts = {
        (font.name, font.fname): font
        for font in fontManager.ttflist
        if font.style == "normal" and _is_regular(font.weight) and not font.name.startswith((_BOXES, "STIX", "cm"))
    }
    return [fonts[key] for key in sorted(fonts, key=lambda key: ("Sans" not in key[0], "Mono" in key[0], key))]


def _is_regular(weight: object) -> bool:
    return weight in ("normal", "regular", "book", "medium", 400, 500)


def _characters_of_family(family: str) -> frozenset[str]:
    return frozenset().union(*(_characters(f.fname, f.index) for f in _installed() if f.name == family))


@cache
def _characters(path: str, index: int) -> frozenset[str]:
    """All characters that a font has a glyph for; none if it cannot be read."""
    try:
        return frozenset(map(chr, FT2Font(path, face_index=index).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _is_unseen(character: str) -> bool:
    """Whether a character is invisible, so that its glyph is not missed: a space, joiner or variation selector."""
    is_selector = unicodedata.name(character, "").startswith("VARIATION SELECTOR")
    return character.isspace() or is_selector or unicodedata.category(character) == "Cf"


def _script(character: str) -> str:
    """The first word of a character's name, which for letters and their marks is their script."""
    name = unicodedata.name(character, "")
    if name.startswith(_CJK):
        return _EAST_ASIAN
    return name.partition(" ")[0].title() if unicodedata.category(character)[0] in "LM" and name else _SYMBOLS


def _font_of_script(script: str) -> str:
    return {_EAST_ASIAN: "Noto Sans CJK", _SYMBOLS: "Noto Emoji"}.get(script, f"Noto Sans {script}")


def _some(codes: Sequence[str]) -> str:
    return ", ".join(codes[:_SHOWN]) + (f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else "")
