"""Validation images sharper or softer than training images are found, and reported wherever a split is."""

from dataclasses import replace

import numpy as np
import pytest

from transferability.data.sharpness import unlike_in_words, unlike_sharpness, without_sharpness
from transferability.data.splits import random_split, split_to_json
from transferability.data.tasks import Task
from transferability.store.reading import open_store
from transferability.store.source import ImageClass


@pytest.fixture
def store(store_folder):
    return open_store(store_folder)


def store_of(store, sharpness, images=100, classes=4):
    """Random images, with validation images this many times as sharp around their mean."""
    pixels = np.random.default_rng(0).normal(0, 20, (2 * images, 16, 16, 3))
    pixels[images:] *= sharpness
    return replace(
        store,
        images=np.clip(pixels + 128, 0, 255).astype(np.uint8),
        labels=np.arange(2 * images) % classes,
        classes=tuple(ImageClass(f"{index:04}") for index in range(classes)),
        training_count=images,
    )


def task_of(store):
    return Task(store, tuple(range(len(store.classes))), "whole", "whole")


@pytest.mark.parametrize(
    ("sharpness", "is_told"), [(0.7, True), (0.95, False), (1.0, False), (1.05, False), (1.4, True)]
)
def test_parts_are_unlike_where_one_is_sharper_by_more_than_a_tenth(store, sharpness, is_told):
    found = unlike_sharpness(task_of(store_of(store, sharpness)))
    assert (found is not None) == is_told
    if found:
        assert found.validation / found.training == pytest.approx(sharpness, rel=0.05)


@pytest.mark.parametrize("images", [4, 8])
def test_a_handful_of_images_that_vary_among_themselves_tells_nothing(store, images):
    few = store_of(store, 1.0, images)
    spread = np.random.default_rng(1).uniform(0.3, 1.7, (len(few.labels), 1, 1, 1))
    varied = replace(few, images=(128 + (few.images.astype(float) - 128) * spread).clip(0, 255).astype(np.uint8))
    assert unlike_sharpness(task_of(varied)) is None


@pytest.mark.parametrize("side", [1, 16])
@pytest.mark.parametrize("training", [1, 4])
def test_of_one_image_or_pixel_nothing_is_told_and_nothing_fails(store, side, training):
    alike = store_of(store, 1.0, 4, classes=1)
    kept = [*range(training), *range(4, 8)]
    tiny = replace(alike, images=alike.images[kept, :side, :side], labels=alike.labels[kept], training_count=training)
    assert unlike_sharpness(task_of(tiny)) is None


def test_classes_of_which_validation_has_another_share_are_not_taken_for_it(store):
    """Half of the classes are sharp, and each of them has three times as many validation images as any other."""
    alike = store_of(store, 1.0, images=400)
    sharp = np.where(alike.labels < 2, 3.0, 1.0)[:, None, None, None]
    images = (128 + (alike.images.astype(float) - 128) * sharp / 3).astype(np.uint8)
    kept = np.flatnonzero((np.arange(800) < 400) | (alike.labels < 2) | (np.arange(800) % 3 == 0))
    uneven = replace(alike, images=images[kept], labels=alike.labels[kept])
    assert unlike_sharpness(task_of(uneven)) is None


def test_nor_are_classes_of_which_there_are_more_validation_images_than_training_images(store):
    """Of the classes in the sharp half, there are three times as many validation images as training images."""
    alike = store_of(store, 1.0, images=400)
    sharp = np.where(alike.labels < 2, 3.0, 1.0)[:, None, None, None]
    images = (128 + (alike.images.astype(float) - 128) * sharp / 3).astype(np.uint8)
    kept = np.flatnonzero((np.arange(800) >= 400) | (alike.labels >= 2) | (np.arange(800) % 3 == 0))
    uneven = replace(alike, images=images[kept], labels=alike.labels[kept], training_count=int((kept < 400).sum()))
    assert unlike_sharpness(task_of(uneven)) is None


def test_the_file_of_a_split_and_words_tell_of_it_and_of_nothing_else(store):
    unlike, alike = (store_of(store, sharpness) for sharpness in (1.4, 1.0))
    split = random_split(unlike.classes, "random0", 0)
    content = split_to_json(split, unlike)
    told = unlike_in_words(content)
    for half in "AB":
        found = content["halves"][half]["sharpness"]
        assert found["validation"] > 1.3 * found["training"]
        assert f"{found['validation']:.1f} gray levels in validation images of {half} and" in told
    assert without_sharpness(content)["halves"]["A"].keys() == content["halves"]["A"].keys() - {"sharpness"}
    content = split_to_json(split, alike)
    assert content == without_sharpness(content)
    assert "sharpness" not in content["halves"]["A"]
    assert unlike_in_words(content) == ""
