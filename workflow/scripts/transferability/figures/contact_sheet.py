"""A picture of a data set, class by class: look at your data first."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from transferability.data.splits import Split, Stores, store_of
from transferability.data.tasks import Task
from transferability.figures.class_names import class_label
from transferability.figures.fonts import text_style, undrawable
from transferability.figures.style import warn
from transferability.labels import wrapped
from transferability.store.reading import Store
from transferability.store.source import ImageClass
from transferability.study.names import WHOLE
from transferability.study.split_types import DATA_SETS

TRAINING_SHOWN, VALIDATION_SHOWN = 9, 3  # images of each class
_LARGEST_SIDE = 48  # in pixels, to which larger images are reduced
_CLASSES = 200  # at most this many are shown, evenly spread
_CLASSES_OF_A_HALF = 40
_TITLE, _BOLD_TITLE = 75, 58  # letters on a line, above a column of classes


def contact_sheet(store: Store, title: str = "") -> Figure:
    """The first training and validation images of every class (or of `_CLASSES` of them, if there are more).

    Args:
        store: the store with the images.
        title: replaces the default title, which says how many classes and images the store has.
    """
    count = len(store.classes)
    shown = classes_shown(count)
    order = sorted(shown, key=lambda index: (store.classes[index].group, index))
    columns = 2 if len(order) <= 80 else 4
    rows = -(-len(order) // columns)
    everything = Task(store, tuple(range(count)), WHOLE, WHOLE)
    figure = _sheet([(everything, order[start : start + rows]) for start in range(0, len(order), rows)], columns)
    title = wrapped(title or _title(store, len(order)), width=_TITLE * columns, lines=9)
    figure.suptitle(title, **text_style(title))
    return _with_note(figure)


def _title(store: Store, shown: int) -> str:
    count = len(store.classes)
    return (
        f"{store.name}: {count} classes, {store.training_count:,} training and "
        f"{len(store.labels) - store.training_count:,} validation images of {' × '.join(map(str, store.image_shape))}; "
        f"{_shown_of(store, store.training, TRAINING_SHOWN)} training images per class, then "
        f"{_shown_of(store, store.validation, VALIDATION_SHOWN)} validation images"
        + (f" ({shown} of the classes)" if shown < count else "")
    )


def classes_shown(count: int) -> list[int]:
    """The indices of the classes that a contact sheet of this many classes shows."""
    return _spread(range(count), _CLASSES)


def _shown_of(store: Store, part: slice, most: int) -> str:
    """How many images of each class are shown; if classes differ, from the fewest to the most."""
    counts = np.bincount(store.labels[part], minlength=len(store.classes)).clip(max=most)
    low, high = counts.min(), counts.max()
    return f"{low}" if low == high else f"{low}-{high}"


def halves_sheet(stores: Stores, split: Split) -> Figure:
    """A contact sheet of a split's halves side by side, with up to `_CLASSES_OF_A_HALF` classes of each."""
    shown = {half: _spread(classes, _CLASSES_OF_A_HALF) for half, classes in split.halves.items()}
    figure = _sheet([(split.task(stores, half), classes) for half, classes in shown.items()], len(shown))
    for axes, (half, classes) in zip(figure.axes[: len(shown)], split.halves.items(), strict=True):
        part = f", {len(shown[half])} shown" if len(shown[half]) < len(classes) else ""
        of = f" of {store_of(stores, half).name}" if split.split_type == DATA_SETS else ""
        title = wrapped(f"half {half} of {split.name}: {len(classes)} classes{of}{part}", _BOLD_TITLE, lines=9)
        axes.set_title(title, fontweight="bold", **text_style(title))
    return _with_note(figure)


def _with_note(figure: Figure) -> Figure:
    """The figure, with a note about the characters in names that could not be drawn."""
    warn(figure, undrawable(figure), below=True)
    return figure


def _spread(classes: Sequence[int], most: int) -> list[int]:
    """At most ``most`` of the classes, evenly spread."""
    chosen = np.unique(np.linspace(0, len(classes) - 1, min(len(classes), most)).astype(int))
    return [classes[i] for i in chosen]


def _sheet(columns: Sequence[tuple[Task, Sequence[int]]], count: int) -> Figure:
    """A figure with a row of images per class, a column per task and its classes, and room for ``count`` columns."""
    rows = max(len(classes) for _, classes in columns)
    figure = Figure(figsize=(7.2 * count, 0.62 * rows + 0.8), layout="constrained")
    panels = figure.subplots(rows, count, squeeze=False)
    for axes in panels.flat:
        axes.set_visible(False)
    for column, (task, classes) in zip(panels.T, columns, strict=False):
        parts = (*task.training(), TRAINING_SHOWN), (*task.validation(), VALIDATION_SHOWN)
        for axes, index in zip(column, classes, strict=False):
            target = task.classes.index(index)
            strips = [_strip(task.store.images[at[targets == target][:room]], room) for at, targets, room in parts]
            _draw_class(axes, strips, task.store.classes[index])
            axes.set_visible(True)
    return figure


def _draw_class(axes: Axes, strips: Sequence[NDArray[np.uint8]], image_class: ImageClass) -> None:
    """Draw a class's training and validation images, with its name and group."""
    gap = np.full((strips[0].shape[0], strips[0].shape[0] // 3, 3), 255, dtype=np.uint8)
    axes.imshow(np.concatenate([strips[0], gap, strips[1]], axis=1), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    label = class_label(image_class)
    axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=7, **text_style(label))


def _strip(images: NDArray[np.uint8], room: int) -> NDArray[np.uint8]:
    """Images side by side as RGB, reduced, and white where there are fewer images than room."""
    small = thumbnails(images)
    if small.shape[-1] != 3:
        small = np.repeat(small[..., :1], 3, axis=-1)
    blank = np.full((room - len(small), *small.shape[1:]), 255, dtype=np.uint8)
    return np.concatenate([*small, *blank], axis=1)


def thumbnails(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images, N x H x W x C, reduced to the size on a sheet: no side longer than `_LARGEST_SIDE`."""
    count, *sides, channels = images.shape
    step = -(-max(sides) // _LARGEST_SIDE)
    down, across = (min(step, side) for side in sides)
    height, width = sides[0] // down, sides[1] // across
    blocks = images[:, : height * down, : width * across].reshape(count, height, down, width, across, channels)
    small: NDArray[np.uint8] = blocks.mean(axis=(2, 4)).astype(np.uint8)
    return small
