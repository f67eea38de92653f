"""Image files on their way into a store: a folder for each class, as ImageNet has them, or a list of labels.

The index of a class is its position among the sorted names of the training set's folders, as in the paper.
"""

import csv
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from transferability.source import ImageClass, Sample, StoreError, UnreadableImagesError

SUFFIXES = {".jpeg", ".jpg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
STRETCH, CROP = "stretch", "crop"
MODES = {1: "L", 3: "RGB"}

_ILSVRC_CLASSES = Path(__file__).parents[3] / "resources" / "imagenet" / "classes.csv"
_UNPACKING_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
_WIDE_PIXELS = re.compile(r"[IF]")


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
                images[position - start] = read_image(path, self.size, self.channels, self.fit)
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                name = path.relative_to(self.folder)
                where = f"datasets.{self.name}: in {self.root}, {name}"
                # With a number it is the system's, not the decoder's.
                passing = "run again, " if isinstance(error, OSError) and error.errno is not None else ""
                unreadable.append(f"{where} is no usable image ({error}); {passing}repair it or name it in skip")
        if unreadable:
            raise UnreadableImagesError("\n".join(unreadable))
        return images

    def fingerprint(self, position: int) -> str:
        """Size and time of an image's file, or of the archive that it is in."""
        path = self._path(position) if Path(self.root).is_dir() else Path(self.root)
        about = path.stat()
        return f"{about.st_size} {about.st_mtime_ns}"

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
    every_class: int = 1,
    images_per_class: int = 0,
    skip: Sequence[str] = (),
) -> Iterator[ImageFolders]:
    """List the files of a data set; if its root is an archive, it is unpacked for as long as the block lasts.

    An archive may have a folder of its own around ``train`` and ``val``, whose name does not matter then.

    Raises:
        StoreError: something is missing, is empty, or is labelled in a way that cannot be understood.
    """
    with _unpacked(Path(root), train, name) as folder:
        _require_apart(folder / train, folder / val, name)
        skipped = {Path(file) for file in skip}
        known = _subfolders(folder / train, name)[::every_class]
        classes = tuple(ImageClass(path.name) for path in known)
        index = {c.name: i for i, c in enumerate(classes)}
        training = []
        for path in known:
            files = [file for file in _image_files(path) if file.relative_to(folder) not in skipped]
            if not files:
                raise StoreError(f"datasets.{name}: there are no images in {path}; a class is a folder with its images")
            kept = files[: images_per_class or None]
            training += [Sample(index[path.name], str(file.relative_to(folder / train))) for file in kept]
        if val_labels:
            every = sorted(path.name for path in _subfolders(folder / train, name))
            labelled = _labelled(folder / val, folder / val_labels, every, name)
        else:
            labelled = _by_folder(folder / val, name)
        unknown = sorted({label for label in labelled.values() if not (folder / train / label).is_dir()})
        if unknown:
            raise StoreError(
                f"datasets.{name}: {folder / val} has the class {unknown[0]}, but {folder / train} has no folder of "
                "that name"
            )
        validation = [
            Sample(index[label], str(file.relative_to(folder / val)))
            for file, label in labelled.items()
            if label in index and file.relative_to(folder) not in skipped
        ]
        for file in sorted(skipped):
            if not (folder / file).is_file():
                raise StoreError(f"datasets.{name}.skip: there is no file {file} in {folder}")
        samples = tuple(training), tuple(validation)
        yield ImageFolders(name, str(Path(root).absolute()), folder, train, val, size, channels, fit, classes, *samples)


def read_image(path: Path, size: int, channels: int, fit: str) -> NDArray[np.uint8]:
    """One image file as size x size x channels; OSError, SyntaxError or ValueError if it cannot be read.

    Greyscale, palette and CMYK images become RGB; an animation gives its first picture.
    """
    with Image.open(path) as file:
        if _WIDE_PIXELS.match(file.mode):
            raise ValueError(f"its pixels are of mode {file.mode}, not of 8 bits")
        # JPEGs are decoded at a fraction of their size where that is still twice what is wanted.
        file.draft(None, (2 * size, 2 * size))
        image = file.convert(MODES[channels])
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR, box=_box(image.size, fit))
    return np.asarray(image).reshape(size, size, channels)


