"""How many classes and images a data set has, as far as that can be known before its store is built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transferability.data.kind import DataSize
from transferability.data.kinds import data_set_kind, image_source
from transferability.data.splits import halved, planned_split
from transferability.data.tasks import require_images
from transferability.store.reading import MANIFEST, open_store
from transferability.store.source import ImageClass, ImageSource
from transferability.study.data_sets import DataSet
from transferability.study.design import Study
from transferability.study.groups import grouped, read_groups
from transferability.study.names import Network
from transferability.study.split_types import IMAGES


@dataclass(frozen=True)
class HalfSize:
    """How many classes and images the networks of a half are trained and evaluated on.

    Attributes:
        image_shape: height, width and channels of an image before cropping; gray ones next to color count as color.
    """

    classes: int
    training: int
    validation: int
    image_shape: tuple[int, int, int]

    def trained_on(self, network: Network) -> int:
        """How many training images a network of the half is trained on; for reduced ones, at most."""
        few = network.examples_per_class
        return self.training if few is None or network.reduced else few * self.classes


def data_size(data_set: DataSet, store: Path) -> DataSize:
    """The size of a data set: from its store, otherwise from its images if they are at hand, otherwise assumed.

    Nothing is downloaded or unpacked.

    Raises:
        StoreError: there is neither a store nor images, nor a groups file that names the classes.
    """
    if (store / MANIFEST).exists():
        opened = open_store(store)
        parts = opened.labels[opened.training], opened.labels[opened.validation]
        return _counted(data_set, opened.classes, parts, opened.image_shape, f"counted in {store}")
    kind, name = data_set_kind(data_set.settings), data_set.name
    if kind.at_hand(data_set.settings):
        with image_source(name, data_set.store_settings) as source:
            return _of_source(data_set, source)
    return kind.assumed_size(name, data_set.settings, data_set.groups_file)


def half_sizes(study: Study, sizes: Mapping[str, DataSize]) -> dict[tuple[str, str], HalfSize]:
    """The size of every half, by split and target, given the sizes of data sets by name.

    Raises:
        SplitError: a split cannot be made.
        TooFewImagesError: networks are to be trained on more images per class than some class has.
    """
    halves = {}
    for name, plan in study.splits.items():
        of_targets = {target: sizes[study.data_set_of(name, target).name] for target in plan.targets}
        split = planned_split(plan, {target: size.classes for target, size in of_targets.items()})
        channels = max(size.image_shape[-1] for size in of_targets.values())
        for target, classes in split.halves.items():
            size, chosen = of_targets[target], list(classes)
            training = halved(name, size.classes, size.training) if split.split_type == IMAGES else size.training
            names = [size.classes[index].name for index in chosen]
            require_images(name, names, training[chosen], study.most_few(name))
            halves[name, target] = HalfSize(
                len(chosen),
                int(training[chosen].sum()),
                int(size.validation[chosen].sum()),
                (*size.image_shape[:2], channels),
            )
    return halves


def _of_source(data_set: DataSet, source: ImageSource) -> DataSize:
    labels = [np.array([sample.label for sample in part]) for part in (source.training, source.validation)]
    return _counted(data_set, source.classes, labels, source.image_shape, "counted in its images")


def _counted(
    data_set: DataSet,
    classes: Sequence[ImageClass],
    labels: Sequence[NDArray[np.int64]],
    image_shape: tuple[int, int, int],
    origin: str,
) -> DataSize:
    if data_set.groups_file is not None:
        classes = grouped(classes, read_groups(data_set.groups_file), data_set.groups_file)
    training, validation = (np.bincount(part, minlength=len(classes)) for part in labels)
    return DataSize(tuple(classes), training, validation, image_shape, origin)
