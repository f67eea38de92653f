"""Networks of halves by images: which data each sees, and what distinguishes them from others."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support import files_in, with_settings
from transferability.data.splits import split_by_images
from transferability.files import read_json
from transferability.records.checkpoints import read_about
from transferability.study.names import Network
from transferability.study.settings import Preprocessing
from transferability.training.images import data_for, training_sample
from transferability.training.recipe import digest_of, identity_of
from transferability.training.train import train


@pytest.fixture
def by_images(recipe):
    """The recipe with a split by images, where an image's first two pixels identify it."""
    store = recipe.store
    images = np.asarray(store.images[: len(store.labels)]).copy()
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.divmod(np.arange(len(images)), 16)
    recipe = with_settings(recipe, preprocessing=Preprocessing(crop=0, mirror=False, mean="whole", scale=1.0))
    return replace(recipe, store=replace(store, images=images), split=split_by_images(store.classes, "images0", seed=0))


def positions(recipe, images):
    """The positions in the store of a batch's images."""
    mean = recipe.store.mean_image(range(len(recipe.store.classes)))
    pixels = (images.permute(0, 2, 3, 1).numpy() + mean).round()
    return {int(image[0, 0, 0] * 16 + image[0, 1, 0]) for image in pixels}


def test_bases_of_both_halves_see_no_common_image_and_are_validated_on_all(by_images, running):
    trained, validated, sampled = {}, {}, {}
    for half in "AB":
        task = by_images.task(half)
        stream, validation = data_for(task, by_images.settings, by_images.seed, running)
        epochs = 2 * len(task.training()[0]) // by_images.hyperparameters.batch_size
        trained[half] = {p for i in range(epochs) for p in positions(by_images, stream.batch(i)[0])}
        validated[half] = {p for images, _ in validation.batches() for p in positions(by_images, images)}
        sample = training_sample(task, by_images.settings.preprocessing, by_images.seed, "cpu")
        sampled[half] = {p for images, _ in sample.batches() for p in positions(by_images, images)}
    store = by_images.store
    assert not trained["A"] & trained["B"]
    assert trained["A"] | trained["B"] == set(range(store.training_count))
    assert validated["A"] == validated["B"] == set(range(store.training_count, len(store.labels)))
    assert all(sampled[half] <= trained[half] for half in "AB")


@pytest.mark.parametrize("half", ["A", "B"])
def test_both_halves_may_be_centered_by_the_images_of_one(by_images, half):
    chosen, _ = by_images.task(half).training()
    expected = by_images.store.images[chosen].astype(np.float64).mean(axis=0).astype(np.float32)
    for target in "AB":
        assert np.array_equal(by_images.task(target).mean_image(half), expected)
    assert not np.array_equal(*(by_images.task(target).mean_image("own") for target in "AB"))


def test_the_seed_of_the_draw_is_of_the_identity_and_of_no_other_splits(recipe, by_images):
    base = Network("B")
    others = identity_of(recipe, base, None)
    assert list(others) == [
        *("network", "split", "seed", "classes", "data_set", "store_checksum"),
        *(*recipe.settings.to_json(), "source_sha256"),
    ]
    drawn = identity_of(by_images, base, None)
    assert drawn.keys() - others.keys() == {"images_seed"}
    again = replace(by_images, split=replace(by_images.split, seed=1))
    assert digest_of(identity_of(again, base, None)) != digest_of(drawn)


def test_networks_say_which_images_they_are_of(recipe, running, tmp_path):
    recipe = replace(recipe, split=split_by_images(recipe.store.classes, "images0", seed=0))
    files = files_in(tmp_path, "baseA", "A3B")
    bases, copies = ({network: files[network]} for network in files)
    train(recipe, bases, None, running)
    (base,) = bases.values()
    train(recipe, copies, base.checkpoint, running)
    (copy,) = copies.values()
    metrics = read_json(copy.metrics)
    assert (metrics["split_type"], metrics["classes"], metrics["validation_images"]) == ("images", 6, 30)
    assert metrics["made_from"]["images_seed"] == read_about(copy.checkpoint)["images_seed"] == 0
