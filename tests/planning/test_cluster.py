from dataclasses import replace

import pytest

from transferability.planning.cluster import START_MB, START_MINUTES, store_mb, training_mb, training_minutes

MANIFEST = {"training": 1_000_000, "validation": 50_000, "image_shape": [256, 256, 3]}


@pytest.fixture
def settings(recipe):
    return replace(recipe.hyperparameters, iterations=60_000, batch_size=100, evaluate_every=6_000)


def test_time_goes_by_the_images_that_are_seen(settings):
    """Twice the time for 6,000,000 training images and eleven evaluations of 50,000, at 1000 images per second."""
    assert training_minutes(settings, 1, MANIFEST, 1000, longest=9999) == START_MINUTES + 219
    assert training_minutes(settings, 7, MANIFEST, 1000, longest=9999) == START_MINUTES + 1529
    assert training_minutes(settings, 1, MANIFEST, 2000, longest=9999, attempt=2) == START_MINUTES + 219


def test_no_attempt_asks_for_more_than_the_longest_time(settings):
    assert training_minutes(settings, 7, MANIFEST, 1000, longest=1440) == 1440
    assert training_minutes(settings, 1, MANIFEST, 1000, longest=1440, attempt=20) == 1440


def test_memory_holds_what_the_loader_may_hold():
    assert training_mb(MANIFEST, cache_gb=4, networks=7) == START_MB + 8000 + 7000
    small = MANIFEST | {"training": 900, "validation": 100, "image_shape": [100, 100, 1]}
    assert training_mb(small, cache_gb=4, networks=1) == START_MB + 20 + 1000
    assert training_mb(small, cache_gb=4, networks=1, attempt=3) == 3 * (START_MB + 1020)


def test_a_store_takes_more_with_more_threads():
    assert store_mb(16) > store_mb(1) > START_MB
