"""Names as they are shown: nothing in them moves the text around, and long ones are broken at sensible places."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferability.labels import visible, wrapped


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\rb", r"a\rb"),
        ("c\u2028d", r"c\u2028d"),
        ("\x85\x1b[31m\t", r"\x85\x1b[31m\t"),
        ("\ufeffx\u202ey", r"\ufeffx\u202ey"),
        ("$1_$2 <b>&amp; it's 猫 قط 🐈", "$1_$2 <b>&amp; it's 猫 قط 🐈"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_what_would_move_other_text_is_shown_as_an_escape_and_all_else_as_it_is(name, shown):
    assert visible(name) == shown


@given(st.text())
def test_what_is_shown_is_one_line(name):
    assert len(f"<{visible(name)}>".splitlines()) == 1
    assert not any(unicodedata.category(character) == "Cc" for character in visible(name))


def test_what_is_to_be_kept_is_kept():
    assert visible("a\nb\rc", keep="\n") == "a\nb\\rc"


@pytest.mark.parametrize(
    ("name", "width", "lines"),
    [
        ("short", 26, "short"),
        (
            "very-long-file-name.with.dots_and_underscores-2023",
            20,
            "very-long-file-name.\nwith.dots_and_\nunderscores-2023",
        ),
        ("wide brown dog", 10, "wide brown\ndog"),
        ("x" * 12, 5, "xxxxx\nxxxxx\nxx"),
        ("猫" * 5, 4, "猫猫\n猫猫\n猫"),
        ("x" * 99, 5, "xxxxx\nxxxxx\nxxxx…"),
    ],
)
def test_long_names_are_broken_behind_signs_else_anywhere_and_cut_with_a_mark(name, width, lines):
    assert wrapped(name, width) == lines


@given(st.text(), st.integers(2, 30), st.integers(1, 5))
def test_lines_are_no_wider_and_no_more_than_asked_for(name, width, lines):
    rows = wrapped(name, width, lines).split("\n")
    assert len(rows) <= lines
    assert all(sum(not unicodedata.combining(c) for c in row) <= width for row in rows)


@given(st.text(), st.integers(2, 30))
def test_breaking_loses_nothing_but_spaces(name, width):
    assert "".join(wrapped(name, width, lines=999).split()) == "".join(visible(name).split())
