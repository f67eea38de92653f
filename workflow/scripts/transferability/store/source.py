"""What a data set must say and do to become a store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageClass:
    """A class of the data set; its group is empty where the data set has no grouping.

    Its title is a readable name, empty where there is none: it is shown, and nothing depends on it.
    """

    name: str
    group: str = ""
    title: str = ""

    @property
    def shown(self) -> str:
        """What people read: ``tabby cat (n02123045)``, or the name alone."""
        return f"{self.title} ({self.name})" if self.title not in ("", self.name) else self.name


@dataclass(frozen=True)
class Sample:
    """Where one image comes from: the index of its class, and a file name (or any other name of its origin)."""

    label: int
    file: str


class ImageSource(Protocol):
    """A data set on its way into a store: everything about it but the pixels is known beforehand.

    Its ``repr`` says where its images are from: an interrupted store resumes only with a source of the same ``repr``.
    """

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> Sequence[ImageClass]: ...
    @property
    def training(self) -> Sequence[Sample]: ...
    @property
    def validation(self) -> Sequence[Sample]: ...
    @property
    def image_shape(self) -> tuple[int, int, int]: ...

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Images ``start`` to ``stop`` of training + validation, (stop - start) x H x W x C; pure, in any order."""
        ...


@runtime_checkable
class Fingerprinted(Protocol):
    """A source that can tell, without reading its images, which of them have been replaced."""

    def fingerprint(self, position: int) -> str:
        """Of what an image of training + validation is read from: another once that has changed, as size and time."""
        ...


def fingerprints(source: ImageSource) -> Callable[[int], str]:
    """The source's fingerprint of each image; empty where it has none to give."""
    return source.fingerprint if isinstance(source, Fingerprinted) else lambda _position: ""


class StoreError(ValueError):
    """The store, or the data set on its way into one, is not what it should be."""


class UnreadableImagesError(StoreError):
    """Some files of a chunk are no images that can be used; the message has a line for each."""
