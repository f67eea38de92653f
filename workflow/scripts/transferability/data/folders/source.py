"""Image files as a source for a store: a folder for each class, as in ImageNet, or a list of labels.

The index of a class is its position among the sorted names of the training set's folders, as in the paper.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transferability.data.folders.archives import unpacked
from transferability.data.folders.image_files import WHITE, ImageFacts, UnusableImageError, read_with_facts
from transferability.data.folders.labeled_parts import labeled_parts
from transferability.data.folders.layout import TRAIN, below_single_folder, unopened_told
from transferability.data.folders.list_tables import CLASS, FILE
from transferability.data.folders.search import ImageSearch, Reason, is_there, passed_over_lines, shown_below
from transferability.data.folders.skipped_paths import skipped_paths
from transferability.files import write_text
from transferability.labels import visible
from transferability.process.log import Say
from transferability.store.source import ImageClass, ImageSource, Sample, StoreError, UnreadableImagesError
from transferability.study.folder_keys import FolderKeys, contradictions

VALIDATION_LIST = "validation.csv"  # next to a store whose validation images were drawn


@dataclass(frozen=True)
class ImageFolders:
    """A source of images for a store; ``datasets`` in config/imagenet.yaml explains the settings.

    Attributes:
        root: the folder or archive of the settings, as an absolute path.
        folder: that folder, or the one that the archive is unpacked to, which contains ``train`` and ``val``.
        train: the folder in it that names of training images are relative to.
        val: likewise for validation images; the same as ``train`` if these are drawn, and '.' for images of a list.
        training: samples with the index of their class and the file's name below ``train``.
        validation: likewise below ``val``.
        size: side of the square that every image becomes, in pixels.
        fit: ``stretch`` the image to the square, as the authors did, or scale it to cover the square and ``crop``
            the rest.
        background: what shows where an image is transparent: white or black.
        passed_over: files and folders of the data set that are not read, by their paths below ``folder``.
        is_drawn: whether the validation images were drawn from the training images.
    """

    name: str
    root: str
    folder: Path = field(repr=False)
    train: str
    val: str
    size: int
    channels: int
    fit: str
    classes: tuple[ImageClass, ...] = field(repr=False)
    training: tuple[Sample, ...] = field(repr=False)
    validation: tuple[Sample, ...] = field(repr=False)
    background: str = WHITE
    is_drawn: bool = False
    passed_over: Mapping[str, Reason] = field(default_factory=dict, repr=False)

    @property
    def notes(self) -> list[str]:
        """What is passed over, and how much of it: a line for each reason."""
        return passed_over_lines(self.passed_over)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.size, self.size, self.channels

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Images ``start`` to ``stop`` of training + validation; UnreadableImagesError names all that fail."""
        images = np.empty((stop - start, *self.image_shape), dtype=np.uint8)
        unreadable = []
        for position in range(start, stop):
            try:
                images[position - start], _ = self.look(position)
            except UnreadableImagesError as error:
                unreadable.append(str(error))
        if unreadable:
            raise UnreadableImagesError("\n".join(unreadable))
        return images

    def look(self, position: int) -> tuple[NDArray[np.uint8], ImageFacts]:
        """One image of training + validation, and what its file is; UnreadableImagesError names it if it fails."""
        path = self._path(position)
        try:
            return read_with_facts(path, self.size, self.channels, self.fit, self.background)
        except (OSError, UnusableImageError) as error:
            raise UnreadableImagesError(
                f"datasets.{self.name}: in {self.root}, {self._unusable(path, error)}"
            ) from error

    def _unusable(self, path: Path, error: Exception) -> str:
        """A file's name as the key skip takes it, then why the file cannot be read and what would help."""
        name = visible(shown_below(self.folder, path))
        if not isinstance(error, OSError):
            return f"{name} is not a usable image ({error}); repair it or name it in skip"
        if path.is_symlink() and not is_there(path):
            return f"{name} is a link to {path.readlink()}, which is not there; repair it or name it in skip"
        return f"{name} is not a usable image ({error.strerror or error}); run again, repair it or name it in skip"

    def validation_list(self) -> str:
        """The validation images as a list that ``val_list`` takes: CSV with paths below ``folder``, and classes."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([FILE, CLASS])
        writer.writerows(
            [(Path(self.val) / sample.file).as_posix(), self.classes[sample.label].name] for sample in self.validation
        )
        return text.getvalue()

    def name_of(self, position: int) -> str:
        """The path of the file of an image of training + validation, as ``skip`` takes it."""
        return shown_below(self.folder, self._path(position))

    def fingerprint(self, position: int) -> str:
        """Size and time of an image's file, or of the archive that it is in; empty for a broken link."""
        path = self._path(position) if Path(self.root).is_dir() else Path(self.root)
        try:
            about = path.stat()
        except OSError:  # reading it says why
            return ""
        return f"{about.st_size} {about.st_mtime_ns}"

    def _path(self, position: int) -> Path:
        count = len(self.training)
        if position < count:
            return self.folder / self.train / self.training[position].file
        return self.folder / self.val / self.validation[position - count].file


@contextmanager
def image_folders(name: str, keys: FolderKeys, say: Say = lambda line: None) -> Iterator[ImageFolders]:
    """List the files of a data set; if its root is an archive, it is unpacked for the duration of the block.

    An archive may have folders of any name around ``train`` and ``val``.

    Raises:
        StoreError: something is missing, is empty, or is labeled in a way that cannot be understood.
    """
    root = Path(keys.root)
    for problem in contradictions(name, keys):
        raise StoreError(problem)
    with unpacked(root, keys.train or TRAIN, name) as outer:
        with unopened_told(name):
            folder = below_single_folder(outer, root, keys)
            search = ImageSearch(name, folder, skipped_paths(keys.skip, root, folder, name, (keys.train, keys.val)))
            parts = labeled_parts(search, keys, say)
        index = {label: i for i, label in enumerate(parts.classes)}
        yield ImageFolders(
            name=name,
            root=str(root.absolute()),
            folder=folder,
            train=parts.train,
            val=parts.val,
            size=keys.size,
            channels=keys.channels,
            fit=keys.fit,
            classes=tuple(map(ImageClass, parts.classes)),
            training=_samples(_first_of_each(parts.training, keys.images_per_class), index, folder / parts.train),
            validation=_samples(parts.validation, index, folder / parts.val),
            background=keys.background,
            is_drawn=bool(keys.validation),
            passed_over=search.passed_over,
        )


def keep_validation_list(source: ImageSource, folder: Path) -> None:
    """Write the validation images of a source, if they were drawn, as a list that ``val_list`` takes."""
    if isinstance(source, ImageFolders) and source.is_drawn:
        write_text(folder / VALIDATION_LIST, source.validation_list())


def _first_of_each(labels: Mapping[Path, str], most: int) -> dict[Path, str]:
    """The first images of each class, or all if ``most`` is 0."""
    if not most:
        return dict(labels)
    seen: Counter[str] = Counter()
    kept = {}
    for file, label in labels.items():
        seen[label] += 1
        if seen[label] <= most:
            kept[file] = label
    return kept


def _samples(labels: Mapping[Path, str], index: Mapping[str, int], base: Path) -> tuple[Sample, ...]:
    return tuple(Sample(index[label], str(file.relative_to(base))) for file, label in labels.items())
