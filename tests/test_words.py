"""Numbers as people read them."""

import pytest

from transferability.words import amount, counted, duration, enumerated, nats, plural, points


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0.4 s"),
        (36, "36 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (99 * 60, "99 min"),
        (7199, "2 h 0 min"),
        (12_000, "3 h 20 min"),
        (3600 * 3.5, "3 h 30 min"),
        (3600 * 47.999, "2 days 0 h"),
        (86400 * 1234, "1,234 days 0 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.012, "+1.2"), (-0.2, "−20.0"), (0.0, "0.0"), (-0.0004, "0.0"), (0.0006, "+0.1")]
)
def test_points_have_a_sign_unless_they_are_none(value, text):
    assert points(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.6171, "+0.617"), (-1.2, "−1.200"), (0.0004, "0.000"), (-0.0, "0.000")])
def test_nats_have_a_sign_unless_they_are_none(value, text):
    assert nats(value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (900, "0.9 kB"),
        (26_112, "26.1 kB"),
        (1.7e6, "1.7 MB"),
        (4e8, "0.40 GB"),
        (9.9e9, "9.90 GB"),
        (1.3e12, "1,300 GB"),
    ],
)
def test_small_amounts_are_not_nothing(size, text):
    assert amount(size) == text


def test_counts_have_a_plural():
    assert [counted(n, "network") for n in (0, 1, 2, 1234)] == [
        "0 networks",
        "1 network",
        "2 networks",
        "1,234 networks",
    ]
    assert plural(2, "class") == "classes"


@pytest.mark.parametrize(
    ("numbers", "text"), [([7], "7"), ([1, 2], "1, 2"), ([3, 2, 1, 5], "1-3, 5"), ([3, 5, 7], "3, 5, 7"), ([], "")]
)
def test_enumerations_join_what_follows_each_other(numbers, text):
    assert enumerated(numbers) == text
