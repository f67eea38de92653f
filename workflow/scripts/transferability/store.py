"""The image store: what every data set becomes, and all that training ever reads.

A store is a folder of six files::

    images.npy      uint8, N x H x W x C, memory-mapped: the training images, then the validation images
    labels.npy      int64, N: the index of each image's class
    classes.csv     index, name, group: one row a class, in the order of the names
    samples.csv     index, part, label, file: where each image comes from
    class_sums.npy  uint32, classes x H x W x C: the sum of each class's training images, for mean images
    manifest.json   shapes, counts, and the checksum of all the above
"""

import csv
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from transferability.files import held_file, open_csv, read_json, whole_file, write_csv, write_json, write_text

IMAGES, LABELS, CLASSES, SAMPLES = "images.npy", "labels.npy", "classes.csv", "samples.csv"
CLASS_SUMS, MANIFEST = "class_sums.npy", "manifest.json"
STORE_FILES = (IMAGES, LABELS, CLASSES, SAMPLES, CLASS_SUMS, MANIFEST)
LOCK = ".building.lock"
# Raised by hand when a store would be laid out otherwise, or the same settings would give other images.
STORE_VERSION = 2


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
    class_sums: NDArray[np.uint32]
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

    def mean_image(self, classes: Sequence[int]) -> NDArray[np.float32]:
        """The mean of the training images of some classes, H x W x C."""
        count = np.isin(self.labels[self.training], list(classes)).sum()
        total: NDArray[np.uint64] = self.class_sums[list(classes)].sum(axis=0, dtype=np.uint64)
        mean: NDArray[np.float32] = (total / count).astype(np.float32)
        return mean


class StoreError(ValueError):
    """The store, or the data set on its way into one, is not what it should be."""


class UnreadableImagesError(StoreError):
    """Some files of a chunk are no images that can be used; the message has a line for each."""


def build_store(
    source: ImageSource,
    folder: Path,
    *,
    threads: int = 1,
    chunk: int = 256,
    say: Callable[[str], None] = lambda line: None,
    report_seconds: float = 30.0,
) -> None:
    """Write the source's images into a store; ``manifest.json`` comes last and makes the store valid.

    Images are read ``chunk`` by ``chunk`` in several threads. A build that was interrupted goes on with the chunks
    that are missing, if the source is still the same. Where another process builds in the folder, its end is awaited,
    and its store kept if it is of the same source.

    Raises:
        StoreError: the source's classes or samples cannot be a data set, images cannot be read (all of them are
            named), or the disk has too little room.
    """
    _check_source(source)
    folder.mkdir(parents=True, exist_ok=True)
    samples = [*source.training, *source.validation]
    _check_room(folder, len(samples) * int(np.prod(source.image_shape)), say)
    digest = _digest(source)
    with _turn_to_build(folder, digest, say) as is_built:
        if is_built:
            say(f"the other process has built this store in {folder}, which is kept")
            return
        with _pixels(folder, digest, (len(samples), *source.image_shape), chunk) as pixels:
            starts = range(0, len(samples), chunk)
            spans = [(start, min(start + chunk, len(samples))) for start in starts if start not in pixels.written]
            if pixels.written:
                say(f"going on: {len(pixels.written)} of {len(starts)} chunks are written")
            pace = _Pace(say, sum(stop - start for start, stop in spans), report_seconds)
            _read(source, pixels, spans, threads, pace)
        _write_tables(source, folder)


@contextmanager
def _turn_to_build(folder: Path, digest: str, say: Callable[[str], None]) -> Iterator[bool]:
    """Hold the folder for the length of the block; yields whether another process built the same store meanwhile.

    The lock file has the digest of the source of the store that is there, and is empty until one is whole.
    """
    waiting = f"another process is building a store in {folder}; waiting for it"
    with held_file(folder / LOCK, say, waiting) as (descriptor, waited):
        same_source = os.pread(descriptor, 99, 0) == digest.encode()
        is_built = waited and same_source and all((folder / name).exists() for name in STORE_FILES)
        if not is_built:
            os.ftruncate(descriptor, 0)
        yield is_built
        if not is_built:
            with suppress(OSError):  # a full disk: the store is whole, and who waits builds it again
                os.pwrite(descriptor, digest.encode(), 0)


