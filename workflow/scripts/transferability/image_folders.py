"""Image files on their way into a store: a folder for each class, as ImageNet has them, or a list of labels.

The index of a class is its position among the sorted names of the training set's folders, as in the paper.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transferability.archives import unpacked
from transferability.image_files import STRETCH, WHITE, UnusableImageError, read_image
from transferability.image_search import ImageSearch, Reason, is_there, passed_over_lines
from transferability.skipped_paths import skipped_paths
from transferability.store import ImageClass, Sample, StoreError, UnreadableImagesError
from transferability.unicode_names import nfc

_ILSVRC_CLASSES = Path(__file__).parents[3] / "resources" / "imagenet" / "classes.csv"


@dataclass(frozen=True)
class ImageFolders:
    """A source of images for a store; ``datasets`` in config/imagenet.yaml explains the settings.

    Attributes:
        root: the folder or archive of the settings, as an absolute path.
        folder: that folder, or the one that the archive is unpacked to: what ``train`` and ``val`` are in.
        training: samples with the index of their class and the file's name below ``train``.
        validation: likewise below ``val``.
        size: side of the square that every image becomes, in pixels.
        fit: ``stretch`` the image to the square, as the authors did, or scale it to cover the square and ``crop``
            what sticks out.
        background: what shows through where an image is transparent: white or black.
        passed_over: files and folders of the data set that are not read, by their paths below ``folder``.
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
            path = self._path(position)
            try:
                images[position - start] = read_image(path, self.size, self.channels, self.fit, self.background)
            except (OSError, UnusableImageError) as error:
                unreadable.append(f"datasets.{self.name}: in {self.root}, {self._unusable(path, error)}")
        if unreadable:
            raise UnreadableImagesError("\n".join(unreadable))
        return images

    def _unusable(self, path: Path, error: Exception) -> str:
        """Why a file cannot be read, and what would help, after its name as the key skip takes it."""
        name = path.relative_to(self.folder)
        if not isinstance(error, OSError):
            return f"{name} is no usable image ({error}); repair it or name it in skip"
        if path.is_symlink() and not is_there(path):
            return f"{name} is a link to {path.readlink()}, which is not there; repair it or name it in skip"
        return f"{name} is no usable image ({error.strerror or error}); run again, repair it or name it in skip"

    def _path(self, position: int) -> Path:
        count = len(self.training)
        if position < count:
            return self.folder / self.train / self.training[position].file
        return self.folder / self.val / self.validation[position - count].file


@contextmanager
def image_folders(
    name: str,
    *,
    root: str,
    size: int,
    train: str = "train",
    val: str = "val",
    val_labels: str = "",
    channels: int = 3,
    fit: str = STRETCH,
    background: str = WHITE,
    every_class: int = 1,
    images_per_class: int = 0,
    skip: Sequence[str] = (),
) -> Iterator[ImageFolders]:
    """List the files of a data set; if its root is an archive, it is unpacked for as long as the block lasts.

    An archive may have a folder of its own around ``train`` and ``val``, whose name does not matter then.

    Raises:
        StoreError: something is missing, is empty, or is labelled in a way that cannot be understood.
    """
    with unpacked(Path(root), train, name) as folder:
        _require_apart(folder / train, folder / val, name)
        search = ImageSearch(name, folder, skipped_paths(skip, Path(root), folder, name))
        folders = {nfc(path.name): path for path in search.class_folders(folder / train)}
        known = dict(list(folders.items())[::every_class])
        classes = tuple(map(ImageClass, known))
        index = {label: i for i, label in enumerate(known)}
        training = []
        for label, path in known.items():
            files = [file for file in search.image_files(path) if not search.is_skipped(file)]
            if not files:
                raise StoreError(f"datasets.{name}: there are no images in {path}; a class is a folder with its images")
            kept = files[: images_per_class or None]
            training += [Sample(index[label], str(file.relative_to(folder / train))) for file in kept]
        if val_labels:
            labelled = _labelled(folder / val, folder / val_labels, list(folders), search)
        else:
            labelled = _by_folder(folder / val, search)
        unknown = sorted(set(labelled.values()) - set(folders))
        if unknown:
            raise StoreError(
                f"datasets.{name}: {folder / val} has the class {unknown[0]}, but {folder / train} has no folder of "
                "that name"
            )
        validation = [
            Sample(index[label], str(file.relative_to(folder / val)))
            for file, label in labelled.items()
            if label in index and not search.is_skipped(file)
        ]
        yield ImageFolders(
            name,
            str(Path(root).absolute()),
            folder,
            train,
            val,
            size,
            channels,
            fit,
            classes,
            tuple(training),
            tuple(validation),
            background,
            search.passed_over,
        )


