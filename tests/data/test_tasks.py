"""Tasks: which images they are of, in which order, and the mean of these."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from transferability.data.tasks import (
    Examples,
    Task,
    TooFewImagesError,
    drawn_of_each_class,
    first_of_each_class,
    halves_of_images,
    rank_in_class,
)
from transferability.store.reading import open_store


@pytest.fixture
def store(store_folder):
    return open_store(store_folder)


@pytest.fixture
def task(store):
    return Task(store, (1, 4, 5), "A", "random0")


def first(task, per_class):
    """The task with the first images of each class only."""
    return replace(task, examples=Examples(per_class, seed=None))


def test_training_and_validation_share_no_sample(store):
    whole = Task(store, tuple(range(len(store.classes))), "whole", "whole")
    training, validation = {*whole.training()[0]}, {*whole.validation()[0]}
    assert not training & validation
    assert len(training | validation) == len(store.labels)


def test_targets_are_places_among_the_classes(store, task):
    for positions, targets in (task.training(), task.validation()):
        assert [task.classes[target] for target in targets] == store.labels[positions].tolist()
        assert positions.tolist() == sorted(positions)
    assert task.class_names == ["class 001", "class 004", "class 005"]


def test_first_of_each_class():
    targets = np.array([1, 0, 1, 1, 0, 2])
    assert first_of_each_class(targets, 1).tolist() == [0, 1, 5]
    assert first_of_each_class(targets, 2).tolist() == [0, 1, 2, 4, 5]


def test_of_few_examples_the_first_of_each_class_are_trained_on(task):
    (positions, targets), (every, of_every) = first(task, 2).training(), task.training()
    for target in range(3):
        assert positions[targets == target].tolist() == every[of_every == target][:2].tolist()


@pytest.mark.parametrize("examples", [None, 1, 3, 100])
def test_the_mean_image_is_of_what_the_network_is_trained_on(store, task, examples):
    task = first(task, examples) if examples else task
    positions, _ = task.training()
    expected = store.images[positions].astype(np.float64).mean(axis=0).astype(np.float32)
    assert np.array_equal(task.mean_image("own"), expected)
    of_all = store.images[store.training].astype(np.float64).mean(axis=0).astype(np.float32)
    assert np.array_equal(task.mean_image("whole"), of_all)


def test_chance_is_the_share_of_the_commonest_class(task):
    facts = task.guessing_facts()
    assert facts.pop("guessing_loss") == pytest.approx(np.log(3))
    assert facts == {"classes": 3, "validation_images": 15, "majority_baseline": 1 / 3}


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_with_smoothed_labels_guessing_is_no_answer_that_ignores_images_better(store, task, smoothing):
    """The classes have 12, 12 and 1 images; no constant answer does better against the smoothed targets."""
    labels = store.labels.copy()
    labels[np.flatnonzero(labels[store.training] == task.classes[2])[1:]] = next(iter({*range(6)} - {*task.classes}))
    task = replace(task, store=replace(store, labels=labels))
    targets = torch.from_numpy(task.training()[1])
    assert torch.bincount(targets).tolist() == [12, 12, 1]
    found = task.guessing_facts(label_smoothing=smoothing)["guessing_loss"]
    answers = np.random.default_rng(0).dirichlet((1, 1, 0.3), 3000)
    losses = [
        cross_entropy(torch.from_numpy(answer).log().expand(25, 3), targets, label_smoothing=smoothing).item()
        for answer in answers
    ]
    assert found == pytest.approx(min(losses), abs=0.01)
    assert found <= min(losses)


def test_a_mean_of_numbers_is_theirs_on_the_scale_of_the_pixels(task):
    mean = task.mean_image((0.4,))
    assert mean.shape == (16, 16, 1)
    assert np.allclose(mean, 0.4 * 255)


def test_ranks_count_the_samples_of_the_class_before():
    targets = np.random.default_rng(0).integers(0, 5, 200)
    assert rank_in_class(targets).tolist() == [(targets[:i] == target).sum() for i, target in enumerate(targets)]


def test_the_training_sample_has_as_many_images_of_each_class_as_validation(store, task):
    """Of a class that has fewer, it has all."""
    labels = store.labels.copy()
    validation = np.arange(store.training_count, len(labels))
    few, many = (np.flatnonzero(labels[part] == label) for part, label in ((validation, 1), (store.training, 4)))
    labels[validation[few[2:]]] = 0  # of class 1, two validation images are left
    labels[many[3:]] = 0  # and three training images of class 4
    task = replace(task, store=replace(store, labels=labels))
    positions, targets = task.training_sample(seed=0)
    assert np.bincount(targets).tolist() == [2, 3, 5]
    assert labels[positions].tolist() == [task.classes[target] for target in targets]
    assert (np.diff(positions) > 0).all()
    assert set(positions) <= set(task.training()[0])


def test_the_training_sample_is_of_the_seed_the_split_and_the_target(task):
    sample, _ = task.training_sample(seed=0)
    assert np.array_equal(task.training_sample(seed=0)[0], sample)
    others = (replace(task, split="random1"), 0), (replace(task, target="B"), 0), (task, 1)
    for other, seed in others:
        assert not np.array_equal(other.training_sample(seed)[0], sample)


def test_the_sample_of_reduced_networks_is_of_what_they_are_trained_on(task):
    positions, _ = first(task, 2).training_sample(0)
    assert np.array_equal(positions, first(task, 2).training()[0])
    positions, _ = first(task, 8).training_sample(0)
    assert len(positions) == 15
    assert set(positions) <= set(first(task, 8).training()[0])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 2**32 - 1))
def test_halves_of_images_share_none_and_have_as_many_of_each_class(targets, seed):
    targets = np.array(targets)
    halves = halves_of_images(targets, seed)
    assert not {*halves[0]} & {*halves[1]}
    for half in halves:
        assert half.tolist() == sorted({*half})
        assert np.bincount(targets[half], minlength=5).tolist() == (np.bincount(targets, minlength=5) // 2).tolist()


def test_halves_of_images_are_of_their_seed():
    targets = np.repeat([0, 1, 2], 20)
    first, again, other = (halves_of_images(targets, seed) for seed in (0, 0, 1))
    for mine, same, different in zip(first, again, other, strict=True):
        assert np.array_equal(mine, same)
        assert not np.array_equal(mine, different)


def test_halves_of_images_by_value():
    """If a later version drew them differently, finished bases could have seen the images of new copies."""
    half_a, half_b = halves_of_images(np.array([0, 0, 1, 0, 1, 1, 0, 1, 1]), 0)
    assert (half_a.tolist(), half_b.tolist()) == ([0, 3, 7, 8], [1, 4, 5, 6])


@pytest.fixture
def by_images(store):
    return [Task(store, tuple(range(len(store.classes))), half, "images0", images_seed=0) for half in "AB"]


def test_by_images_all_that_is_told_of_training_is_of_the_own_images(store, by_images):
    """The mean image, the sample, the few of each class, and how common each class is."""
    trained = [set(task.training()[0]) for task in by_images]
    assert not trained[0] & trained[1]
    for task, own in zip(by_images, trained, strict=True):
        assert own < set(range(store.training_count))
        expected = store.images[sorted(own)].astype(np.float64).mean(axis=0).astype(np.float32)
        assert np.array_equal(task.mean_image("own"), expected)
        assert set(task.training_sample(seed=0)[0]) <= own
        assert set(first(task, 2).training()[0]) <= own
    assert not np.array_equal(*(task.mean_image("own") for task in by_images))
    assert np.array_equal(*(task.mean_image("whole") for task in by_images))


def test_a_mean_image_is_read_once_and_nobody_can_change_it(store, by_images):
    read = []

    class Watched:
        shape = store.images.shape

        def __getitem__(self, positions):
            read.append(len(positions))
            return store.images[positions]

    task = replace(by_images[0], store=replace(store, images=Watched()))
    expected = task.mean_image("own")
    once = sum(read)
    assert once == len(task.training()[0])
    task.mean_image("own")[:] = 0
    assert np.array_equal(task.mean_image("own"), expected)
    assert sum(read) == once
    assert not np.array_equal(first(task, 2).mean_image("own"), expected)


def test_by_images_guessing_is_by_how_common_classes_are_among_the_own(store, by_images):
    labels = store.labels.copy()
    labels[store.training][labels[store.training] > 1] = 0  # classes 0 and 1 are left, 60 and 12 images
    task = replace(by_images[0], store=replace(store, labels=labels), classes=(0, 1))
    shares = np.array([30, 6]) / 36
    assert len(task.training()[0]) == 36
    assert task.guessing_facts()["guessing_loss"] == pytest.approx(-(shares * np.log(shares)).sum())


def test_by_images_both_are_validated_on_the_same(store, by_images):
    (one, targets), (other, others) = (task.validation() for task in by_images)
    assert one.tolist() == other.tolist() == list(range(store.training_count, len(store.labels)))
    assert targets.tolist() == others.tolist()


def few(task, per_class, seed=0):
    return replace(task, examples=Examples(per_class, seed))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 9), st.integers(0, 2**31))
def test_few_images_are_so_many_of_each_class_and_among_the_more(targets, examples, seed):
    targets = np.array(targets)
    drawn = drawn_of_each_class(targets, examples, seed, "random0", "A")
    assert drawn.tolist() == sorted({*drawn})
    there = np.bincount(targets, minlength=5)
    assert np.bincount(targets[drawn], minlength=5).tolist() == np.minimum(there, examples).tolist()
    assert {*drawn} <= {*drawn_of_each_class(targets, examples + 1, seed, "random0", "A")}


def test_few_images_are_of_the_seed_the_split_and_the_target(task):
    images, _ = few(task, 4).training()
    assert np.array_equal(few(task, 4).training()[0], images)
    for other in (few(task, 4, seed=1), few(replace(task, split="random1"), 4), few(replace(task, target="B"), 4)):
        assert not np.array_equal(other.training()[0], images)
    assert not np.array_equal(first(task, 4).training()[0], images)


def test_few_images_by_value():
    """If a later version drew them differently, a base and its copies would have seen different images."""
    targets = np.repeat([0, 1, 2], 6)
    assert drawn_of_each_class(targets, 2, 0, "random0", "B").tolist() == [0, 5, 7, 10, 12, 14]


def test_of_few_images_are_the_mean_the_sample_and_the_guessing_and_validation_is_of_all(store, task):
    on_few = few(task, 3)
    positions, targets = on_few.training()
    assert np.bincount(targets).tolist() == [3, 3, 3]
    expected = store.images[positions].astype(np.float64).mean(axis=0).astype(np.float32)
    assert np.array_equal(on_few.mean_image("own"), expected)
    assert not np.array_equal(on_few.mean_image("own"), task.mean_image("own"))
    assert set(on_few.training_sample(0)[0]) <= set(positions)
    assert on_few.guessing_facts() == task.guessing_facts()
    for one, other in zip(on_few.validation(), task.validation(), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(on_few.all_training()[0], task.training()[0])


def test_more_images_than_a_class_has_are_refused_by_its_name(store, task):
    labels = store.labels.copy()
    labels[np.flatnonzero(labels[store.training] == 4)[3:]] = 0
    task = replace(task, store=replace(store, labels=labels))
    assert len(few(task, 3).training()[0]) == 9
    with pytest.raises(
        TooFewImagesError, match="asks for 4 images per class, but in random0 the class class 004 has 3"
    ):
        few(task, 4).training()


def test_by_images_few_are_of_the_own(by_images):
    own = [set(few(task, 4).training()[0]) for task in by_images]
    assert not own[0] & own[1]
    for task, images in zip(by_images, own, strict=True):
        assert images <= set(task.training()[0])
        with pytest.raises(TooFewImagesError, match="has 6 training images"):
            few(task, 7).training()
