"""The shapes of letters and symbols: which characters look different in every style, and their drawings.

They come from the outlines of the DejaVu fonts that ship with matplotlib, filled in integer arithmetic, so that every
machine draws them identically.
"""

import itertools
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

STYLES = tuple(
    f"DejaVu{family}{style}"
    for family, styles in {
        "Sans": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "SansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "Serif": ("", "-Bold", "-Italic", "-BoldItalic"),
    }.items()
    for style in styles
)
LETTER, SYMBOL = "letter", "symbol"

# Scripts and kinds of symbols to take classes from, in turn: Unicode blocks as (first, last). The capitals are
# Cyrillic, Latin, Greek, Armenian and Georgian; a style that lacks a script rules it out, as Sans Mono does Georgian.
_LETTER_BLOCKS = ((0x400, 0x52F), (0x41, 0x24F), (0x370, 0x3FF), (0x531, 0x556), (0x10A0, 0x10C5))
_SYMBOL_BLOCKS = ((0x2190, 0x21FF), (0x2500, 0x257F), (0x25A0, 0x25FF), (0x2200, 0x22FF), (0x2600, 0x26FF))

_DRAWING = 64  # side of a drawing in pixels
GLYPH = 58  # longer side of the glyph within its drawing
ONE = 1 << 12  # fixed-point 1
_STEPS = 8  # straight edges that replace a curve of an outline
# Two glyphs are twins if a drawing of one, rotated slightly, and a drawing of the other are more similar than this.
_TWINS = 0.905
_TURN = 0.08  # the tangent of half the angle: 9 degrees
_COARSE = 16  # side of the coarse images that are compared


