"""What published weights are good for, in a sentence; and when networks of all classes are told at all."""

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
    """Networks of three seeds, at n = 1, 2 and so on, so many points below their bases and a little beside that."""
    return [
        ("whole", seed, name.format(n), 0.80 - drop / 100 + 0.001 * (seed - 1))
        for n, drop in enumerate(drops, start=1)
        for seed in (0, 1, 2)
    ]


def test_it_goes_as_deep_as_every_depth_is_within():
    told = advised(*series("P{}whole", 0.0, 1.0, 5.0, 0.0), *series("P{}whole+", 0.0, -3.0))
    assert told == (
        "published weights: copy and freeze up to conv2 at a drop of at most 2 points; "
        "fine-tuning all layers up to conv2 gains +3.0 ± 0.2 points"
    )


def test_what_only_the_mean_says_is_not_for_certain():
    assert "up to conv2 (by the mean; for certain, up to conv1) at" in advised(*series("P{}whole", 0.0, 1.9))


def test_none_can_be_kept_or_there_are_none():
    assert advised(*series("P{}whole", 9.0)) == (
        "published weights: no layer can be copied and frozen at a drop of at most 2 points"
    )
    assert advised(*series("R{}whole", 9.0)) == ""


@pytest.mark.parametrize(("name", "told"), [("P{}whole", True), ("whole{}whole", True), ("R{}whole", False)])
def test_all_classes_are_told_where_layers_are_reused(name, told):
    """Not where they are of random networks as in the paper, so that such studies tell what they told."""
    assert ("whole" in compared_types(of(*BASES, *series(name, 1.0)).accuracies)) == told
