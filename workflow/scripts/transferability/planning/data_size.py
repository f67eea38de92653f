"""How many classes and images a data set has, as far as that can be known before its store is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transferability.data.kind import DataSize
from transferability.data.kinds import image_source, kind_of
from transferability.data.splits import halved, make_split
from transferability.data.tasks import require_images
from transferability.store.reading import MANIFEST, open_store
from transferability.store.source import ImageClass, ImageSource
from transferability.study.design import Study
from transferability.study.groups import grouped, read_groups
from transferability.study.names import IMAGES, Network


@dataclass(frozen=True)
class HalfSize:
    """What the networks of a half are trained for and evaluated on: numbers of classes and images."""

    classes: int
    training: int
    validation: int

    def trained_on(self, network: Network) -> int:
        """How many training images a network of the half is trained on; of reduced ones, at most."""
        few = network.examples_per_class
        return self.training if few is None or network.reduced else few * self.classes


def data_size(study: Study, store: Path) -> DataSize:
    """The size of a study's data set: of its store, else of its images where they lie, else assumed.

    Nothing is downloaded or unpacked.

    Raises:
        StoreError: there are neither a store nor images, and no file of groups that names the classes.
    """
    if (store / MANIFEST).exists():
        opened = open_store(store)
        parts = opened.labels[opened.training], opened.labels[opened.validation]
        return _counted(study, opened.classes, parts, opened.image_shape, f"counted in {store}")
    kind, name = kind_of(study.data_set), study.config["dataset"]
    if kind.at_hand(study.data_set):
        with image_source(name, study.store_settings) as source:
            return _of_source(study, source)
    return kind.assumed_size(name, study.data_set, study.groups_file)


def half_sizes(study: Study, size: DataSize) -> dict[tuple[str, str], HalfSize]:
    """The size of every half, by split and target.

    Raises:
        SplitError: a split cannot be made.
        TooFewImagesError: networks are to be trained on more images of each class than one has.
    """
    sizes = {}
    for name, plan in study.splits.items():
        split = make_split(size.classes, name, plan.seed, plan.groups)
        training = halved(name, size.classes, size.training) if split.split_type == IMAGES else size.training
        for target, classes in split.halves.items():
            chosen = list(classes)
            require_images(name, [size.classes[index].name for index in chosen], training[chosen], study.most_few(name))
            sizes[name, target] = HalfSize(len(chosen), int(training[chosen].sum()), int(size.validation[chosen].sum()))
    return sizes


def _of_source(study: Study, source: ImageSource) -> DataSize:
    labels = [np.array([sample.label for sample in part]) for part in (source.training, source.validation)]
    return _counted(study, source.classes, labels, source.image_shape, "counted in its images")


def _counted(
    study: Study,
    classes: Sequence[ImageClass],
    labels: Sequence[NDArray[np.int64]],
    image_shape: tuple[int, int, int],
    origin: str,
) -> DataSize:
    if study.groups_file is not None:
        classes = grouped(classes, read_groups(study.groups_file), study.groups_file)
    training, validation = (np.bincount(part, minlength=len(classes)) for part in labels)
    return DataSize(tuple(classes), training, validation, image_shape, origin)
