"""The images of a store while it is built: chunks in any order, each recorded once it is on disk.

A build that ends early leaves them for the next one to continue. If files were added, removed or replaced in the
meantime, all chunks that need no new image are kept, if the disk has room to copy them.
"""

import hashlib
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transferability.files import whole_file, write_text
from transferability.store.checked_rows import DIGEST_BYTES, row_digests
from transferability.store.reading import IMAGES, STORE_VERSION
from transferability.store.source import ImageSource, fingerprints

PIXELS, KEYS, ROW_DIGESTS, NOTES = f".{IMAGES}.building", ".keys.building", ".digests.building", ".chunks.building"
_MOVING = ".moving"


@dataclass(frozen=True)
class StoredPixels:
    """Images being written to a store, in the store's folder.

    Attributes:
        folder: of the store.
        shape: of all images, N x H x W x C.
        chunk: how many images are recorded at a time.
        written: the first image of each chunk that was there at the start.
    """

    folder: Path
    shape: tuple[int, ...]
    chunk: int
    written: frozenset[int]

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Start and end of the chunks that were not yet written."""
        count = self.shape[0]
        starts = (start for start in range(0, count, self.chunk) if start not in self.written)
        return [(start, min(start + self.chunk, count)) for start in starts]

    def write(self, start: int, images: NDArray[np.uint8]) -> None:
        pixels = np.ascontiguousarray(images)
        self._write_rows(PIXELS, start, pixels)
        self._write_rows(ROW_DIGESTS, start, row_digests(pixels))
        with (self.folder / NOTES).open("a", encoding="utf-8") as file:
            file.write(f"{start}\n")

    def _write_rows(self, name: str, start: int, rows: NDArray[np.uint8]) -> None:
        """Write without a memory map, which would kill the process on a full disk."""
        path, row_bytes = self.folder / name, rows[0].nbytes
        header = path.stat().st_size - self.shape[0] * row_bytes
        with path.open("rb+") as file:
            file.seek(header + start * row_bytes)
            file.write(rows.data)
            file.flush()
            os.fsync(file.fileno())

    def digests(self) -> NDArray[np.uint8]:
        """The digests of all images, N x 16, once they are written."""
        digests: NDArray[np.uint8] = np.load(self.folder / ROW_DIGESTS, allow_pickle=False)
        return digests

    def images(self) -> NDArray[np.uint8]:
        """All images, memory-mapped, once they are written."""
        images: NDArray[np.uint8] = np.load(self.folder / PIXELS, mmap_mode="r", allow_pickle=False)
        return images

    def forget(self) -> None:
        """Make the next build read all images again."""
        _forget(self.folder)

    def finish(self) -> None:
        """Give the images their final name and delete the records of the build."""
        (self.folder / PIXELS).replace(self.folder / IMAGES)
        for name in (NOTES, KEYS, ROW_DIGESTS):
            (self.folder / name).unlink(missing_ok=True)


def source_digest(source: ImageSource, keys: NDArray[np.uint8]) -> str:
    """A digest of all that is known about a source before it is read, and of what its images are read from."""
    about = [_origin(source), str([(c.name, c.group) for c in source.classes])]
    about += [str([sample.label for sample in part]) for part in (source.training, source.validation)]
    return hashlib.sha256("\n".join(about).encode() + keys.tobytes()).hexdigest()


def image_keys(source: ImageSource) -> NDArray[np.uint8]:
    """Digests that identify a source's images before they are read: of part, name and fingerprint, N x 16."""
    parts = [("training", sample) for sample in source.training]
    parts += [("validation", sample) for sample in source.validation]
    fingerprint = fingerprints(source)
    keys = (f"{part}\n{sample.file}\n{fingerprint(i)}" for i, (part, sample) in enumerate(parts))
    digests = b"".join(hashlib.sha256(key.encode()).digest()[:DIGEST_BYTES] for key in keys)
    return np.frombuffer(digests, dtype=np.uint8).reshape(len(parts), DIGEST_BYTES)


def _origin(source: ImageSource) -> str:
    return hashlib.sha256(f"{STORE_VERSION} {source!r} {source.image_shape}".encode()).hexdigest()


def stored_pixels(source: ImageSource, keys: NDArray[np.uint8], folder: Path, chunk: int) -> StoredPixels:
    """Start writing a source's images, or continue with what an earlier build left."""
    shape = (len(keys), *source.image_shape)
    first_note = f"{chunk} {_origin(source)}"
    lines = _notes(folder)
    if lines[:1] == [first_note] and all((folder / name).exists() for name in (PIXELS, ROW_DIGESTS, KEYS)):
        written = set(map(int, lines[1:]))
        if not np.array_equal(np.load(folder / KEYS, allow_pickle=False), keys):
            written = _carry_over(folder, written, keys, source.image_shape, chunk)
    else:
        _forget(folder)
        _empty(folder / PIXELS, shape)
        _empty(folder / ROW_DIGESTS, (len(keys), DIGEST_BYTES))
        written = set()
    with whole_file(folder / KEYS) as path, path.open("wb") as file:
        np.save(file, keys, allow_pickle=False)
    write_text(folder / NOTES, "".join(f"{line}\n" for line in (first_note, *sorted(written))))
    return StoredPixels(folder, shape, chunk, frozenset(written))


def _notes(folder: Path) -> list[str]:
    """The chunk size and the source's origin, then the first image of every chunk that is on disk."""
    path = folder / NOTES
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    # The last line may have been cut off and would read as another number.
    return [line.rstrip("\n") for line in lines if line.endswith("\n")]


def _carry_over(
    folder: Path, written: set[int], keys: NDArray[np.uint8], image_shape: tuple[int, int, int], chunk: int
) -> set[int]:
    """Move the images that are still wanted to their new places; returns the chunks that are complete there."""
    old_keys = np.load(folder / KEYS, allow_pickle=False)
    there = {old_keys[i].tobytes(): i for start in written for i in range(start, min(start + chunk, len(old_keys)))}
    origin = np.array([there.get(key.tobytes(), -1) for key in keys], dtype=np.int64)
    room = shutil.disk_usage(folder).free > len(keys) * math.prod(image_shape)  # for a second file next to the first
    whole = {start for start in range(0, len(keys), chunk) if room and (origin[start : start + chunk] >= 0).all()}
    for name, row in ((PIXELS, image_shape), (ROW_DIGESTS, (DIGEST_BYTES,))):
        old = np.load(folder / name, mmap_mode="r", allow_pickle=False)
        if not whole:
            (folder / name).unlink()
        _empty(folder / f"{name}{_MOVING}", (len(keys), *row))
        new = np.load(folder / f"{name}{_MOVING}", mmap_mode="r+", allow_pickle=False)
        for start in whole:
            new[start : start + chunk] = old[origin[start : start + chunk]]
        new.flush()
    (folder / NOTES).unlink()
    for name in (PIXELS, ROW_DIGESTS):
        (folder / f"{name}{_MOVING}").replace(folder / name)
    return whole


def _forget(folder: Path) -> None:
    (folder / NOTES).unlink(missing_ok=True)  # first: without it, the others are ignored
    for name in (PIXELS, ROW_DIGESTS, KEYS):
        (folder / name).unlink(missing_ok=True)
        (folder / f"{name}{_MOVING}").unlink(missing_ok=True)


def _empty(path: Path, shape: tuple[int, ...]) -> None:
    np.lib.format.open_memmap(path, "w+", np.uint8, shape).flush()