def choose_characters(letters: int, symbols: int) -> dict[str, NDArray[np.int32]]:
    """Characters that every style has and that look different in all of them, with their drawings.

    Blocks take turns, each giving its next character that does not look like a letter or symbol chosen before.
    ValueError if there are not enough.
    """
    fonts = [FT2Font(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{style}.ttf"))) for style in STYLES]
    in_all = set.intersection(*(set(font.get_charmap()) for font in fonts))
    chosen: dict[str, NDArray[np.int32]] = {}
    seen = np.zeros((0, _COARSE**2))

    def is_new(drawings: NDArray[np.int32]) -> bool:
        return all((seen @ looks.T).max(initial=0.0) < _TWINS for looks in _looks_turned(drawings))

    def choose_next(candidates: Iterator[str]) -> bool:
        nonlocal seen
        for character in candidates:
            if not is_new(_drawing(fonts[0], character)[None]):
                continue  # without drawing it in the other styles
            drawings = np.stack([_drawing(font, character) for font in fonts])
            if is_new(drawings):
                chosen[character] = drawings
                seen = np.concatenate([seen, _looks(drawings)])
                return True
        return False

    for group, wanted, blocks in ((LETTER, letters, _LETTER_BLOCKS), (SYMBOL, symbols, _SYMBOL_BLOCKS)):
        turns = [_candidates(group, first, last, in_all) for first, last in blocks]
        found = 0
        while found < wanted and turns:
            block = turns.pop(0)
            if choose_next(block):
                found += 1
                turns.append(block)
        if found < wanted:
            raise ValueError(
                f"glyphs: {group}s is {wanted}, but only {found} look different in all styles; ask for at most {found}"
            )
    return chosen


def _candidates(group: str, first: int, last: int, in_all: set[int]) -> Iterator[str]:
    """Capitals without diacritics, or symbols, of a block that all styles have."""
    for character in (chr(code) for code in range(first, last + 1) if code in in_all):
        if group == LETTER:
            plain = "WITH" not in unicodedata.name(character) and not unicodedata.decomposition(character)
            suits = unicodedata.category(character) == "Lu" and plain
        else:
            suits = unicodedata.category(character) in ("So", "Sm")
        if suits:
            yield character


def _drawing(font: FT2Font, character: str) -> NDArray[np.int32]:
    """The glyph in the middle of a square, its longer side `GLYPH` pixels; zeros if it has no ink.

    Filled here, in integers, from the outline in font units, because FreeType's rendering differs between versions.
    """
    edges = _outline(font, character)
    if not len(edges):
        return np.zeros((_DRAWING, _DRAWING), dtype=np.int32)
    low, high = edges.min(axis=(0, 1)), edges.max(axis=(0, 1))
    longest = max(high - low)
    # To ticks, 32 per pixel, from the corner of the drawing; font units point up, rows down.
    ticks = ((2 * edges - low - high) * (16 * GLYPH)) // longest * (1, -1) + 16 * _DRAWING
    return _fill(ticks)


def _outline(font: FT2Font, character: str) -> NDArray[np.int64]:
    """The glyph's edges, N x (start, end) x (x, y) in 1/`_STEPS`^2 font units; a curve becomes `_STEPS` edges."""
    font.load_char(ord(character), flags=LoadFlags.NO_SCALE)
    vertices, codes = font.get_path()
    points = np.rint(np.asarray(vertices) * 64 * _STEPS**2).astype(np.int64)
    edges: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    pen = first = points[:1].reshape(-1)
    k = 0
    while k < len(codes):
        if codes[k] == Outline.MOVETO:
            pen = first = points[k]
        elif codes[k] == Outline.LINETO:
            edges.append((pen, points[k]))
            pen = points[k]
        elif codes[k] == Outline.CURVE3:
            control, end = points[k], points[k + 1]
            t = np.arange(_STEPS + 1)[:, None]
            curve = ((_STEPS - t) ** 2 * pen + 2 * t * (_STEPS - t) * control + t**2 * end) // _STEPS**2
            edges += itertools.pairwise(curve)
            pen = end
            k += 1
        elif codes[k] == Outline.CLOSEPOLY:
            edges.append((pen, first))
            pen = first
        k += 1
    return np.array(edges, dtype=np.int64).reshape(-1, 2, 2)


def _fill(edges: NDArray[np.int64]) -> NDArray[np.int32]:
    """Coverage, 0 to 255, of the area inside the edges, sampled 4 x 4 per pixel; edges in ticks, 32 per pixel."""
    side = 4 * _DRAWING
    (x0, y0), (x1, y1) = edges[:, 0].T, edges[:, 1].T
    # Sample row i lies at 8 i + 4; an edge crosses those from its upper end to just before its lower one.
    first, stop = (np.clip((y + 3) // 8, 0, side) for y in (np.minimum(y0, y1), np.maximum(y0, y1)))
    edge = np.repeat(np.arange(len(edges)), stop - first)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(stop - first) - stop, stop - first)
    crossing = x0[edge] + (8 * rows + 4 - y0[edge]) * (x1 - x0)[edge] // (y1 - y0)[edge]
    column = np.clip((crossing + 3) // 8, 0, side)  # the first sample at or right of the crossing
    turns = np.zeros((side, side + 1), dtype=np.int32)
    np.add.at(turns, (rows, column), np.sign(y1 - y0)[edge])
    inside = turns.cumsum(axis=1)[:, :-1] != 0
    coverage: NDArray[np.int32] = (
        inside.reshape(_DRAWING, 4, _DRAWING, 4).sum(axis=(1, 3), dtype=np.int32) * 255 + 8
    ) // 16
    return coverage


def cosine_and_sine(half_turn: float) -> tuple[float, float]:
    """For the angle whose half has this tangent, by basic arithmetic alone, which every machine rounds alike."""
    square = half_turn * half_turn
    return (1 - square) / (1 + square), 2 * half_turn / (1 + square)


def _looks_turned(drawings: NDArray[np.int32]) -> Iterator[NDArray[np.float64]]:
    """The looks of drawings as they are, and rotated slightly either way."""
    yield _looks(drawings)
    for half_turn in (_TURN, -_TURN):
        cosine, sine = cosine_and_sine(half_turn)
        inverse = np.rint(np.array([[cosine, -sine, 0], [sine, cosine, 0]]) * 2 * ONE).astype(np.int64)
        yield _looks(warp(drawings, np.stack([inverse] * len(drawings)), _DRAWING // 2))


def _looks(drawings: NDArray[Any]) -> NDArray[np.float64]:
    """Drawings as coarse unit vectors, whose dot products measure similarity regardless of size."""
    count, pool = len(drawings), drawings.shape[1] // _COARSE
    coarse = drawings.reshape(count, _COARSE, pool, _COARSE, pool).sum(axis=(2, 4))
    padded = np.pad(coarse, ((0, 0), (1, 1), (1, 1)))
    blurred = sum(padded[:, i : i + _COARSE, j : j + _COARSE] for i in range(3) for j in range(3))
    vectors = np.asarray(blurred, dtype=np.float64).reshape(count, -1)
    unit: NDArray[np.float64] = vectors / np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    return unit


def warp(drawings: NDArray[np.int32], inverse: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Drawings seen through inverse affine maps: N x size x size, 0 to 255, each pixel the mean of 2 x 2 samples."""
    ticks = (2 * np.arange(2 * size) + 1 - 2 * size) * (ONE // 4)  # centers of half pixels, from the image's center
    across, down = ticks[None, None, :], ticks[None, :, None]
    a, b, c, d, e, f = (inverse[:, i, j, None, None] for i in range(2) for j in range(3))
    center = (_DRAWING * ONE - ONE) // 2
    x = ((a * across + b * down) >> 12) + c + center
    y = ((d * across + e * down) >> 12) + f + center
    padded = np.pad(drawings, ((0, 0), (1, 2), (1, 2)))  # samples beyond the drawing see nothing
    column, row = (np.clip(v >> 12, -1, _DRAWING) + 1 for v in (x, y))
    right, lower = (np.where((v >= -ONE) & (v < ONE * _DRAWING), v & (ONE - 1), 0) >> 6 for v in (x, y))
    which = np.arange(len(drawings))[:, None, None]
    upper_row = padded[which, row, column] * (64 - right) + padded[which, row, column + 1] * right
    lower_row = padded[which, row + 1, column] * (64 - right) + padded[which, row + 1, column + 1] * right
    looks = upper_row * (64 - lower) + lower_row * lower
    means: NDArray[np.int64] = looks.reshape(len(drawings), size, 2, size, 2).sum(axis=(2, 4))
    return (means + (1 << 13)) >> 14
