"""Splits: the classes of a data set, or the training images of all classes, divided into halves A and B.

A split is a list of classes, plus a seed if it is by images, and copies nothing; with a store, each half is a task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.data.images_of_two import IN_OTHER_HALF, images_in
from transferability.data.sharpness import SHARPNESS, unlike_sharpness
from transferability.data.tasks import Task, require_images
from transferability.delimited_text import nearest, text_key
from transferability.labels import visible
from transferability.store.reading import Store
from transferability.store.source import ImageClass, Sample
from transferability.study.names import HALVES, WHOLE, other_half
from transferability.study.split_plan import SplitPlan, TaskPlan
from transferability.study.split_types import DATA_SETS, IMAGES, RANDOM, SEMANTIC, split_type_of
from transferability.words import counted

Stores = Store | Mapping[str, Store]  # one for all halves, or one for each half


class SplitError(ValueError):
    """The data set cannot be split this way."""


@dataclass(frozen=True)
class Split:
    """The classes of each half (or of ``whole``, the only part), as sorted indices into its store's classes.

    In a split by images, both halves have all classes, and ``seed`` draws the training images of each. In a split of
    two data sets, each half has its own store.
    """

    name: str
    split_type: str
    halves: Mapping[str, tuple[int, ...]]
    seed: int | None = None

    def task(self, stores: Stores, target: str) -> Task:
        """The task of classifying a half's images; SplitError if a class has too few training images to halve."""
        if self.split_type == IMAGES:
            store = store_of(stores, target)
            halved(self.name, store.classes, np.bincount(store.labels[store.training], minlength=len(store.classes)))
        task = self._task(stores, target)
        return task if target == WHOLE else replace(task, other=self._task(stores, other_half(target)))

    def _task(self, stores: Stores, target: str) -> Task:
        about = (store_of(stores, target), self.halves[target], target, self.name)
        if self.split_type == DATA_SETS:
            return Task(*about, channels=self.image_shape(stores)[-1])
        return Task(*about, images_seed=self.seed if self.split_type == IMAGES else None)

    def image_shape(self, stores: Stores) -> tuple[int, int, int]:
        """Height, width and channels of the first half's images; gray ones count as color if another half has color."""
        shapes = [store_of(stores, half).image_shape for half in self.halves]
        height, width, _ = shapes[0]
        return height, width, max(channels for *_, channels in shapes)


def store_of(stores: Stores, half: str) -> Store:
    """The store of a half."""
    return stores if isinstance(stores, Store) else stores[half]


