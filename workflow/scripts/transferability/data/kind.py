"""The interface of a kind of data set; each kind is a file in `transferability.data.kinds`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.process.log import Say
from transferability.store.source import ImageClass, ImageSource, StoreError
from transferability.study.groups import read_groups

Settings = Mapping[str, Any]  # of a data set, as the config has them


@dataclass(frozen=True)
class DataSize:
    """The classes of a data set, the number of images of each, and the images' height, width and channels.

    Attributes:
        origin: where these numbers come from, in words.
    """

    classes: tuple[ImageClass, ...]
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    image_shape: tuple[int, int, int]
    origin: str

    @property
    def images(self) -> int:
        return int(self.training.sum() + self.validation.sum())

    @classmethod
    def of_equal_classes(
        cls, classes: list[ImageClass], images: tuple[int, int], image_shape: tuple[int, int, int], origin: str
    ) -> "DataSize":
        """The size of a data set whose classes all have the same numbers of training and validation images."""
        training, validation = (count * np.ones(len(classes), dtype=np.int64) for count in images)
        return cls(tuple(classes), training, validation, image_shape, origin)


def no_complaint(_name: str, _settings: Settings) -> None:
    """Check nothing before the images are read."""


def always(_settings: Settings) -> bool:
    return True


def unknown_size(
    name: str, _settings: Settings, _groups: Path | None, there_is: str = "its images are not at hand"
) -> DataSize:
    raise StoreError(
        f"datasets.{name}: {there_is}, and no file of groups lists its classes; "
        "a plan needs one of the two, or the store"
    )


@dataclass(frozen=True)
class Kind:
    """A kind of data set.

    Attributes:
        open: the source of a data set's images, by name and settings, for the duration of the block.
        check: StoreError if the settings are not a valid data set, as far as can be told without reading images.
        at_hand: whether `open` is quick, with nothing to download or unpack, so that a plan may count the images.
        assumed_size: if they are not at hand, by name, settings and file of groups; StoreError if nothing gives it.
    """

    open: Callable[[str, Settings, Say], AbstractContextManager[ImageSource]]
    check: Callable[[str, Settings], None] = no_complaint
    at_hand: Callable[[Settings], bool] = always
    assumed_size: Callable[[str, Settings, Path | None], DataSize] = unknown_size


def classes_of(groups: Path | None) -> list[ImageClass]:
    """The classes that a file of groups lists; none without one."""
    return [ImageClass(name, group) for name, group in sorted(read_groups(groups).items())] if groups else []
