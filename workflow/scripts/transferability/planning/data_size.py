"""How many classes and images a data set has, as far as that can be known before its store is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.data.folders.layout import kept_classes
from transferability.data.kinds import at_hand, image_source
from transferability.data.splits import make_split
from transferability.data.validation_draw import wanted
from transferability.store.reading import MANIFEST, open_store
from transferability.store.source import ImageClass, ImageSource, StoreError
from transferability.study.config import EMBEDDED_GROUPS
from transferability.study.design import Study
from transferability.study.folder_keys import FolderKeys
from transferability.study.groups import grouped, read_groups

# Of the official sets: classes, images a class for training and for validation, shape.
TORCHVISION_SETS = {
    "cifar10": (10, 5000, 1000, (32, 32, 3)),
    "cifar100": (100, 500, 100, (32, 32, 3)),
    "fashion_mnist": (10, 6000, 1000, (28, 28, 1)),
}
# Images a class, for training and for validation, of a folder that is not here: ImageNet's, at most.
ASSUMED_IMAGES = (1300, 50)


@dataclass(frozen=True)
class DataSize:
    """The classes of a data set, how many images of each there are, and the images' height, width and channels.

    Attributes:
        origin: where these numbers are from, in words.
    """

    classes: tuple[ImageClass, ...]
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    image_shape: tuple[int, int, int]
    origin: str

    @property
    def images(self) -> int:
        return int(self.training.sum() + self.validation.sum())


@dataclass(frozen=True)
class HalfSize:
    """What the networks of a half are trained for and evaluated on: numbers of classes and images."""

    classes: int
    training: int
    validation: int


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
    if study.data_set["kind"] == "glyphs":
        return _of_glyphs(study.data_set)
    if at_hand(study.data_set):
        with image_source(study.config["dataset"], study.store_settings) as source:
            return _of_source(study, source)
    return _assumed(study)


def half_sizes(study: Study, size: DataSize) -> dict[tuple[str, str], HalfSize]:
    """The size of every half, by split and target."""
    return {
        (name, target): HalfSize(
            len(classes), int(size.training[list(classes)].sum()), int(size.validation[list(classes)].sum())
        )
        for name, plan in study.splits.items()
        for target, classes in make_split(size.classes, name, plan.seed, plan.groups).halves.items()
    }


def _of_glyphs(settings: Mapping[str, Any]) -> DataSize:
    """By its settings; to choose the glyphs themselves, which have other names, takes many seconds."""
    groups = [(group, settings[count]) for group, count in EMBEDDED_GROUPS["glyphs"].items()]
    classes = [ImageClass(f"{group} {number:04}", group) for group, count in groups for number in range(count)]
    per_class = np.ones(len(classes), dtype=np.int64)
    training, validation = settings["training_per_class"] * per_class, settings["validation_per_class"] * per_class
    shape = (settings["size"], settings["size"], 1)
    return DataSize(tuple(classes), training, validation, shape, "by its settings")


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


def _assumed(study: Study) -> DataSize:
    settings, groups = study.data_set, study.groups_file
    classes = [ImageClass(name, group) for name, group in sorted(read_groups(groups).items())] if groups else []
    if settings["kind"] == "torchvision":
        count, training, validation, shape = TORCHVISION_SETS[settings["set"]]
        classes = classes or [ImageClass(f"{i:03}") for i in range(count)]
        origin = "those of the official set"
    elif settings["kind"] == "folder" and classes:
        keys = FolderKeys.of(settings)
        kept = kept_classes([c.name for c in classes], keys, Path(settings["root"]), study.config["dataset"])
        classes = [c for c in classes if c.name in kept]
        training, validation = ASSUMED_IMAGES
        if keys.validation:
            validation = wanted(training, keys.validation)
            training -= validation
        training = min(training, settings.get("images_per_class") or training)
        shape = (settings["size"], settings["size"], settings.get("channels", 3))
        origin = f"assumed: {settings['root']} is no folder; the classes are those of {groups}"
    else:
        there_is = f"there is no folder {settings['root']}" if "root" in settings else "its images are not at hand"
        raise StoreError(
            f"datasets.{study.config['dataset']}: {there_is}, and no file of groups that would tell its classes; "
            "a plan needs one of the two, or the store"
        )
    per_class = np.ones(len(classes), dtype=np.int64)
    return DataSize(tuple(classes), training * per_class, validation * per_class, shape, origin)
