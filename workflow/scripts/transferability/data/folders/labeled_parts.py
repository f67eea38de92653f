"""The training and the validation images of a data set of image files, each with its class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from transferability.data.folders.ilsvrc_numbers import read_numbers
from transferability.data.folders.label_lists import read_label_list
from transferability.data.folders.layout import (
    kept_classes,
    named_folders,
    no_folder_in,
    require_known,
    training_folder,
    validation_folder,
)
from transferability.data.folders.list_tables import LabelList
from transferability.data.folders.listed_files import FileFinder
from transferability.data.folders.search import ImageSearch
from transferability.data.validation_draw import draw_validation
from transferability.process.log import Say
from transferability.store.source import StoreError
from transferability.study.folder_keys import FolderKeys
from transferability.study.list_contents import list_path

Labels = dict[Path, str]  # the class of each image


@dataclass(frozen=True)
class LabeledParts:
    """Images with their classes: training images sorted by class, then path; validation images by path.

    Attributes:
        train: the folder, relative to the data set's, that names of training images are relative to.
        val: likewise for validation images.
    """

    classes: tuple[str, ...]
    training: Labels
    validation: Labels
    train: str
    val: str


@dataclass(frozen=True)
class _Asked:
    """What all steps share: where to look for images, and which ones."""

    search: ImageSearch
    keys: FolderKeys
    say: Say

    @cached_property
    def files(self) -> list[Path]:
        """All images of the data set, for lists that may name any of them."""
        return self.search.image_files(self.folder)

    def finder(self, files: Sequence[Path], bases: Sequence[Path]) -> FileFinder:
        return FileFinder(files, bases, self.search.links, self.search.place)

    @property
    def folder(self) -> Path:
        return self.search.folder

    @property
    def where(self) -> str:
        return f"datasets.{self.search.name}"


def labeled_parts(search: ImageSearch, keys: FolderKeys, say: Say) -> LabeledParts:
    """Find the images that the keys ask for, by folders, by lists or by a draw; StoreError if that is not possible."""
    asked, folder = _Asked(search, keys, say), search.folder
    if not (keys.train_list or keys.has_no_val_folder):
        train, val = training_folder(folder, keys, search.name), validation_folder(folder, keys, search.name)
        _require_folders_apart(folder / train, folder / val, search.name)
    train, known, every = _training(asked)
    kept = kept_classes(known, keys, folder, search.name)
    training = _of_kept(asked, every, kept)
    if keys.validation:
        val, validation = train, _drawn(asked, train, training, kept)
    else:
        val, validation = _validation(asked, train, known)
        validation = _of_kept(asked, validation, kept)
    if keys.has_no_val_folder and not keys.train_list:
        training = _untested(asked, training, validation)
    _require_apart(asked, training, validation)
    _require_images(asked, every, training, kept, folder / train)
    search.note_used(training.keys() | validation.keys() if search.links else ())
    by_class = dict(sorted(training.items(), key=lambda item: (item[1], item[0])))
    return LabeledParts(tuple(kept), by_class, dict(sorted(validation.items())), train, val)


def _untested(asked: _Asked, training: Labels, validation: Labels) -> Labels:
    """Training images that are not used for validation, even by a link; StoreError if a list contradicts a folder."""
    by_place = {asked.search.place(file): label for file, label in validation.items()}
    tested = {file: by_place[place] for file in training if (place := asked.search.place(file)) in by_place}
    wrong = [file for file, listed in tested.items() if listed != training[file]]
    if wrong:
        file = wrong[0]
        more = f" (and {len(wrong) - 1} more like it)" if len(wrong) > 1 else ""
        raise StoreError(
            f"{asked.where}.val_list: {asked.keys.val_list} gives {asked.search.shown(file)} the class {tested[file]}, "
            f"but it lies in the folder of {training[file]}{more}; correct the list, or move the image"
        )
    return {file: label for file, label in training.items() if file not in tested}


def _of_kept(asked: _Asked, labels: Labels, kept: Sequence[str]) -> Labels:
    classes = set(kept)
    return {file: label for file, label in labels.items() if label in classes and not asked.search.is_skipped(file)}


def _training(asked: _Asked) -> tuple[str, list[str], Labels]:
    """The folder of the training images, the names of all classes, and the class of each image."""
    if asked.keys.train_list:
        labels = _listed(asked, "train_list", None)
        return ".", sorted(set(labels.values())), labels
    train = training_folder(asked.folder, asked.keys, asked.search.name)
    folders = named_folders(asked.search, asked.folder / train)
    return train, list(folders), _by_folder(asked.search, folders)


def _validation(asked: _Asked, train: str, known: Sequence[str]) -> tuple[str, Labels]:
    """The folder of the validation images, and the class of each."""
    folder, keys, search = asked.folder, asked.keys, asked.search
    if keys.val_list:
        return ".", _listed(asked, "val_list", known)
    val = validation_folder(folder, keys, search.name)
    if keys.val_labels:
        return val, _all_listed(asked, folder / val, known)
    labels = _by_folder(search, named_folders(search, folder / val))
    lacking = f"{keys.train_list} has no image of it" if keys.train_list else no_folder_in(folder / train)
    require_known(list(labels.values()), known, asked.where, folder / val, lacking)
    return val, labels


def _by_folder(search: ImageSearch, folders: Mapping[str, Path]) -> Labels:
    return {file: label for label, path in folders.items() for file in search.image_files(path)}


def _listed(asked: _Asked, key: str, known: Sequence[str] | None) -> Labels:
    """The images that a list names, wherever they are in the data set's folder."""
    path = list_path(asked.folder, getattr(asked.keys, key))
    finder = asked.finder(asked.files, [asked.folder, path.parent])
    numerals = _has_numerals(asked, known or ())
    return read_label_list(LabelList(path, f"{asked.where}.{key}", finder, asked.folder, known, numerals), asked.say)