def _box(image_size: tuple[int, int], fit: str) -> tuple[float, float, float, float]:
    """What of an image is scaled to the square: left, upper, right, lower."""
    width, height = image_size
    if fit == STRETCH:
        return 0, 0, width, height
    side = min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    return left, upper, left + side, upper + side


@contextmanager
def _unpacked(root: Path, train: str, name: str) -> Iterator[Path]:
    """The folder that has ``train``; errors within the block name the archive, which is there when they are read."""
    if root.is_dir():
        yield root
        return
    if not root.is_file():
        raise StoreError(f"datasets.{name}.root: there is no {root}; it is a folder, or an archive (tar, zip) of one")
    with TemporaryDirectory(prefix="images-") as temporary:
        try:
            if zipfile.is_zipfile(root):
                with zipfile.ZipFile(root) as archive:
                    archive.extractall(temporary)  # zipfile keeps every name inside the folder
            else:
                with tarfile.open(root) as tar:
                    tar.extractall(temporary, filter="data")  # refuses names and links that lead outside
        except (*_UNPACKING_ERRORS, EOFError, OSError, RuntimeError) as error:  # RuntimeError: a password is needed
            raise StoreError(f"datasets.{name}.root: {root} cannot be unpacked ({error})") from error
        try:
            yield _below_top_folder(Path(temporary), train)
        except StoreError as error:
            raise type(error)(str(error).replace(temporary, str(root))) from error


def _below_top_folder(folder: Path, train: str) -> Path:
    """What of an unpacked archive has ``train``: its one folder that has, unless it does itself."""
    tops = [path for path in folder.iterdir() if (path / train).is_dir()]
    return tops[0] if len(tops) == 1 and not (folder / train).is_dir() else folder


def _require_apart(train: Path, val: Path, name: str) -> None:
    """StoreError if the same images would be trained on and tested."""
    one, other = train.resolve(), val.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise StoreError(
            f"datasets.{name}.val: {val} is, has in it or lies in the folder of the training images, {train}, so that "
            "accuracies would be of images trained on; validation images take a folder of their own"
        )


def _subfolders(folder: Path, name: str) -> list[Path]:
    """The folders of the classes, in the order of their names."""
    if not folder.is_dir():
        raise StoreError(f"datasets.{name}: there is no folder {folder}; it holds a folder for each class")
    found = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != ".")
    if not found:
        raise StoreError(f"datasets.{name}: {folder} has no folders; it takes one for each class, with its images")
    return found


def _image_files(folder: Path) -> list[Path]:
    """All images in and below a folder, in the order of their names."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]
        found += [Path(parent, name) for name in files if name[0] != "." and Path(name).suffix.lower() in SUFFIXES]
    return sorted(found)


def _by_folder(folder: Path, name: str) -> dict[Path, str]:
    """The class of each validation image, from the folder that it is in."""
    return {file: path.name for path in _subfolders(folder, name) for file in _image_files(path)}


def _labelled(folder: Path, labels: Path, classes: Sequence[str], name: str) -> dict[Path, str]:
    """The class of each validation image, from a list in one of the forms that are about.

    - a line for each file, with its name and its class, separated by white space or a comma: the class by name, or
      by index in the sorted names, counted from 0 (Caffe's val.txt, Tiny-ImageNet's val_annotations.txt, and
      ImageNet's LOC_val_solution.csv, whose header is left out);
    - a number alone on each line, for the sorted files: ImageNet's ILSVRC2012_validation_ground_truth.txt.
    """
    where = f"datasets.{name}.val_labels"
    if not labels.is_file():
        raise StoreError(f"{where}: there is no file {labels}")
    try:
        text = labels.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(f"{where}: {labels} is not in UTF-8 ({error})") from error
    lines = [line.replace(",", " ").split() for line in text.splitlines()]
    lines = [line for line in lines if line and line[0] != "ImageId"]
    files = _image_files(folder)
    if not files:
        raise StoreError(f"datasets.{name}: there are no images in {folder}")
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
