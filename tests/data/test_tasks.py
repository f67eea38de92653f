"""Tasks: which images they are of, in which order, and the mean of these."""

import numpy as np
import pytest

from transferability.data.tasks import Task, first_of_each_class
from transferability.store.reading import open_store


@pytest.fixture
def store(store_folder):
    return open_store(store_folder)


@pytest.fixture
def task(store):
    return Task(store, (1, 4, 5), "A", "random0")


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
    (positions, targets), (every, of_every) = task.training(2), task.training()
    for target in range(3):
        assert positions[targets == target].tolist() == every[of_every == target][:2].tolist()


@pytest.mark.parametrize("examples", [None, 1, 3, 100])
def test_the_mean_image_is_of_what_the_network_is_trained_on(store, task, examples):
    positions, _ = task.training(examples)
    expected = store.images[positions].astype(np.float64).mean(axis=0).astype(np.float32)
    assert np.array_equal(task.mean_image("own", examples), expected)
    of_all = store.images[store.training].astype(np.float64).mean(axis=0).astype(np.float32)
    assert np.array_equal(task.mean_image("whole", examples), of_all)


def test_chance_is_the_share_of_the_commonest_class(task):
    facts = task.guessing_facts()
    assert facts.pop("guessing_loss") == pytest.approx(np.log(3))
    assert facts == {"classes": 3, "validation_images": 15, "majority_baseline": 1 / 3}
