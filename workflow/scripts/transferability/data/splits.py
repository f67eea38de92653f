"""Splits: the classes of a data set, or the training images of all classes, cut into halves A and B.

A split is a list of classes, and by images a seed besides, and copies nothing; with a store, each half is a task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.data.tasks import Task, require_images
from transferability.labels import visible
from transferability.store.reading import Store
from transferability.store.source import ImageClass, Sample
from transferability.study.names import HALVES, IMAGES, RANDOM, SEMANTIC, WHOLE, split_type_of
from transferability.words import counted


class SplitError(ValueError):
    """The data set cannot be cut in this way."""


@dataclass(frozen=True)
class Split:
    """The classes of each half (``whole``: of the one and only part), as sorted indices into the store's classes.

    By images both halves have all classes, and ``seed`` draws the training images of each.
    """

    name: str
    split_type: str
    halves: Mapping[str, tuple[int, ...]]
    seed: int | None = None

    def task(self, store: Store, target: str) -> Task:
        """To tell apart the classes of a half by the images of a store; SplitError if a class has too few to halve."""
        classes = self.halves[target]
        if self.split_type != IMAGES:
            return Task(store, classes, target, self.name)
        halved(self.name, store.classes, np.bincount(store.labels[store.training], minlength=len(store.classes)))
        return Task(store, classes, target, self.name, images_seed=self.seed)


def random_halves(classes: int, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The authors' recipe: half of the classes for A by numpy's legacy generator, the rest for B.

    With 1000 classes sorted by wnid, seeds 0 to 3 give the halves of Yosinski et al.

    """
    drawn = np.random.RandomState([seed]).choice(np.arange(classes), classes // 2, replace=False)
    half_a = sorted(int(index) for index in drawn)
    return tuple(half_a), tuple(sorted(set(range(classes)) - set(half_a)))


def make_split(classes: Sequence[ImageClass], name: str, seed: int | None, groups: Mapping[str, str] | None) -> Split:
    """The split by ``groups`` if given, else the one drawn by ``seed``, whose name says its type, else all classes."""
    if groups:
        return semantic_split(classes, name, groups)
    if seed is None:
        return whole_split(classes)
    draw = split_by_images if split_type_of(name) == IMAGES else random_split
    return draw(classes, name, seed)


def random_split(classes: Sequence[ImageClass], name: str, seed: int) -> Split:
    half_a, half_b = random_halves(len(classes), seed)
    return _checked(Split(name, RANDOM, {"A": half_a, "B": half_b}, seed))


def split_by_images(classes: Sequence[ImageClass], name: str, seed: int) -> Split:
    """All classes in both halves, whose training images are disjoint."""
    return _checked(Split(name, IMAGES, dict.fromkeys(HALVES, tuple(range(len(classes)))), seed))


def halved(name: str, classes: Sequence[ImageClass], training: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many training images of each class a half by images has; SplitError if of any it would have none.

    Args:
        name: of the split.
        classes: those of the data set.
        training: how many training images of each there are.
    """
    if (training < 2).any():
        first = int(np.argmax(training < 2))
        has = f"{visible(classes[first].name)} has {counted(int(training[first]), 'training image')}"
        raise SplitError(f"split {name}: the class {has}; by images it takes at least 2, one for each half")
    return training // 2


def semantic_split(classes: Sequence[ImageClass], name: str, groups: Mapping[str, str]) -> Split:
    """Halves by group, ``{"A": group, "B": group}``; classes of other groups are in neither half."""
    known = sorted({c.group for c in classes if c.group})
    for half, group in groups.items():
        if group not in known:
            raise SplitError(
                f"split {name}: half {half} asks for the group {group!r}, but the data set's groups are "
                f"{', '.join(known) or '(none)'}"
            )
    halves = {half: tuple(i for i, c in enumerate(classes) if c.group == groups[half]) for half in HALVES}
    return _checked(Split(name, SEMANTIC, halves))


def whole_split(classes: Sequence[ImageClass]) -> Split:
    """All classes as one part."""
    return Split(WHOLE, WHOLE, {WHOLE: tuple(range(len(classes)))})


def _checked(split: Split) -> Split:
    for half, classes in split.halves.items():
        if len(classes) < 2:
            raise SplitError(
                f"split {split.name}: half {half} has {len(classes)} classes; it takes at least 2 to classify"
            )
    if split.split_type == IMAGES:
        if split.seed is None or len(set(split.halves.values())) > 1:
            raise SplitError(
                f"split {split.name}: by images, its halves have the same classes, and a seed draws images"
            )
    elif len({i for classes in split.halves.values() for i in classes}) != sum(map(len, split.halves.values())):
        raise SplitError(f"split {split.name}: its halves share classes")
    return split


def require_examples(split: Split, store: Store, examples_per_class: int) -> None:
    """TooFewImagesError if a class of a half has fewer training images than so many, which are to be drawn of each."""
    for half in split.halves:
        task = split.task(store, half)
        images = np.bincount(task.all_training()[1], minlength=len(task.classes))
        require_images(split.name, task.class_names, images, examples_per_class)


def image_lines(samples: Sequence[Sample], classes: Sequence[int]) -> str:
    """The images of some classes as the authors list them: file name, and index of the class within the half.

    SplitError for a file whose name has a line break, which would make two lines of it.
    """
    target_of = {index: target for target, index in enumerate(classes)}
    listed = [sample for sample in samples if sample.label in target_of]
    broken = [sample.file for sample in listed if len(sample.file.splitlines()) > 1]
    if broken:
        raise SplitError(f"the file {broken[0]!r} has a line break in its name, and a list has a line a file")
    return "".join(f"{sample.file} {target_of[sample.label]}\n" for sample in listed)


def class_lines(store: Store, classes: Sequence[int]) -> str:
    """The authors' map of classes: index in the data set, index within the half; and here its name."""
    lines = [f"{index} {target} {visible(store.classes[index].shown)}\n" for target, index in enumerate(classes)]
    return "".join(["# Orig_idx new_idx name\n", *lines])


def split_to_json(split: Split, store: Store) -> dict[str, Any]:
    """The split with class names and counts, as its file holds it."""
    return {
        "split": split.name,
        "split_type": split.split_type,
        "seed": split.seed,
        "data_set": store.name,
        "store_checksum": store.checksum,
        "halves": {
            half: {
                "training_images": len(split.task(store, half).training()[0]),
                "validation_images": len(split.task(store, half).validation()[0]),
                "class_count": len(classes),
                "classes": [
                    {"index": i, "name": store.classes[i].name, "group": store.classes[i].group} for i in classes
                ],
            }
            for half, classes in split.halves.items()
        },
    }


def split_from_json(content: Mapping[str, Any], store: Store) -> Split:
    """Read a split back; SplitError if it is none, or was made for another store."""
    try:
        name, checksum = content["split"], content["store_checksum"]
        halves = {half: tuple(c["index"] for c in part["classes"]) for half, part in content["halves"].items()}
        names = {c["index"]: c["name"] for part in content["halves"].values() for c in part["classes"]}
        split = Split(name, content["split_type"], halves, content["seed"])
    except (AttributeError, KeyError, TypeError) as error:
        raise SplitError(f"not a split, or a damaged one ({error!r}); make it again") from error
    if checksum != store.checksum:
        raise SplitError(f"split {name} was made for another store; make it again")
    known = dict(enumerate(c.name for c in store.classes))
    if not names.items() <= known.items() or set(halves) not in ({*HALVES}, {WHOLE}):
        raise SplitError(f"split {name} has other classes than the store, or other halves than A and B; make it again")
    return _checked(split)
