"""What is in a data set, determined by reading every image once; nothing is built."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.data.build import check_source
from transferability.data.folders.image_files import ImageFacts
from transferability.data.folders.search import Reason
from transferability.data.folders.source import ImageFolders
from transferability.data.sharpness import Sharpness, chosen_alike, sharpness, unlike
from transferability.figures.contact_sheet import TRAINING_SHOWN, VALIDATION_SHOWN, classes_shown, thumbnails
from transferability.process.pace import Pace
from transferability.store.checked_rows import DIGEST_BYTES, row_digests
from transferability.store.reading import Store
from transferability.store.same_images import SameImages, same_images, same_rows
from transferability.store.source import ImageClass, ImageSource, Sample, UnreadableImagesError

CHUNK = 64  # images that a thread reads at a time

# Changes to an image because of which it is not used as it is in its file.
TREATED: Mapping[str, Callable[[ImageFacts], bool]] = {
    "turned upright by their EXIF orientation": lambda facts: facts.turned,
    "placed on the background because they have transparent parts": lambda facts: facts.composed,
    "with several pictures, of which only the first is used": lambda facts: facts.more_frames,
}


@dataclass(frozen=True)
class Survey:
    """What is in a data set.

    Attributes:
        source: the data set.
        counts: the number of images of each class, classes x (training, validation), including unusable ones.
        sizes: width and height of each image file that could be read, N x 2; empty where images have no files.
        formats: the number of image files in each format, such as JPEG.
        modes: likewise in each of Pillow's modes, such as RGB or L.
        treated: the files whose images were changed, by the keys of `TREATED`, as paths that ``skip`` takes.
        refused: the file of each unusable image, with a sentence that says why.
        same: how many images occur more than once.
        same_rows: these images, as rows of a store's list of them.
        passed_over: files and folders that are not read, with the reason.
        unlike: how sharp the images of the two parts are, if one is sharper than the other; None if they are alike.
        preview: a store of the first images of each class, reduced, for a contact sheet; None if none can be used.
    """

    source: ImageSource
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    formats: Mapping[str, int]
    modes: Mapping[str, int]
    treated: Mapping[str, Sequence[str]]
    refused: Sequence[tuple[str, str]]
    same: SameImages
    same_rows: Sequence[Sequence[str]]
    passed_over: Mapping[str, Reason]
    unlike: Sharpness | None
    preview: Store | None


def survey(source: ImageSource, classes: Sequence[ImageClass], threads: int, pace: Pace) -> Survey:
    """Read every image of a data set; StoreError if its classes or names cannot make up a data set.

    Args:
        source: the data set.
        classes: the source's classes, with the groups and readable names that pages show.
        threads: how many threads read at a time.
        pace: notified of every image that is read.
    """
    check_source(source)
    count = len(source.training) + len(source.validation)
    compared = _compared(source)
    notes = _Notes(source, _previewed(source), frozenset(map(int, np.concatenate(compared))))
    with ThreadPoolExecutor(threads) as pool:
        spans = [(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
        for done in pool.map(lambda span: notes.read(*span), spans):
            pace.made(done)
    name_of = _names(source)
    usable = np.flatnonzero(notes.usable)
    groups = [usable[group] for group in same_images(notes.digests[usable])]
    return Survey(
        source=source,
        counts=_counts(source),
        sizes=notes.sizes[notes.sizes.any(axis=1)],
        formats=Counter(facts.format for facts in notes.facts.values()),
        modes=Counter(facts.mode for facts in notes.facts.values()),
        treated={
            what: [name_of(position) for position, facts in sorted(notes.facts.items()) if done(facts)]
            for what, done in TREATED.items()
        },
        refused=[(name_of(position), text) for position, text in sorted(notes.refused.items())],
        same=SameImages.of(groups, source),
        same_rows=same_rows(groups, source),
        passed_over=source.passed_over if isinstance(source, ImageFolders) else {},
        unlike=unlike(*([notes.sharpness[at] for at in part if at in notes.sharpness] for part in compared)),
        preview=_preview(source, classes, notes.previews),
    )


class _Notes:
    """What is found while several threads read images, in any order."""

    def __init__(self, source: ImageSource, previewed: frozenset[int], compared: frozenset[int]) -> None:
        count = len(source.training) + len(source.validation)
        self._source, self._previewed, self._compared = source, previewed, compared
        self.usable = np.zeros(count, dtype=bool)
        self.digests = np.zeros((count, DIGEST_BYTES), dtype=np.uint8)
        self.sizes = np.zeros((count, 2), dtype=np.int64)
        self.facts: dict[int, ImageFacts] = {}
        self.refused: dict[int, str] = {}
        self.previews: dict[int, NDArray[np.uint8]] = {}
        self.sharpness: dict[int, float] = {}

    def read(self, start: int, stop: int) -> int:
        """Read images ``start`` to ``stop``; return how many these are."""
        if isinstance(self._source, ImageFolders):
            for position in range(start, stop):
                self._look(self._source, position)
        else:
            self._note(start, self._source.read(start, stop))
        return stop - start

    def _look(self, source: ImageFolders, position: int) -> None:
        try:
            pixels, facts = source.look(position)
        except UnreadableImagesError as error:
            self.refused[position] = str(error)
            return
        self.facts[position] = facts
        self.sizes[position] = facts.size
        self._note(position, pixels[None])

    def _note(self, start: int, images: NDArray[np.uint8]) -> None:
        self.usable[start : start + len(images)] = True
        self.digests[start : start + len(images)] = row_digests(images)
        positions = range(start, start + len(images))
        for position in self._previewed.intersection(positions):
            self.previews[position] = thumbnails(images[position - start, None])[0]
        for position in self._compared.intersection(positions):
            self.sharpness[position] = sharpness(images[position - start])


def _names(source: ImageSource) -> Callable[[int], str]:
    """Returns a function from an image's position to its name."""
    if isinstance(source, ImageFolders):
        return source.name_of
    samples = [*source.training, *source.validation]
    return lambda position: samples[position].file