def _write_tables(source: ImageSource, folder: Path) -> None:
    """All files of a store but the images, which are there."""
    samples = [*source.training, *source.validation]
    with whole_file(folder / LABELS) as path:
        np.save(path, np.array([sample.label for sample in samples], dtype=np.int64), allow_pickle=False)
    write_csv(
        folder / CLASSES, ["index", "name", "group"], [(i, c.name, c.group) for i, c in enumerate(source.classes)]
    )
    parts = ["training"] * len(source.training) + ["validation"] * len(source.validation)
    rows = [(i, part, s.label, s.file) for i, (part, s) in enumerate(zip(parts, samples, strict=True))]
    write_csv(folder / SAMPLES, ["index", "part", "label", "file"], rows)
    with whole_file(folder / CLASS_SUMS) as path:
        np.save(path, _class_sums(folder, source), allow_pickle=False)
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


@dataclass(frozen=True)
class _Pixels:
    """The images file while it is written: any chunk at any time, each noted once it is on the disk."""

    images: Path
    notes: Path
    header: int
    image_bytes: int
    written: frozenset[int]

    def write(self, start: int, images: NDArray[np.uint8]) -> None:
        with self.images.open("rb+") as file:
            file.seek(self.header + start * self.image_bytes)
            file.write(np.ascontiguousarray(images).data)
            file.flush()
            os.fsync(file.fileno())
        with self.notes.open("a", encoding="utf-8") as file:
            file.write(f"{start}\n")


@contextmanager
def _pixels(folder: Path, digest: str, shape: tuple[int, ...], chunk: int) -> Iterator[_Pixels]:
    """Start or go on writing the images; once all is well they get their final name."""
    images, notes = folder / f".{IMAGES}.building", folder / ".chunks.building"
    first_note = f"{chunk} {digest}\n"
    lines = notes.read_text(encoding="utf-8").splitlines(keepends=True) if notes.exists() else []
    if lines[:1] != [first_note] or not images.exists():
        notes.unlink(missing_ok=True)
        np.lib.format.open_memmap(images, "w+", np.uint8, shape).flush()
        lines = [first_note]
    # The last line may have been cut off; it goes, or the next one would make another number of it.
    lines = [line for line in lines if line.endswith("\n")]
    write_text(notes, "".join(lines))
    written = frozenset(map(int, lines[1:]))
    image_bytes = int(np.prod(shape[1:]))
    header = images.stat().st_size - shape[0] * image_bytes
    yield _Pixels(images, notes, header, image_bytes, written)
    (folder / MANIFEST).unlink(missing_ok=True)  # of a store that was here before
    images.replace(folder / IMAGES)
    notes.unlink()


def _digest(source: ImageSource) -> str:
    """Of all that is known of a source before it is read; its ``repr`` says where its images are from."""
    parts = [[(sample.label, sample.file) for sample in part] for part in (source.training, source.validation)]
    classes = [(c.name, c.group) for c in source.classes]
    about = json.dumps([STORE_VERSION, repr(source), source.image_shape, classes, parts])
    return hashlib.sha256(about.encode()).hexdigest()


def _read(source: ImageSource, pixels: _Pixels, spans: Sequence[tuple[int, int]], threads: int, pace: "_Pace") -> None:
    """Read what is missing; unreadable images are gathered, so that all are known after one pass."""
    unreadable: list[str] = []

    def read(start: int, stop: int) -> int:
        pixels.write(start, source.read(start, stop))
        return stop - start

    with ThreadPoolExecutor(threads) as pool:
        try:
            futures = [pool.submit(read, *span) for span in spans]
            for future in as_completed(futures):
                try:
                    pace.made(future.result())
                except UnreadableImagesError as error:
                    unreadable += str(error).splitlines()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if unreadable:
        more = [f"and {len(unreadable) - 20} more"] if len(unreadable) > 20 else []
        raise UnreadableImagesError("\n".join([*sorted(unreadable)[:20], *more]))


class _Pace:
    """A line every so often: how far, how fast, how long to go."""

    def __init__(self, say: Callable[[str], None], total: int, report_seconds: float) -> None:
        self._say, self._total, self._report_seconds = say, total, report_seconds
        self._done = 0
        self._started = self._last = time.monotonic()

    def made(self, images: int) -> None:
        self._done += images
        now = time.monotonic()
        if now - self._last >= self._report_seconds:
            self._last = now
            rate = self._done / (now - self._started)
            left = (self._total - self._done) / rate
            self._say(f"{self._done:,} of {self._total:,} images, {rate:,.0f} images/s, {left / 60:.1f} minutes left")


