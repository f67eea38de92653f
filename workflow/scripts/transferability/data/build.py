"""Building a store from a data set; see `transferability.store.reading` for what a store is."""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.data.stored_pixels import StoredPixels, image_keys, source_digest, stored_pixels
from transferability.files import held_file, parse_json, sha256_of, whole_file, write_csv, write_json, write_text
from transferability.process.log import Say
from transferability.process.pace import Pace
from transferability.store.checked_rows import row_digests
from transferability.store.reading import (
    CLASS_SUMS,
    CLASSES,
    DIGESTS,
    GUARD,
    IMAGES,
    LABELS,
    LISTS,
    MANIFEST,
    SAME_IMAGES,
    SAMPLES,
    SMALL,
    STORE_VERSION,
    checksum,
    guard,
    open_store,
    read_manifest,
)
from transferability.store.same_images import (
    KEY,
    REFUSE,
    SameImages,
    of_manifest,
    require_apart,
    same_images,
    shared_images,
    write_same_images,
)
from transferability.store.source import ImageSource, StoreError, UnreadableImagesError
from transferability.words import amount, counted

LOCK = ".building.lock"
NO_LISTS: Mapping[str, str] = MappingProxyType({})
_BLOCK = 256  # images read back at a time


def build_store(
    source: ImageSource,
    folder: Path,
    *,
    threads: int = 1,
    chunk: int = 256,
    duplicates: str = REFUSE,
    lists: Mapping[str, str] = NO_LISTS,
    say: Say = lambda line: None,
    log_every_seconds: float = 30.0,
) -> None:
    """Write the source's images into a store; ``manifest.json`` comes last and makes the store valid.

    Images are read in chunks by several threads. An interrupted build resumes with the missing images. An existing,
    undamaged store of the same source is kept. If another process is building in the folder, this waits for it.

    Args:
        source: the data set.
        folder: of the store.
        threads: how many threads read images.
        chunk: how many images are read and recorded at a time.
        duplicates: ``allow`` or ``refuse`` validation images that are also training images.
        lists: the SHA-256 of each list that the source was read with, by its key in the config; for the manifest.
        say: called with every line of progress.
        log_every_seconds: time between two such lines.

    Raises:
        StoreError: the source's classes or samples are not a valid data set, images cannot be read (up to 20 are
            named), validation images are trained on, or the disk has too little room. What was read is kept for the
            next attempt.
    """
    check_source(source)
    folder.mkdir(parents=True, exist_ok=True)
    keys = image_keys(source)
    _check_room(folder, len(keys) * int(np.prod(source.image_shape)), say)
    digest = source_digest(source, keys)
    waiting = f"another process is building a store in {folder}; waiting for it"
    with held_file(folder / LOCK, say, waiting) as (descriptor, _waited):
        if _is_built(folder, digest, descriptor, say):
            found = of_manifest(read_manifest(folder))
        else:
            pixels = stored_pixels(source, keys, folder, chunk)
            if pixels.written:
                in_all = counted(len(pixels.written) + len(pixels.spans), "chunk")
                say(f"resuming: {len(pixels.written)} of {in_all} written")
            pace = Pace(say, sum(stop - start for start, stop in pixels.spans), log_every_seconds)
            _read(source, pixels, threads, pace)
            found = _same_images(source, pixels, duplicates)
            _finish(source, pixels, digest, found, lists)
            _keep_manifest(folder, descriptor)
    say(shared_images({KEY: found.to_json()}))
    require_apart(found, duplicates, source.name, folder / SAME_IMAGES)


def _same_images(source: ImageSource, pixels: StoredPixels, duplicates: str) -> SameImages:
    """List the images that occur more than once; StoreError if some of them are not allowed to."""
    groups = same_images(pixels.digests())
    found, listed = SameImages.of(groups, source), pixels.folder / SAME_IMAGES
    write_same_images(listed, groups, source)
    require_apart(found, duplicates, source.name, listed)
    return found


def _finish(
    source: ImageSource, pixels: StoredPixels, digest: str, found: SameImages, lists: Mapping[str, str]
) -> None:
    """Complete a store whose images are all written."""
    sums = _class_sums(pixels, source)  # reads every image again and checks its digest
    digests = pixels.digests()
    (pixels.folder / MANIFEST).unlink(missing_ok=True)  # of an earlier store
    pixels.finish()
    _write_tables(source, pixels.folder, sums, digests)
    _write_manifest(source, pixels.folder, digest, found, lists)


