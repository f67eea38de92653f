"""Splits of two data sets: their classes, their file, and the images that are in both."""

import json
from contextlib import nullcontext
from dataclasses import replace

import pytest

from tests.project import merged
from tests.support import DEFAULT, Patterns
from transferability.data.build import build_store
from transferability.data.images_of_two import ImagesInOther, images_in, images_in_both
from transferability.data.split_stores import require_one_size
from transferability.data.splits import SplitError, split_from_json, split_of_data_sets, split_to_json
from transferability.store.reading import open_store
from transferability.store.source import ImageClass
from transferability.study.design import read_study
from transferability.study.split_plan import TaskPlan

NAMES = ("ant", "bee", "cat", "dog")


def classes(*groups):
    return [ImageClass(name, group) for name, group in zip(NAMES, groups, strict=True)]


def split_of(task_a, task_b):
    both = {"A": classes("insect", "insect", "pet", "pet"), "B": classes("", "", "", "")}
    return split_of_data_sets("s", {"A": task_a, "B": task_b}, both)


class TestClasses:
    def test_are_all_or_those_of_a_group_or_the_named_ones_in_the_order_of_the_data_set(self):
        assert split_of(TaskPlan("a"), TaskPlan("b")).halves == {"A": (0, 1, 2, 3), "B": (0, 1, 2, 3)}
        split = split_of(TaskPlan("a", group="pet"), TaskPlan("b", classes=("dog", "ant")))
        assert split.halves == {"A": (2, 3), "B": (0, 3)}

    @pytest.mark.parametrize(
        ("task", "message"),
        [
            (TaskPlan("b", group="pet"), "half B asks for the group 'pet', but the groups of b are \\(none\\)"),
            (TaskPlan("b", classes=("ant", "bea")), "half B asks for the class 'bea', which b lacks; did you mean bee"),
            (TaskPlan("b", classes=("ant",)), "half B has 1 classes; it takes at least 2"),
        ],
    )
    def test_that_are_not_there_or_too_few_are_refused(self, task, message):
        with pytest.raises(SplitError, match=message):
            split_of(TaskPlan("a"), task)

    def test_of_one_data_set_must_be_different_ones_on_both_sides(self):
        same = {"A": classes("x", "x", "y", "y"), "B": classes("x", "x", "y", "y")}
        tasks = {"A": TaskPlan("a", group="x"), "B": TaskPlan("a", classes=("bee", "cat"))}
        with pytest.raises(SplitError, match="its halves share classes of a, such as bee"):
            split_of_data_sets("s", tasks, same)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """By half: of the same patterns, so that A has all images of B."""
    folder = tmp_path_factory.mktemp("stores")
    build_store(Patterns(name="one", training_per_class=6, validation_per_class=2), folder / "one")
    build_store(Patterns(name="two", training_per_class=3, validation_per_class=2), folder / "two")
    return {"A": open_store(folder / "one"), "B": open_store(folder / "two")}


@pytest.fixture
def split(stores):
    tasks = {"A": TaskPlan("one"), "B": TaskPlan("two", group="even")}
    return split_of_data_sets("to_two", tasks, {half: store.classes for half, store in stores.items()})


def test_the_file_says_of_which_store_each_half_is_and_is_read_back(split, stores):
    content = json.loads(json.dumps(split_to_json(split, stores)))
    assert split_from_json(content, stores) == split
    assert [part["data_set"] for part in content["halves"].values()] == ["one", "two"]
    assert [part["training_images"] for part in content["halves"].values()] == [6 * 6, 3 * 3]
    assert "data_set" not in content
    for half in "AB":
        others = {**stores, half: replace(stores[half], checksum="another")}
        with pytest.raises(SplitError, match="made for another store"):
            split_from_json(content, others)


def test_images_that_are_in_both_are_counted(split, stores):
    """By their pixels: a pattern's image depends on its position and class only, and A trains on positions 0 to 35."""
    task_a, task_b = (split.task(stores, half) for half in "AB")
    trained, validated = 36, range(18, 30)  # of A; all of B's validation images, of which every other one is of B
    assert images_in(task_b, task_a) == ImagesInOther(sum(i % 2 == 0 and i < trained for i in validated), 9)
    assert images_in(task_a, task_b) == ImagesInOther(0, 9)
    told = images_in_both(split_to_json(split, stores))
    assert told == (
        "0 validation images and 9 training images of A are also training images of B; "
        "6 validation images and 9 training images of B are also training images of A"
    )


@pytest.mark.parametrize(
    ("preprocessing", "refused"),
    [
        ({"crop": 0}, "preprocessing.crop: is 0, but images are 16 x 16 pixels in one and 20 x 20 pixels in two"),
        (
            {"crop": 16, "mean": "A"},
            "preprocessing.mean: is A, but images are 16 x 16 pixels in one and 20 x 20 pixels",
        ),
        ({"crop": 16}, None),
    ],
)
def test_sizes_that_only_the_images_tell_are_looked_at_before_training(stores, tmp_path, preprocessing, refused):
    build_store(Patterns(name="two", training_per_class=3, image_shape=(20, 20, 1)), tmp_path)
    study = read_study(merged(DEFAULT, {"preprocessing": preprocessing}))
    of_two_sizes = {**stores, "B": open_store(tmp_path)}
    with pytest.raises(SplitError, match=refused) if refused else nullcontext():
        require_one_size(study, "to_two", of_two_sizes)
    require_one_size(study, "to_two", stores)


def test_images_of_other_shapes_are_said_not_to_be_compared(split, stores, tmp_path):
    build_store(Patterns(name="two", training_per_class=3, image_shape=(16, 16, 3)), tmp_path)
    others = {**stores, "B": open_store(tmp_path)}
    assert "are not compared" in images_in_both(split_to_json(split, others))