def _check_room(folder: Path, size: int, say: Callable[[str], None]) -> None:
    there = sum(path.stat().st_blocks * 512 for path in folder.glob(f"*{IMAGES}*"))
    free = shutil.disk_usage(folder).free + there
    say(f"a store of {size / 1e9:.2f} GB in {folder}, where {free / 1e9:.1f} GB are free")
    if size > free:
        raise StoreError(
            f"{folder}: the store takes {size / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free; "
            "set stores to a folder with more room"
        )


def _class_sums(folder: Path, source: ImageSource) -> NDArray[np.uint32]:
    images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    labels = np.array([sample.label for sample in source.training])
    sums = np.zeros((len(source.classes), *source.image_shape), dtype=np.uint32)
    for start in range(0, len(labels), 256):
        block = labels[start : start + 256]
        for label in np.unique(block):
            sums[label] += images[start : start + len(block)][block == label].sum(axis=0, dtype=np.uint32)
    return sums


def open_store(folder: Path) -> Store:
    """Open a store for reading; StoreError if its files do not fit together."""
    manifest = _read_manifest(folder / MANIFEST)
    images = _load(folder / IMAGES, mmap_mode="r")
    labels = _load(folder / LABELS)
    classes = _read_classes(folder / CLASSES)
    expected = (manifest["training"] + manifest["validation"], *manifest["image_shape"])
    if images.shape != expected or labels.shape != expected[:1] or len(classes) != manifest["classes"]:
        raise StoreError(f"{folder}: the files do not have the shapes that {MANIFEST} names; build the store again")
    if not np.isin(labels, np.arange(len(classes))).all():
        raise StoreError(f"{folder / LABELS}: damaged (a label is not the index of a class); build the store again")
    sums = _load(folder / CLASS_SUMS, mmap_mode="r")
    return Store(manifest["name"], images, labels, classes, sums, manifest["training"], manifest["checksum"])


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json(path)
    known = manifest.get("format") if isinstance(manifest, dict) else None
    if known != STORE_VERSION:
        raise StoreError(f"{path}: format {known!r}, this version reads {STORE_VERSION}; build the store again")
    kinds = {"name": str, "checksum": str, "training": int, "validation": int, "classes": int, "image_shape": list}
    wrong = [key for key, kind in kinds.items() if not isinstance(manifest.get(key), kind)]
    if wrong:
        raise StoreError(f"{path}: damaged ({wrong[0]} is {manifest.get(wrong[0])!r}); build the store again")
    return dict(manifest)


def _read_classes(path: Path) -> tuple[ImageClass, ...]:
    with open_csv(path) as reader:
        rows = list(reader)
    if not all(row.get("name") and row.get("group") is not None for row in rows):
        raise StoreError(f"{path}: damaged (a class has no name or no group); build the store again")
    return tuple(ImageClass(row["name"], row["group"]) for row in rows)


def read_samples(folder: Path) -> list[Sample]:
    """Where each image of a store comes from, in the order of the images."""
    with (folder / SAMPLES).open(encoding="utf-8", newline="") as file:
        return [Sample(int(row["label"]), row["file"]) for row in csv.DictReader(file)]


def _load(path: Path, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise StoreError(f"{path}: damaged ({error}); build the store again") from error
    return array


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
    for name in names:
        _require_utf8(name, f"{source.name}: the class")
    for part, samples in (("training", source.training), ("validation", source.validation)):
        present = {sample.label for sample in samples}
        if present != set(range(len(names))):
            missing = [name for i, name in enumerate(names) if i not in present]
            raise StoreError(
                f"{source.name}: the {part} set has no image of {', '.join(missing[:5]) or 'a known class'}"
            )
        for file in (sample.file for sample in samples):
            _require_utf8(file, f"{source.name}: the {part} file")


def _require_utf8(name: str, what: str) -> None:
    """StoreError if a name cannot be written to the store's tables, before images are read in vain."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        raise StoreError(f"{what} {shown} has a name that is not in UTF-8; rename it") from error
