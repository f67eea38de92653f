"""The image store: the form that every data set is converted to, and all that training reads.

A store is a folder of these files::

    images.npy       uint8, N x H x W x C, memory-mapped: the training images, then the validation images
    labels.npy       int64, N: the index of each image's class
    classes.csv      index, name, group: one row per class, in name order
    samples.csv      index, part, label, file: where each image comes from
    class_sums.npy   uint32, classes x H x W x C: the sum of each class's training images, for mean images
    digests.npy      uint8, (N + classes) x 16: a digest of each image, then of each class's sum
    same_images.csv  the images that occur more than once
    manifest.json    shapes, counts, the checksum of the first five, and digests of the small files and of itself

It is written by `transferability.data.build`. Everything is checked against its digest before use, so that no network
is trained on a store that was damaged after it was built.
"""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transferability.files import open_csv, read_json, sha256_of
from transferability.store.checked_rows import CheckedRows, row_digests
from transferability.store.source import ImageClass, Sample, StoreError

IMAGES, LABELS, CLASSES, SAMPLES = "images.npy", "labels.npy", "classes.csv", "samples.csv"
CLASS_SUMS, DIGESTS, SAME_IMAGES, MANIFEST = "class_sums.npy", "digests.npy", "same_images.csv", "manifest.json"
# What defines a store, to the byte; their checksum is part of a network's identity.
CONTENT = (IMAGES, LABELS, CLASSES, SAMPLES, CLASS_SUMS)
STORE_FILES = (*CONTENT, DIGESTS, SAME_IMAGES, MANIFEST)
# Read whole, and so checked whole against the manifest.
SMALL = (LABELS, CLASSES, SAMPLES, DIGESTS)
# Raised by hand when the layout of a store changes, or when the same settings would give other images.
STORE_VERSION = 3
LISTS = "lists"  # the manifest's key for the digests of the lists that the store was made from
GUARD = "digest"  # the manifest's key for the digest of its other keys


@dataclass(frozen=True)
class Store:
    """An open store; ``images`` and ``class_sums`` stay on disk and are read and checked as they are indexed."""

    name: str
    images: NDArray[np.uint8] | CheckedRows[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[ImageClass, ...]
    class_sums: NDArray[np.uint32] | CheckedRows[np.uint32]
    training_count: int
    checksum: str
    folder: str = ""  # its name

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

    def image_digests(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Digests that identify the pixels of images, as `row_digests` gives them."""
        images = self.images
        return images.digests[positions] if isinstance(images, CheckedRows) else row_digests(images[positions])

    def mean_image(self, classes: Sequence[int]) -> NDArray[np.float32]:
        """The mean of the training images of some classes, H x W x C."""
        count = np.isin(self.labels[self.training], list(classes)).sum()
        sums = self.class_sums[np.asarray(list(classes), dtype=np.int64)]
        total: NDArray[np.uint64] = sums.sum(axis=0, dtype=np.uint64)
        mean: NDArray[np.float32] = (total / count).astype(np.float32)
        return mean


def open_store(folder: Path) -> Store:
    """Open a store for reading; StoreError if one of its files is damaged, or if they do not fit together.

    Each image and class sum is checked the first time it is read.
    """
    manifest = read_manifest(folder)
    for name in (*CONTENT, DIGESTS):
        if not (folder / name).is_file():
            raise damaged(folder / name, "it is missing")
    for name in SMALL:
        if sha256_of(folder / name) != manifest["sha256"].get(name):
            raise damaged(folder / name, "its content is not what was written")
    images = _load(folder / IMAGES, mmap_mode="r")
    labels = _load(folder / LABELS)
    classes = _read_classes(folder / CLASSES)
    sums = _load(folder / CLASS_SUMS, mmap_mode="r")
    digests = _load(folder / DIGESTS)
    count, shape = manifest["training"] + manifest["validation"], manifest["image_shape"]
    shapes = [images.shape, labels.shape, sums.shape, digests.shape[:1]]
    if shapes != [(count, *shape), (count,), (len(classes), *shape), (count + len(classes),)]:
        raise StoreError(f"{folder}: the files do not have the shapes given in {MANIFEST}; {build_again(folder)}")
    again = build_again(folder)
    return Store(
        manifest["name"],
        CheckedRows(images, digests[:count], folder / IMAGES, partial(_image_name, folder), again),
        labels,
        classes,
        CheckedRows(sums, digests[count:], folder / CLASS_SUMS, lambda i: f"the sum of {classes[i].name}", again),
        manifest["training"],
        manifest["checksum"],
        folder.name,
    )


def _image_name(folder: Path, position: int) -> str:
    return f"image {position}, {read_samples(folder)[position].file},"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a store; ValueError, such as StoreError, if it is of another version or damaged."""
    path = folder / MANIFEST
    manifest = read_json(path)
    known = manifest.get("format") if isinstance(manifest, dict) else None
    if known != STORE_VERSION:
        raise StoreError(f"{path}: format {known!r}, this version reads {STORE_VERSION}; {build_again(folder)}")
    if manifest.get(GUARD) != guard(manifest):
        raise damaged(path, "its content is not what was written")
    return dict(manifest)


def manifest_there(folder: Path) -> dict[str, Any] | None:
    """The manifest of a store; None if there is no store, or only one that cannot be used."""
    try:
        return read_manifest(folder)
    except (OSError, ValueError):
        return None


def stored_checksum(folder: Path) -> str | None:
    """The checksum of a store; None if there is no usable one."""
    manifest = manifest_there(folder)
    return None if manifest is None else str(manifest["checksum"])


def guard(manifest: Mapping[str, Any]) -> str:
    """The digest of a manifest's other keys."""
    others = {key: value for key, value in manifest.items() if key != GUARD}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def damaged(path: Path, why: str) -> StoreError:
    return StoreError(f"{path}: damaged ({why}); {build_again(path.parent)}")


def build_again(folder: Path) -> str:
    """What to do about a store that is damaged."""
    return f"delete {folder} to have the store built again"


def _read_classes(path: Path) -> tuple[ImageClass, ...]:
    with open_csv(path) as reader:
        return tuple(ImageClass(row["name"], row["group"]) for row in reader)


def read_samples(folder: Path) -> list[Sample]:
    """Where each image of a store comes from, in the order of the images."""
    with (folder / SAMPLES).open(encoding="utf-8", newline="") as file:
        return [Sample(int(row["label"]), row["file"]) for row in csv.DictReader(file)]


def _load(path: Path, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise damaged(path, str(error)) from error
    return array


def checksum(folder: Path) -> str:
    """SHA-256 over the names and the content of the files that define a store, in hexadecimal."""
    digest = hashlib.sha256()
    for name in CONTENT:
        digest.update(name.encode())
        for block in _blocks(folder / name):
            digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            yield block
