"""The interface that a data set must implement to become a store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageClass:
    """A class of the data set; its group is empty if the data set has no groups.

    Its title is a readable name, or empty; it is for display only.
    """

    name: str
    group: str = ""
    title: str = ""

    @property
    def shown(self) -> str:
        """The name to display: ``tabby cat (n02123045)``, or the name alone."""
        return f"{self.title} ({self.name})" if self.title not in ("", self.name) else self.name


@dataclass(frozen=True)
class Sample:
    """Where one image comes from: the index of its class, and a file name (or any other name of its origin)."""

    label: int
    file: str


class ImageSource(Protocol):
    """A data set to build a store from: everything about it except the pixels is known beforehand.

    Its ``repr`` says where its images come from: an interrupted build resumes only with a source of the same ``repr``.
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
    """A source that can tell which of its images were replaced without reading them."""

    def fingerprint(self, position: int) -> str:
        """A string that changes with the file of an image of training + validation, for example its size and time."""
        ...


def fingerprints(source: ImageSource) -> Callable[[int], str]:
    """The source's fingerprint of each image; empty if it has none."""
    return source.fingerprint if isinstance(source, Fingerprinted) else lambda _position: ""


class StoreError(ValueError):
    """The store, or the data set that it is built from, is not valid."""


class UnreadableImagesError(StoreError):
    """Some files of a chunk are not usable images; the message has a line for each."""
