"""What published weights are good for, in a sentence, and when networks of all classes are reported at all."""

import pytest

from tests.results.support import frame, results
from transferability.results.advice import advice
from transferability.results.pairs import compared_types
from transferability.results.reuse import reusable

GUESSING = {"classes": 10, "validation_images": 1000, "majority_baseline": 0.1, "guessing_loss": 2.3}
BASES = [("whole", seed, "basewhole", 0.80) for seed in (0, 1, 2)]


def of(*rows):
    return results(frame(*rows, **GUESSING, lowest_training_loss=0.0))


def advised(*rows):
    found = of(*BASES, *rows)
    return advice(found.accuracies, reusable(found), found.max_drop)


def series(name, *drops):
    """Networks of three seeds at n = 1, 2 and so on, about this many points below their bases."""
    return [
        ("whole", seed, name.format(n), 0.80 - drop / 100 + 0.001 * (seed - 1))
        for n, drop in enumerate(drops, start=1)
        for seed in (0, 1, 2)
    ]


def test_the_best_is_named_and_how_deep_every_depth_is_within():
    told = advised(*series("P{}whole", 0.0, 1.0, 5.0, 0.0), *series("P{}whole+", 0.0, -3.0))
    assert told == (
        "published weights: the highest accuracy, 83.0 %, is with layers up to conv2 fine-tuned, +3.0 ± 0.2 points "
        "over base, the best of 6 choices and so a little optimistic; "
        "layers up to conv2 can be copied and frozen at a drop of at most 2 points"
    )


def test_the_best_is_not_the_deepest_that_is_tolerated():
    told = advised(*series("P{}whole", 0.0, -9.0, -5.0))
    assert "the highest accuracy, 89.0 %, is with layers up to conv2 frozen, +9.0 ± 0.2 points over base" in told
    assert "layers up to conv3 can be copied and frozen" in told


def test_of_one_choice_none_is_the_best_and_of_one_seed_there_is_no_interval():
    told = advised(*[row for row in series("P{}whole", 1.0) if row[1] == 1])
    assert told.startswith(
        "published weights: the highest accuracy, 79.0 %, is with layers up to conv1 frozen, −1.0 (no interval) points"
    )
    assert "optimistic" not in told
    assert "can be copied and frozen at a drop of at most 2 points (by the mean; certain at no n)" in told


def test_what_only_the_mean_says_is_not_for_certain():
    assert "up to conv2 can be copied and frozen at a drop of at most 2 points (by the mean; certain at n = 1)" in (
        advised(*series("P{}whole", 0.0, 1.9))
    )
    assert "(by the mean; certain at n = 2, 3)" in advised(*series("P{}whole", 1.9, 0.0, -1.0))


def test_none_can_be_kept_or_there_are_none():
    assert advised(*series("P{}whole", 9.0)).endswith(
        "base; no layer can be copied and frozen at a drop of at most 2 points"
    )
    assert advised(*series("R{}whole", 9.0)) == ""


@pytest.mark.parametrize(("name", "told"), [("P{}whole", True), ("whole{}whole", True), ("R{}whole", False)])
def test_all_classes_are_told_where_layers_are_reused(name, told):
    """They are not where only random networks use all classes, as in the paper; such studies report what they did."""
    assert ("whole" in compared_types(of(*BASES, *series(name, 1.0)).accuracies)) == told
