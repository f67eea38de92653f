"""Names in any script are drawn if a font for it is installed, and reported if none is."""

import warnings

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from transferability.figures import fonts
from transferability.figures.fonts import FAMILY, families_for, missing_characters, text_style, undrawable
from transferability.figures.style import figure_style, save

MADE = "Made For The Test"


def font_with(characters, path):
    """A font in which each of the characters is a square."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 700), (800, 700), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(c): "square" for c in characters})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (900, 0), "square": (900, 100)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": MADE, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)


def forget():
    for cached in (fonts._families, fonts._installed, fonts._characters):
        cached.cache_clear()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A machine that has a font for two Chinese characters besides those that ship with matplotlib."""
    font_with("汉字", tmp_path / "made.ttf")
    there = [font for font in fontManager.ttflist if "matplotlib" in font.fname]
    monkeypatch.setattr(fontManager, "ttflist", there)
    fontManager.addfont(tmp_path / "made.ttf")
    forget()
    yield
    forget()


@pytest.mark.usefixtures("installed")
def test_a_font_is_taken_for_what_the_usual_one_lacks_and_only_then():
    assert families_for("Straße, déjà vu, АБВ") == (FAMILY,)
    assert families_for("a 汉字") == (FAMILY, MADE)


@pytest.mark.usefixtures("installed")
def test_what_no_font_has_is_told_by_script_with_a_font_to_install():
    assert missing_characters(["汉字", "Straße", "\u200d\ufe0f "]) == ""
    told = missing_characters(["汉字猫", "हिन्दी", "🫠"])
    assert "Chinese, Japanese or Korean (U+732B)" in told
    assert "Devanagari (U+0926, U+0928, U+0939 and 3 more)" in told
    assert told.endswith("Install fonts such as Noto Sans Devanagari, Noto Sans CJK, Noto Emoji.")
    assert len(told.splitlines()) == 1


@pytest.mark.usefixtures("installed")
def test_the_font_is_drawn_with_in_pictures_and_in_documents_without_a_warning(tmp_path):
    def drawn(text):
        with figure_style():
            figure = Figure(figsize=(1, 1))
            figure.text(0, 0.5, text, **text_style(text))
            save(figure, tmp_path / "a.png", tmp_path / "a.pdf")
        return figure, (tmp_path / "a.png").read_bytes()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure, one = drawn("汉")
    assert undrawable(figure) == ""
    assert one == drawn("字")[1]  # both are squares
    figure, box = drawn("猫")
    assert "U+732B" in undrawable(figure)
    assert box != one