def _is_built(folder: Path, digest: str, descriptor: int, say: Say) -> bool:
    """Whether the folder has an undamaged store of the source with this digest.

    The lock file holds a copy of the manifest, because Snakemake may remove or restore the manifest of a failed job
    while other processes use the store.
    """
    copy = os.pread(descriptor, 1 << 24, 0).decode(errors="replace")
    there = _text_of(folder / MANIFEST)
    for text in dict.fromkeys((there, copy)):
        if not _is_of(text, digest, folder):
            continue
        if text != there:
            write_text(folder / MANIFEST, text)
        say(f"there is a store of these images in {folder}; checking all of it")
        try:
            if checksum(folder) == open_store(folder).checksum:
                say("it is intact and is kept")
                return True
            say("it is damaged and is rebuilt")
        except (OSError, ValueError) as error:
            say(f"it is rebuilt: {error}")
    return False


def _is_of(manifest: str, digest: str, folder: Path) -> bool:
    """Whether a text is an undamaged manifest of a store of the source with this digest."""
    try:
        content = parse_json(manifest, folder / MANIFEST)
        return bool(content["source"] == digest and content[GUARD] == guard(content))
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _keep_manifest(folder: Path, descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (folder / MANIFEST).read_bytes(), 0)


def _write_tables(
    source: ImageSource, folder: Path, sums: NDArray[np.uint32], image_digests: NDArray[np.uint8]
) -> None:
    """Write the labels, classes, samples, class sums and digests of a store."""
    samples = [*source.training, *source.validation]
    _save(folder / LABELS, np.array([sample.label for sample in samples], dtype=np.int64))
    write_csv(
        folder / CLASSES, ["index", "name", "group"], [(i, c.name, c.group) for i, c in enumerate(source.classes)]
    )
    parts = ["training"] * len(source.training) + ["validation"] * len(source.validation)
    rows = [(i, part, s.label, s.file) for i, (part, s) in enumerate(zip(parts, samples, strict=True))]
    write_csv(folder / SAMPLES, ["index", "part", "label", "file"], rows)
    _save(folder / CLASS_SUMS, sums)
    _save(folder / DIGESTS, np.concatenate([image_digests, row_digests(sums)]))


def _save(path: Path, array: NDArray[Any]) -> None:
    with whole_file(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def _write_manifest(
    source: ImageSource, folder: Path, digest: str, found: SameImages, lists: Mapping[str, str]
) -> None:
    manifest = {
        "format": STORE_VERSION,
        "name": source.name,
        "image_shape": list(source.image_shape),
        "classes": len(source.classes),
        "groups": sorted({c.group for c in source.classes}),
        "training": len(source.training),
        "validation": len(source.validation),
        KEY: found.to_json(),
        "source": digest,
        LISTS: dict(lists),
        "sha256": {name: sha256_of(folder / name) for name in SMALL},
        "checksum": checksum(folder),
    }
    write_json(folder / MANIFEST, manifest | {GUARD: guard(manifest)})


def _read(source: ImageSource, pixels: StoredPixels, threads: int, pace: Pace) -> None:
    """Read the missing images; unreadable ones are collected, so that one pass finds them all."""
    unreadable: list[str] = []

    def read(start: int, stop: int) -> int:
        pixels.write(start, source.read(start, stop))
        return stop - start

    with ThreadPoolExecutor(threads) as pool:
        try:
            futures = [pool.submit(read, *span) for span in pixels.spans]
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


def _check_room(folder: Path, size: int, say: Say) -> None:
    there = sum(path.stat().st_blocks * 512 for path in folder.glob(f"*{IMAGES}*"))
    free = shutil.disk_usage(folder).free + there
    say(f"a store of {amount(size)} in {folder}, where {amount(free)} are free")
    if size > free:
        raise StoreError(
            f"{folder}: the store takes {amount(size)}, but only {amount(free)} are free; "
            "set stores to a folder with more room"
        )


def _class_sums(pixels: StoredPixels, source: ImageSource) -> NDArray[np.uint32]:
    """The sums of the training images of each class; StoreError if an image on disk is not what was read."""
    images, digests = pixels.images(), pixels.digests()
    labels = np.array([sample.label for sample in source.training])
    sums = np.zeros((len(source.classes), *source.image_shape), dtype=np.uint32)
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK]
        if not np.array_equal(row_digests(block), digests[start : start + _BLOCK]):
            pixels.forget()
            raise StoreError(
                f"{pixels.folder}: images there are not what was written, because of a disk fault or because another "
                "process is also building in the folder; run again"
            )
        of_block = labels[start : start + _BLOCK]
        for label in np.unique(of_block):
            sums[label] += block[: len(of_block)][of_block == label].sum(axis=0, dtype=np.uint32)
    return sums


def check_source(source: ImageSource) -> None:
    """StoreError if the classes, their images or the names of either are not a valid data set."""
    names = [c.name for c in source.classes]
    if names != sorted(names) or len(set(names)) != len(names):
        raise StoreError(f"{source.name}: class names must be distinct and sorted, because their order gives the index")
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
    """StoreError if a name cannot be written to the store's tables; checked before any image is read."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        raise StoreError(f"{what} {shown} has a name that is not in UTF-8; rename it") from error
