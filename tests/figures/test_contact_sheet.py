from dataclasses import replace

import numpy as np
import pytest

from transferability.data.splits import Split, split_by_images
from transferability.figures.contact_sheet import contact_sheet, halves_sheet, thumbnails
from transferability.store.reading import Store
from transferability.store.source import ImageClass


def store_of(classes, channels, side=12, group=""):
    images = np.zeros((2 * classes, side, side, channels), dtype=np.uint8)
    labels = np.tile(np.arange(classes), 2)
    names = tuple(ImageClass(f"class {i:04}", group) for i in range(classes))
    return Store("blank", images, labels, names, np.zeros((side, side, channels), np.float32), classes, "")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [12, 200])
def test_grey_and_color_large_and_small_are_drawn(channels, side):
    figure = contact_sheet(store_of(3, channels, side))
    strips = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(strips) == 3
    assert all(strip.shape[0] <= 48 and strip.shape[2] == 3 for strip in strips)


@pytest.mark.parametrize(
    ("shape", "shown"), [((96, 48), (48, 24)), ((5, 500), (1, 45)), ((500, 5), (45, 1)), ((7, 5), (7, 5))]
)
def test_an_image_of_any_shape_is_reduced_to_a_mean_of_its_blocks(shape, shown):
    small = thumbnails(np.full((2, *shape, 3), 9, np.uint8))
    assert small.shape == (2, *shown, 3)
    assert (small == 9).all()


def test_of_many_classes_some_are_shown_and_the_title_says_so():
    figure = contact_sheet(store_of(1000, 1))
    assert sum(bool(axes.images) for axes in figure.axes) == 200
    assert "200 of the classes" in figure.get_suptitle()


def test_a_class_without_a_group_has_only_its_name():
    labels = [axes.get_ylabel() for axes in contact_sheet(store_of(2, 1)).axes]
    assert labels == ["class 0000", "class 0001"]


def test_halves_stand_side_by_side_each_with_its_own_classes():
    halves = {"A": tuple(range(0, 60, 2)), "B": (1, 3, 5)}
    figure = halves_sheet(store_of(60, 1), Split("random0", "random", halves))
    columns = {half: [axes for axes in figure.axes[i::2] if axes.images] for i, half in enumerate("AB")}
    for half, classes in halves.items():
        assert [axes.get_ylabel() for axes in columns[half]] == [f"class {i:04}" for i in classes]
        assert columns[half][0].get_title() == f"half {half} of random0: {len(classes)} classes"


def test_halves_by_images_show_their_own_training_images_of_the_same_classes():
    store = store_of(4, 1)
    labels, images = np.tile(np.arange(4), 9), np.zeros((36, 12, 12, 1), dtype=np.uint8)
    images[:, :, :, 0] = 7 * np.arange(36)[:, None, None]
    store = replace(store, images=images, labels=labels, training_count=32)
    split = split_by_images(store.classes, "images0", 0)
    figure = halves_sheet(store, split)
    for column, half in enumerate("AB"):
        trained = {int(7 * position) for position in split.task(store, half).training()[0]}
        panels = figure.axes[column::2]
        assert [axes.get_ylabel() for axes in panels] == [f"class {i:04}" for i in range(4)]
        pixels = {int(value) for axes in panels for value in np.unique(axes.images[0].get_array()[:, : 9 * 12])}
        assert pixels - {255} == trained


def test_of_a_large_half_some_classes_are_shown_and_the_title_says_so():
    figure = halves_sheet(store_of(200, 1), Split("random0", "random", {"A": tuple(range(100)), "B": (100, 101)}))
    assert sum(bool(axes.images) for axes in figure.axes) == 40 + 2
    assert figure.axes[0].get_title() == "half A of random0: 100 classes, 40 shown"
