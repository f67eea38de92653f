"""Networks of two data sets: the images that each sees, what distinguishes it, and what it copies from."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.support import Patterns, dying_after, files_in, train_until_it_dies, with_settings
from transferability.data.build import build_store
from transferability.data.splits import split_of_data_sets
from transferability.data.stream import GPUImages
from transferability.files import read_json
from transferability.inspection.findings import failures
from transferability.inspection.network_check import NetworkCheck
from transferability.records.checkpoints import CheckpointError
from transferability.store.reading import open_store
from transferability.study.names import Network
from transferability.study.settings import Preprocessing, RandomResizedCrop
from transferability.study.split_plan import TaskPlan
from transferability.training.evaluation import evaluate
from transferability.training.images import data_for, training_sample
from transferability.training.recipe import identity_of
from transferability.training.train import train

GRAY = Patterns(name="gray", class_count=6)
COLOR = Patterns(name="color", class_count=4, image_shape=(20, 20, 3), training_per_class=9, validation_per_class=3)
TASKS = {"A": TaskPlan("gray", group="even"), "B": TaskPlan("color")}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The stores, by half."""
    folder = tmp_path_factory.mktemp("stores")
    for source in (GRAY, COLOR):
        build_store(source, folder / source.name)
    return {"A": open_store(folder / "gray"), "B": open_store(folder / "color")}


@pytest.fixture
def of_two(recipe, stores):
    split = split_of_data_sets("to_color", TASKS, {half: store.classes for half, store in stores.items()})
    cropped = Preprocessing(crop=16, mirror=False, mean="own", scale=64.0)
    return with_settings(replace(recipe, store=stores, split=split), preprocessing=cropped)


def test_each_half_has_the_images_and_the_classes_of_its_own_store(of_two, stores):
    for half, classes, images in (("A", (0, 2, 4), 3 * 12), ("B", (0, 1, 2, 3), 4 * 9)):
        task = of_two.task(half)
        assert (task.store, task.classes) == (stores[half], classes)
        positions, targets = task.training()
        assert len(positions) == images
        assert [classes[target] for target in targets] == stores[half].labels[positions].tolist()


def test_all_networks_of_the_split_see_images_of_one_shape(of_two, running):
    assert of_two.seen_shape == (16, 16, 3)
    for half in "AB":
        stream, validation = data_for(of_two.task(half), of_two.settings, 0, running)
        assert stream.batch(0)[0].shape == (8, 3, 16, 16)
        assert next(validation.batches())[0].shape[1:] == (3, 16, 16)


def in_color(store):
    """A store with its gray images repeated in three channels, as color images."""
    images, sums = (np.repeat(rows[:], 3, axis=-1) for rows in (store.images, store.class_sums))
    return replace(store, images=images, class_sums=sums)


def seen_of(recipe, running):
    """Batches of training, of validation, and of the sample of the training images, of half A."""
    task = recipe.task("A")
    stream, validation = data_for(task, recipe.settings, 0, running)
    yield from (stream.batch(iteration)[0] for iteration in range(6))
    for images in (validation, training_sample(task, recipe.settings.preprocessing, 0, "cpu")):
        yield from (batch for batch, _ in images.batches())


@pytest.mark.parametrize("cache_bytes", [0.0, float("inf")])
@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(crop=0, mirror=False, mean="own", scale=64.0),
        Preprocessing(crop=12, mirror=True, mean="whole", scale=64.0),
        Preprocessing(crop=12, mirror=True, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)),
        Preprocessing(
            crop=12,
            mirror=True,
            mean="own",
            scale=64.0,
            random_resized_crop=RandomResizedCrop(scale=(0.2, 1.0), ratio=(0.75, 1.3)),
        ),
    ],
)
def test_gray_images_are_seen_as_color_images_of_three_equal_channels_to_the_bit(
    of_two, stores, running, preprocessing, cache_bytes
):
    of_two = with_settings(of_two, preprocessing=preprocessing)
    colored = replace(of_two, store={**stores, "A": in_color(stores["A"])})
    running = replace(running, cache_bytes=cache_bytes)
    found, expected = (list(seen_of(one, running)) for one in (of_two, colored))
    assert len(found) == len(expected) > 6
    assert all(torch.equal(images, wanted) for images, wanted in zip(found, expected, strict=True))


def test_a_gpu_sees_gray_images_so_too(of_two, running, monkeypatch):
    expected = list(seen_of(of_two, running))
    monkeypatch.setattr("transferability.data.stream.HostImages", GPUImages)  # which a CPU can hold as well
    found = list(seen_of(of_two, running))
    assert all(torch.equal(images, wanted) for images, wanted in zip(found, expected, strict=True))


def centered(of_two, stores, half, scale=1.0):
    """Both halves minus one's mean image, or each minus its own, with gray images in A and color ones as large in B."""
    color = np.random.default_rng(0).integers(0, 256, (len(stores["B"].labels), 16, 16, 3), dtype=np.uint8)
    training, labels = stores["B"].training, stores["B"].labels
    sums = [color[training][labels[training] == label].sum(0, dtype=np.uint32) for label in range(4)]
    of_one_size = {**stores, "B": replace(stores["B"], images=color, class_sums=np.stack(sums))}
    preprocessing = Preprocessing(crop=0, mirror=False, mean=half, scale=scale)
    return with_settings(replace(of_two, store=of_one_size), preprocessing=preprocessing)