def _all_listed(asked: _Asked, folder: Path, known: Sequence[str]) -> Labels:
    """All images of a folder, with classes from a list that must have each of them."""
    path, where = list_path(asked.folder, asked.keys.val_labels), f"{asked.where}.val_labels"
    files = asked.search.image_files(folder)
    if not files:
        raise StoreError(f"{asked.where}: there are no images in {folder}")
    labels = read_numbers(path, files, where, known)
    if labels is None:
        finder = asked.finder(files, [folder, asked.folder, path.parent])
        numerals = _has_numerals(asked, known)
        labels = read_label_list(LabelList(path, where, finder, folder, known, numerals), asked.say)
    missing = [file for file in files if file not in labels and not asked.search.is_skipped(file)]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise StoreError(f"{where}: {path} has no line for {missing[0].relative_to(folder)}{more}")
    return labels


def _has_numerals(asked: _Asked, known: Sequence[str]) -> bool:
    """Whether class names come from a list and are numbers, so that numbers in other lists are names, too."""
    return bool(asked.keys.train_list) and all(label.isdecimal() for label in known)


def _drawn(asked: _Asked, train: str, training: Labels, kept: Sequence[str]) -> Labels:
    """A share of the training images, drawn by their paths within their class folders."""
    keys, base = asked.keys, asked.folder / train
    within = {file: (label, _path_in_class(file, base, keys)) for file, label in training.items()}
    classes: dict[str, list[str]] = {label: [] for label in kept}
    for label, path in within.values():
        classes[label].append(path)
    draw = draw_validation(classes, keys.validation, keys.validation_seed, keys.validation_groups, asked.where)
    asked.say(draw.summary)
    if not keys.train_list and train != "." and (asked.folder / "val").is_dir():
        asked.say(f"{asked.folder / 'val'} is not read, because validation draws from {base}")
    return {file: training[file] for file, image in within.items() if image in draw.validation}


def _path_in_class(file: Path, base: Path, keys: FolderKeys) -> str:
    """The path within the class folder or, with a list, where there is none, within the data set's folder."""
    parts = file.relative_to(base).parts
    return "/".join(parts if keys.train_list else parts[1:])


def _require_folders_apart(train: Path, val: Path, name: str) -> None:
    """StoreError if the same images would be used for training and validation."""
    one, other = train.resolve(), val.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise StoreError(
            f"datasets.{name}.val: {val} is, contains or lies in the folder of the training images, {train}, so "
            "accuracies would be measured on training images; validation images need a separate folder"
        )


def _require_apart(asked: _Asked, training: Labels, validation: Labels) -> None:
    both = sorted(training.keys() & validation.keys()) if not asked.keys.validation else []
    if both:
        more = f" and {len(both) - 1} more" if len(both) > 1 else ""
        raise StoreError(
            f"{asked.where}: {asked.search.shown(both[0])}{more} is among both the training and the validation "
            "images, so accuracies would be measured on training images; remove it from one of the two"
        )


def _require_images(asked: _Asked, every: Labels, training: Labels, kept: Sequence[str], folder: Path) -> None:
    found, left = set(every.values()), set(training.values())
    for label in kept:
        if label not in found:
            raise StoreError(
                f"{asked.where}: there are no images in {folder / label}; a class is a folder with its images"
            )
        if label not in left:
            raise StoreError(
                f"{asked.where}: all images of {label} are in skip or for validation; none is left for training"
            )