def _labels(part: Sequence[Sample]) -> NDArray[np.int64]:
    return np.array([sample.label for sample in part], dtype=np.int64)


def _counts(source: ImageSource) -> NDArray[np.int64]:
    parts = (source.training, source.validation)
    return np.stack([np.bincount(_labels(part), minlength=len(source.classes)) for part in parts], axis=1)


def _compared(source: ImageSource) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions of the training and validation images whose sharpness is compared."""
    training, validation = chosen_alike(_labels(source.training), _labels(source.validation), source.name)
    return training, validation + len(source.training)


def _previewed(source: ImageSource) -> frozenset[int]:
    """The positions of the images that a contact sheet would show."""
    shown = set(classes_shown(len(source.classes)))
    positions, seen = [], Counter[tuple[bool, int]]()
    for position, sample in enumerate([*source.training, *source.validation]):
        trained = position < len(source.training)
        seen[trained, sample.label] += 1
        most = TRAINING_SHOWN if trained else VALIDATION_SHOWN
        if sample.label in shown and seen[trained, sample.label] <= most:
            positions.append(position)
    return frozenset(positions)


def _preview(
    source: ImageSource, classes: Sequence[ImageClass], previews: Mapping[int, NDArray[np.uint8]]
) -> Store | None:
    if not previews:
        return None
    positions = sorted(previews)
    samples = [*source.training, *source.validation]
    images = np.stack([previews[position] for position in positions])
    sums: NDArray[Any] = np.zeros((len(classes), *images.shape[1:]), dtype=np.uint32)
    return Store(
        name=source.name,
        images=images,
        labels=np.array([samples[position].label for position in positions], dtype=np.int64),
        classes=tuple(classes),
        class_sums=sums,
        training_count=sum(position < len(source.training) for position in positions),
        checksum="",
    )
