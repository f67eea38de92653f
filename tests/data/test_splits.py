import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import ROOT
from transferability.data.splits import (
    SplitError,
    class_lines,
    image_lines,
    make_split,
    random_halves,
    semantic_split,
    split_by_images,
    split_from_json,
    split_to_json,
)
from transferability.store.reading import open_store
from transferability.store.source import ImageClass, Sample
from transferability.study.groups import GroupsError, grouped, read_groups

IMAGENET = ROOT / "resources" / "imagenet" / "classes.csv"

# The first classes of half A of the paper's four random splits of ImageNet's 1000 classes, from numpy's legacy
# generator alone.
PAPER_HALVES = {seed: np.sort(np.random.RandomState([seed]).permutation(1000)[:500]).tolist() for seed in range(4)}


@pytest.mark.parametrize("seed", range(4))
def test_random_halves_are_the_papers(seed):
    half_a, half_b = random_halves(1000, seed)
    assert list(half_a) == PAPER_HALVES[seed]
    assert sorted(half_a + half_b) == list(range(1000))


def test_random_halves_by_value():
    assert random_halves(10, 0) == ((0, 1, 3, 7, 8), (2, 4, 5, 6, 9))
    firsts = [random_halves(1000, seed)[0][:6] for seed in range(4)]
    assert firsts == [(0, 1, 2, 5, 9, 10), (1, 5, 7, 9, 15, 16), (0, 2, 4, 5, 8, 9), (0, 5, 6, 7, 8, 10)]


@given(st.integers(4, 200), st.integers(0, 2**31))
def test_random_halves_share_nothing_and_leave_nothing(count, seed):
    half_a, half_b = random_halves(count, seed)
    assert len(half_a) == count // 2
    assert list(half_a) == sorted(half_a)
    assert sorted(half_a + half_b) == list(range(count))


@pytest.fixture
def store(store_folder):
    return open_store(store_folder)


def test_halves_share_no_sample_and_each_has_all_of_its_classes(store):
    split = make_split(store.classes, "random0", 0, None)
    tasks = [split.task(store, half) for half in split.halves]
    training = np.concatenate([task.training()[0] for task in tasks])
    validation = np.concatenate([task.validation()[0] for task in tasks])
    assert sorted(training) == list(range(store.training_count))
    assert sorted(validation) == list(range(store.training_count, len(store.labels)))


CLASSES = [ImageClass("a", "x"), ImageClass("b", "y"), ImageClass("c", "x"), ImageClass("d", "y"), ImageClass("e", "z")]


def test_grouped_halves_have_the_classes_of_their_group():
    split = semantic_split(CLASSES, "x_y", {"A": "y", "B": "x"})
    assert split.halves == {"A": (1, 3), "B": (0, 2)}


def test_a_group_that_is_not_there_is_named():
    with pytest.raises(SplitError, match=r"split s: half B asks for the group 'w', but .* groups are x, y, z"):
        semantic_split(CLASSES, "s", {"A": "x", "B": "w"})


def test_a_half_of_one_class_is_refused():
    with pytest.raises(SplitError, match=r"half B has 1 classes; it takes at least 2"):
        semantic_split(CLASSES, "s", {"A": "x", "B": "z"})


def test_a_split_reads_back_as_it_was_written(store):
    split = make_split(store.classes, "even_odd", None, {"A": "even", "B": "odd"})
    content = json.loads(json.dumps(split_to_json(split, store)))
    assert split_from_json(content, store) == split
    assert content["halves"]["A"]["class_count"] == 3
    assert content["halves"]["A"]["training_images"] == 36
    assert [c["group"] for c in content["halves"]["B"]["classes"]] == ["odd"] * 3


def test_a_split_of_another_store_is_refused(store):
    content = split_to_json(make_split(store.classes, "random0", 0, None), store)
    with pytest.raises(SplitError, match="made for another store"):
        split_from_json(content | {"store_checksum": "another"}, store)


