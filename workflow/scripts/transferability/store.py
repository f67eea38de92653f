"""The image store: what every data set becomes, and all that training ever reads.

A store is a folder of six files::

    images.npy     uint8, N x H x W x C, memory-mapped: the training images, then the validation images
    labels.npy     int64, N: the index of each image's class
    classes.csv    index, name, group: one row a class, in the order of the names
    samples.csv    index, part, label, file: where each image comes from
    mean.npy       float32, H x W x C: the mean of the training images
    manifest.json  shapes, counts, and the checksum of all the above
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from transferability.files import read_json, whole_file, write_csv, write_json

IMAGES, LABELS, CLASSES, SAMPLES = "images.npy", "labels.npy", "classes.csv", "samples.csv"
MEAN, MANIFEST = "mean.npy", "manifest.json"
STORE_FILES = (IMAGES, LABELS, CLASSES, SAMPLES, MEAN, MANIFEST)
# Raised by hand when a store would be laid out otherwise, or the same settings would give other images.
STORE_VERSION = 1


@dataclass(frozen=True)
class ImageClass:
    """A class of the data set; its group is empty where the data set has no grouping."""

    name: str
    group: str = ""


@dataclass(frozen=True)
class Sample:
    """Where one image comes from: the index of its class, and a file name (or any other name of its origin)."""

    label: int
    file: str


class ImageSource(Protocol):
    """A data set on its way into a store: everything about it but the pixels is known beforehand."""

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


@dataclass(frozen=True)
class Store:
    """An open store; ``images`` stays on the disk and is read as it is indexed."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[ImageClass, ...]
    mean: NDArray[np.float32]
    training_count: int
    checksum: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    @property
    def training(self) -> slice:
        return slice(0, self.training_count)

    @property
    def validation(self) -> slice:
        return slice(self.training_count, len(self.labels))


class StoreError(ValueError):
    """The store, or the data set on its way into one, is not what it should be."""


def build_store(source: ImageSource, folder: Path, chunk: int = 1024) -> None:
    """Write the source's images into a store; ``manifest.json`` comes last and makes the store valid."""
    _check_source(source)
    samples = [*source.training, *source.validation]
    folder.mkdir(parents=True, exist_ok=True)
    total = np.zeros(source.image_shape, dtype=np.uint64)
    with whole_file(folder / IMAGES) as path:
        images = np.lib.format.open_memmap(path, "w+", np.uint8, (len(samples), *source.image_shape))
        for start in range(0, len(samples), chunk):
            stop = min(start + chunk, len(samples))
            images[start:stop] = source.read(start, stop)
            total += images[start : min(stop, len(source.training))].sum(axis=0, dtype=np.uint64)
        images.flush()
    with whole_file(folder / LABELS) as path:
        np.save(path, np.array([sample.label for sample in samples], dtype=np.int64), allow_pickle=False)
    write_csv(
        folder / CLASSES, ["index", "name", "group"], [(i, c.name, c.group) for i, c in enumerate(source.classes)]
    )
    parts = ["training"] * len(source.training) + ["validation"] * len(source.validation)
    rows = [(i, part, s.label, s.file) for i, (part, s) in enumerate(zip(parts, samples, strict=True))]
    write_csv(folder / SAMPLES, ["index", "part", "label", "file"], rows)
    with whole_file(folder / MEAN) as path:
        np.save(path, (total / len(source.training)).astype(np.float32), allow_pickle=False)
    write_json(
        folder / MANIFEST,
        {
            "format": STORE_VERSION,
            "name": source.name,
            "image_shape": list(source.image_shape),
            "classes": len(source.classes),
            "groups": sorted({c.group for c in source.classes}),
            "training": len(source.training),
            "validation": len(source.validation),
            "checksum": checksum(folder),
        },
    )


def open_store(folder: Path) -> Store:
    """Open a store for reading; StoreError if its files do not fit together."""
    manifest = read_json(folder / MANIFEST)
    if manifest["format"] != STORE_VERSION:
        raise StoreError(f"{folder / MANIFEST}: format {manifest['format']}, this version reads {STORE_VERSION}")
    images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    labels = np.load(folder / LABELS, allow_pickle=False)
    with (folder / CLASSES).open(encoding="utf-8", newline="") as file:
        classes = tuple(ImageClass(row["name"], row["group"]) for row in csv.DictReader(file))
    expected = (manifest["training"] + manifest["validation"], *manifest["image_shape"])
    if images.shape != expected or labels.shape != expected[:1] or len(classes) != manifest["classes"]:
        raise StoreError(f"{folder}: the files do not have the shapes that {MANIFEST} names; build the store again")
    mean = np.load(folder / MEAN, allow_pickle=False)
    return Store(manifest["name"], images, labels, classes, mean, manifest["training"], manifest["checksum"])


def checksum(folder: Path) -> str:
    """SHA-256 over the content of the store's files but the manifest, in hexadecimal."""
    digest = hashlib.sha256()
    for name in STORE_FILES[:-1]:
        digest.update(name.encode())
        for block in _blocks(folder / name):
            digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            yield block


def _check_source(source: ImageSource) -> None:
    names = [c.name for c in source.classes]
    if names != sorted(names) or len(set(names)) != len(names):
        raise StoreError(f"{source.name}: class names must be distinct and sorted, since their order gives the index")
    for part, samples in (("training", source.training), ("validation", source.validation)):
        present = {sample.label for sample in samples}
        if present != set(range(len(names))):
            missing = [name for i, name in enumerate(names) if i not in present]
            raise StoreError(
                f"{source.name}: the {part} set has no image of {', '.join(missing[:5]) or 'a known class'}"
            )