def random_halves(classes: int, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The authors' recipe: half of the classes for A by numpy's legacy generator, the rest for B.

    With 1000 classes sorted by wnid, seeds 0 to 3 give the halves of Yosinski et al.
    """
    drawn = np.random.RandomState([seed]).choice(np.arange(classes), classes // 2, replace=False)
    half_a = sorted(int(index) for index in drawn)
    return tuple(half_a), tuple(sorted(set(range(classes)) - set(half_a)))


def make_split(classes: Sequence[ImageClass], name: str, seed: int | None, groups: Mapping[str, str] | None) -> Split:
    """The split by ``groups`` if given; or drawn by ``seed`` if given, of the type in its name; or of all classes."""
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
    """All classes in both halves, with disjoint training images."""
    return _checked(Split(name, IMAGES, dict.fromkeys(HALVES, tuple(range(len(classes)))), seed))


def halved(name: str, classes: Sequence[ImageClass], training: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many training images of each class a half has in a split by images; SplitError if a class would have none.

    Args:
        name: of the split.
        classes: of the data set.
        training: how many training images each of them has.
    """
    if (training < 2).any():
        first = int(np.argmax(training < 2))
        has = f"{visible(classes[first].name)} has {counted(int(training[first]), 'training image')}"
        raise SplitError(f"split {name}: the class {has}; a split by images needs at least 2, one for each half")
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


def split_of_data_sets(name: str, tasks: Mapping[str, TaskPlan], classes: Mapping[str, Sequence[ImageClass]]) -> Split:
    """Halves of two data sets, or of one if groups or names say which of its classes each half has.

    Args:
        name: of the split.
        tasks: the plan of each half.
        classes: by half, the classes of its data set.
    """
    halves = {half: _chosen(f"split {name}: half {half}", task, classes[half]) for half, task in tasks.items()}
    common = set(halves["A"]) & set(halves["B"]) if tasks["A"].data_set == tasks["B"].data_set else set()
    if common:
        shared = visible(classes["A"][min(common)].name)
        raise SplitError(f"split {name}: its halves share classes of {tasks['A'].data_set}, such as {shared}")
    return _checked(Split(name, DATA_SETS, halves))


def _chosen(half: str, task: TaskPlan, classes: Sequence[ImageClass]) -> tuple[int, ...]:
    """The indices of the classes that a half asks for; SplitError if there are none of that group or name."""
    if task.group is not None:
        found = tuple(i for i, c in enumerate(classes) if c.group == task.group)
        if not found:
            known = ", ".join(sorted({c.group for c in classes if c.group})) or "(none)"
            raise SplitError(f"{half} asks for the group {task.group!r}, but the groups of {task.data_set} are {known}")
        return found
    index = {text_key(c.name): i for i, c in enumerate(classes)}
    for asked in task.classes:
        if text_key(asked) not in index:
            like = nearest(text_key(asked), list(index))
            raise SplitError(f"{half} asks for the class {asked!r}, which {task.data_set} lacks{like}")
    return tuple(sorted({index[text_key(asked)] for asked in task.classes})) or tuple(range(len(classes)))


def planned_split(plan: SplitPlan, classes: Mapping[str, Sequence[ImageClass]]) -> Split:
    """The split that a config asks for; SplitError if the classes cannot be split that way.

    Args:
        plan: of the split.
        classes: by target, the classes of its data set, in groups if the plan asks for groups.
    """
    if plan.tasks:
        return split_of_data_sets(plan.name, plan.tasks, classes)
    return make_split(classes[plan.targets[0]], plan.name, plan.seed, plan.groups)


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
    elif split.split_type != DATA_SETS and len({i for classes in split.halves.values() for i in classes}) != sum(
        map(len, split.halves.values())
    ):
        raise SplitError(f"split {split.name}: its halves share classes")
    return split


def require_examples(split: Split, stores: Stores, examples_per_class: int) -> None:
    """TooFewImagesError if a class of a half has fewer training images than are to be drawn of each class."""
    for half in split.halves:
        task = split.task(stores, half)
        images = np.bincount(task.all_training()[1], minlength=len(task.classes))
        require_images(split.name, task.class_names, images, examples_per_class)


def image_lines(samples: Sequence[Sample], classes: Sequence[int]) -> str:
    """The images of some classes as the authors list them: file name, and index of the class within the half.

    SplitError for a file name with a line break, which would become two lines.
    """
    target_of = {index: target for target, index in enumerate(classes)}
    listed = [sample for sample in samples if sample.label in target_of]
    broken = [sample.file for sample in listed if len(sample.file.splitlines()) > 1]
    if broken:
        raise SplitError(f"the file {broken[0]!r} has a line break in its name, and a list has one line per file")
    return "".join(f"{sample.file} {target_of[sample.label]}\n" for sample in listed)


def class_lines(store: Store, classes: Sequence[int]) -> str:
    """The authors' class map: index in the data set, index within the half; and, added here, the name."""
    lines = [f"{index} {target} {visible(store.classes[index].shown)}\n" for target, index in enumerate(classes)]
    return "".join(["# Orig_idx new_idx name\n", *lines])


def split_to_json(split: Split, stores: Stores) -> dict[str, Any]:
    """The split with class names and counts, as in its file; with two data sets, each half names its own."""
    tasks = {half: split.task(stores, half) for half in split.halves}
    apart = split.split_type == DATA_SETS
    return {
        "split": split.name,
        "split_type": split.split_type,
        "seed": split.seed,
        **({} if apart else _of_store(next(iter(tasks.values())).store)),
        "halves": {
            half: {
                **(_of_store(task.store) if apart else {}),
                "training_images": len(task.training()[0]),
                "validation_images": len(task.validation()[0]),
                **({IN_OTHER_HALF: images_in(task, tasks[other_half(half)]).to_json()} if apart else {}),
                **({SHARPNESS: unlike.to_json()} if (unlike := unlike_sharpness(task)) else {}),
                "class_count": len(task.classes),
                "classes": [
                    {"index": i, "name": task.store.classes[i].name, "group": task.store.classes[i].group}
                    for i in task.classes
                ],
            }
            for half, task in tasks.items()
        },
    }


def _of_store(store: Store) -> dict[str, str]:
    return {"data_set": store.name, "store_checksum": store.checksum}


def split_from_json(content: Mapping[str, Any], stores: Stores) -> Split:
    """Read a split back; SplitError if it is not one or was made for other stores."""
    try:
        halves = {half: tuple(c["index"] for c in part["classes"]) for half, part in content["halves"].items()}
        split = Split(content["split"], content["split_type"], halves, content["seed"])
        parts = content["halves"] if split.split_type == DATA_SETS else dict.fromkeys(halves, content)
        checksums = {half: parts[half]["store_checksum"] for half in halves}
        names = {half: {c["index"]: c["name"] for c in part["classes"]} for half, part in content["halves"].items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise SplitError(f"not a split, or a damaged one ({error!r}); make it again") from error
    if set(halves) not in ({*HALVES}, {WHOLE}):
        raise SplitError(f"split {split.name} has other halves than A and B; make it again")
    for half, checksum in checksums.items():
        store = store_of(stores, half)
        if checksum != store.checksum:
            raise SplitError(f"split {split.name} was made for another store; make it again")
        if not names[half].items() <= dict(enumerate(c.name for c in store.classes)).items():
            raise SplitError(f"split {split.name} has other classes than the store; make it again")
    return _checked(split)