@pytest.mark.parametrize("half", ["A", "B"])
@pytest.mark.parametrize("examples", [None, 2])
def test_both_halves_may_be_centered_by_all_training_images_of_one(of_two, stores, running, half, examples):
    by_half = centered(of_two, stores, half)
    positions, _ = by_half.task(half).training()
    mean = by_half.store[half].images[positions].astype(np.float64).mean(axis=0)
    for target in "AB":
        task = by_half.task_of(Network(target, examples_per_class=examples))
        stream, validation = data_for(task, by_half.settings, 0, running)
        sample = training_sample(task, by_half.settings.preprocessing, 0, "cpu")
        seen = [stream.batch(0)[0], *(images for on in (validation, sample) for images, _ in on.batches())]
        for images in seen:
            pixels = images.permute(0, 2, 3, 1).numpy() + mean
            assert np.allclose(pixels, pixels.round(), atol=1e-3)  # those of a store are whole numbers
            assert pixels.min() > -0.01
            assert pixels.max() < 255.01
    assert not np.allclose(mean, mean.round(), atol=1e-3)


def test_what_is_centered_by_a_half_is_told_from_others_by_its_images_too(of_two, stores):
    by_a, own = centered(of_two, stores, "A"), centered(of_two, stores, "own")
    base = identity_of(by_a, Network("B"), None)
    assert base["mean_data_set"] == "gray"
    assert base["mean_store_checksum"] == stores["A"].checksum
    assert base["mean_classes"] == ["class 000", "class 002", "class 004"]
    assert not [key for key in identity_of(own, Network("B"), None) if key.startswith("mean")]
    others = {**by_a.store, "A": replace(stores["A"], checksum="another")}
    assert identity_of(replace(by_a, store=others), Network("B"), None) != base
    assert identity_of(centered(of_two, stores, "B"), Network("B"), None) != base


def test_a_network_centered_by_a_half_is_evaluated_so_again(of_two, stores, running, tmp_path):
    by_a, own = (centered(of_two, stores, mean, scale=64.0) for mean in ("A", "own"))
    (network,) = files = files_in(tmp_path, "baseB")
    train(by_a, files, None, running)
    metrics = read_json(files[network].metrics)
    assert metrics["mean_store"] == stores["A"].folder
    assert failures(NetworkCheck(by_a, files[network]).findings(evaluated=True)) == []
    found, _ = evaluate(own, network, load_file(files[network].checkpoint), "cpu")
    assert found.loss != metrics["validation_cross_entropy"]


def test_the_identity_names_the_store_of_the_target_and_the_channels_only_where_they_are_not_its_own(of_two, stores):
    base_a, base_b = (identity_of(of_two, Network(half), None) for half in "AB")
    assert (base_a["data_set"], base_a["store_checksum"], base_a["channels"]) == ("gray", stores["A"].checksum, 3)
    assert (base_b["data_set"], base_b["store_checksum"]) == ("color", stores["B"].checksum)
    assert "channels" not in base_b


def test_a_copy_has_the_layers_of_the_base_of_the_other_data_set(of_two, running, tmp_path):
    files = files_in(tmp_path, "baseA", "A3B", "B2B")
    base, copy, _ = files
    train(of_two, {base: files[base]}, None, running)
    source = files[base].checkpoint
    train(of_two, {copy: files[copy]}, source, running)
    found, copied = load_file(files[copy].checkpoint), load_file(source)
    frozen = list(of_two.build(2)[:3].state_dict())
    assert frozen
    assert all(torch.equal(found[name], copied[name]) for name in frozen)
    selffer = Network.parse("B2B")
    with pytest.raises(CheckpointError, match="its network is 'baseA', not 'baseB'"):
        train(of_two, {selffer: files[selffer]}, source, running)


def test_a_source_that_was_trained_on_another_store_is_refused(of_two, stores, running, tmp_path):
    files = files_in(tmp_path, "baseA", "A3B")
    base, copy = files
    train(of_two, {base: files[base]}, None, running)
    others = {**stores, "A": replace(stores["A"], checksum="another")}
    with pytest.raises(CheckpointError, match=f"its store_checksum is '{stores['A'].checksum}', not 'another'"):
        train(replace(of_two, store=others), {copy: files[copy]}, files[base].checkpoint, running)


def test_a_killed_job_goes_on_and_ends_like_an_undisturbed_one(of_two, running, tmp_path):
    source = files_in(tmp_path, "baseA")
    train(of_two, source, None, running)
    (checkpoint,) = (file.checkpoint for file in source.values())
    undisturbed, killed = (files_in(tmp_path / name, "A1B+", "A4B+") for name in ("undisturbed", "killed"))
    train(of_two, undisturbed, checkpoint, running)
    again = replace(running, states=tmp_path / "again")
    train_until_it_dies(dying_after(12), of_two, killed, checkpoint, again)
    assert not any(file.checkpoint.exists() for file in killed.values())
    train(of_two, killed, checkpoint, again)
    assert [file.checkpoint.read_bytes() for file in killed.values()] == [
        file.checkpoint.read_bytes() for file in undisturbed.values()
    ]