def _require_apart(train: Path, val: Path, name: str) -> None:
    """StoreError if the same images would be trained on and tested."""
    one, other = train.resolve(), val.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise StoreError(
            f"datasets.{name}.val: {val} is, has in it or lies in the folder of the training images, {train}, so that "
            "accuracies would be of images trained on; validation images take a folder of their own"
        )


def _by_folder(folder: Path, search: ImageSearch) -> dict[Path, str]:
    """The class of each validation image, from the folder that it is in."""
    return {file: nfc(path.name) for path in search.class_folders(folder) for file in search.image_files(path)}


def _labelled(folder: Path, labels: Path, classes: Sequence[str], search: ImageSearch) -> dict[Path, str]:
    """The class of each validation image, from a list in one of the forms that are about.

    - a line for each file, with its name and its class, separated by white space or a comma: the class by name, or
      by index in the sorted names, counted from 0 (Caffe's val.txt, Tiny-ImageNet's val_annotations.txt, and
      ImageNet's LOC_val_solution.csv, whose header is left out);
    - a number alone on each line, for the sorted files: ImageNet's ILSVRC2012_validation_ground_truth.txt.
    """
    where = f"datasets.{search.name}.val_labels"
    if not labels.is_file():
        raise StoreError(f"{where}: there is no file {labels}")
    try:
        text = labels.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(f"{where}: {labels} is not in UTF-8 ({error})") from error
    lines = [line.replace(",", " ").split() for line in text.splitlines()]
    lines = [line for line in lines if line and line[0] != "ImageId"]
    files = search.image_files(folder)
    if not files:
        raise StoreError(f"datasets.{search.name}: there are no images in {folder}")
    if all(len(line) == 1 for line in lines):
        return _ilsvrc_labelled(files, [line[0] for line in lines], labels, where)
    by_name = {file.name: file for file in files} | {file.stem: file for file in files}
    labelled: dict[Path, str] = {}
    for number, line in enumerate(lines, start=1):
        file = by_name.get(Path(line[0]).name)
        if file is None or len(line) < 2:
            raise StoreError(f"{where}: {labels}, line {number}: no image {line[0]} in {folder}, or no class for it")
        labelled[file] = _class_of(line[1], classes, f"{where}: {labels}, line {number}")
    unlabelled = [file for file in files if file not in labelled]
    if unlabelled:
        raise StoreError(f"{where}: {labels} has no line for {unlabelled[0].name} and {len(unlabelled) - 1} more")
    return dict(sorted(labelled.items()))


def _class_of(text: str, classes: Sequence[str], where: str) -> str:
    if text in classes:
        return text
    if text.isdecimal() and int(text) < len(classes):
        return classes[int(text)]
    raise StoreError(
        f"{where}: {text} is neither a class of the training set nor an index from 0 to {len(classes) - 1}"
    )


def _ilsvrc_labelled(files: Sequence[Path], numbers: Sequence[str], labels: Path, where: str) -> dict[Path, str]:
    names = _ilsvrc_names()
    if len(numbers) != len(files):
        raise StoreError(f"{where}: {labels} has {len(numbers)} lines, but there are {len(files)} images")
    for line, number in enumerate(numbers, start=1):
        if number not in names:
            raise StoreError(f"{where}: {labels}, line {line}: {number} is no class number of ILSVRC 2012 (1 to 1000)")
    return {file: names[number] for file, number in zip(files, numbers, strict=True)}


def _ilsvrc_names() -> Mapping[str, str]:
    """The class that each number in the official ground truth stands for; they are not in the order of the names."""
    with _ILSVRC_CLASSES.open(encoding="utf-8", newline="") as file:
        return {row["ilsvrc_id"]: row["class"] for row in csv.DictReader(file)}