def test_the_man_made_and_natural_classes_of_imagenet():
    """By the authors' half_nat_idx.txt: the natural classes are three ranges of indices and one more."""
    groups = read_groups(IMAGENET)
    natural = {*range(398), *range(936, 959), 970, *range(972, 999)}
    names = sorted(groups)
    assert {i for i, name in enumerate(names) if groups[name] == "natural"} == natural
    split = make_split(
        grouped([ImageClass(name) for name in names], groups, IMAGENET), "s", None, {"A": "man-made", "B": "natural"}
    )
    assert [len(half) for half in split.halves.values()] == [551, 449]


def test_each_class_of_imagenet_has_one_number_of_the_challenge():
    with IMAGENET.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == sorted(row["class"] for row in rows)
    assert sorted(int(row["ilsvrc_id"]) for row in rows) == list(range(1, 1001))


def test_some_of_imagenets_classes_are_grouped_as_all_are():
    some = [ImageClass("n01440764"), ImageClass("n04487081")]
    assert [c.group for c in grouped(some, read_groups(IMAGENET), IMAGENET)] == ["natural", "man-made"]


def test_a_class_that_the_groups_do_not_know_is_named():
    classes = [ImageClass("n01440764"), *(ImageClass(f"mine{i}") for i in range(5))]
    with pytest.raises(
        GroupsError, match=r"classes.csv: no row for mine0, mine1, mine2 and 2 more of the data set's 6"
    ):
        grouped(classes, read_groups(IMAGENET), IMAGENET)


def test_lists_are_as_the_authors_made_them(store):
    """Their make_reduced_dataset.py keeps the lines of a half, and counts its classes from 0."""
    samples = [Sample(label, f"{label}.jpg") for label in (4, 0, 1, 5)]
    assert image_lines(samples, (1, 4, 5)) == "4.jpg 1\n1.jpg 0\n5.jpg 2\n"
    assert class_lines(store, (1, 4)) == "# Orig_idx new_idx name\n1 0 class 001\n4 1 class 004\n"


def test_a_split_by_images_reads_back_as_it_was_written(store):
    split = make_split(store.classes, "images3", 3, None)
    content = json.loads(json.dumps(split_to_json(split, store)))
    assert split_from_json(content, store) == split
    assert (content["split_type"], content["seed"]) == ("images", 3)
    for half in content["halves"].values():
        assert (half["class_count"], half["training_images"], half["validation_images"]) == (6, 36, 30)


@pytest.mark.parametrize("changes", [{"seed": None}, {"split_type": "random"}])
def test_a_split_by_images_that_lacks_its_seed_or_type_is_refused(store, changes):
    content = split_to_json(split_by_images(store.classes, "images0", 0), store) | changes
    with pytest.raises(SplitError, match="split images0"):
        split_from_json(content, store)


def test_a_split_by_images_whose_halves_differ_is_refused(store):
    content = split_to_json(split_by_images(store.classes, "images0", 0), store)
    del content["halves"]["A"]["classes"][0]
    with pytest.raises(SplitError, match="split images0: by images, its halves have the same classes"):
        split_from_json(content, store)


def test_a_class_of_one_training_image_cannot_be_halved(store):
    labels = store.labels.copy()
    labels[np.flatnonzero(labels[: store.training_count] == 2)[1:]] = 0
    with pytest.raises(SplitError, match=r"split images0: the class class 002 has 1 training image; .* at least 2"):
        split_by_images(store.classes, "images0", 0).task(replace(store, labels=labels), "A")


def test_lists_of_halves_by_images_share_no_training_image(store):
    samples = [Sample(int(label), f"{i}.png") for i, label in enumerate(store.labels)]
    split = split_by_images(store.classes, "images0", 0)
    tasks = [split.task(store, half) for half in split.halves]
    lists = [{*image_lines([samples[i] for i in task.training()[0]], task.classes).splitlines()} for task in tasks]
    assert [len(lines) for lines in lists] == [36, 36]
    assert not lists[0] & lists[1]
