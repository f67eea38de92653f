"""Where a data set of image files has its classes, training and validation images, without opening an image.

Missing folders and lists, and classes with too few images, are refused when Snakemake starts.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transferability.data.folders.search import ImageSearch, is_litter
from transferability.data.folders.skipped_paths import skipped_paths
from transferability.delimited_text import nearest, text_key, utf8_text
from transferability.store.source import StoreError
from transferability.study.folder_keys import FolderKeys
from transferability.study.list_contents import list_files, list_path
from transferability.words import plural

TRAIN, VAL = "train", "val"
_PARTS = {TRAIN, VAL, "training", "valid", "validation", "dev", "test", "testing"}
_DRAW = "`validation: 0.2` draws a fifth of the images"


def check_folder(name: str, settings: Mapping[str, Any]) -> None:
    """StoreError if these settings are not a valid data set, as far as names of folders and files tell.

    No image is opened. An archive is only checked for existence, and so are the lists in a folder.
    """
    with unopened_told(name):
        _check_folder(name, settings)


@contextmanager
def unopened_told(name: str) -> Iterator[None]:
    """Turn the system's error for a folder that cannot be opened into a StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"datasets.{name}: {error.filename} cannot be opened ({error.strerror}); make it readable"
        ) from error


def _check_folder(name: str, settings: Mapping[str, Any]) -> None:
    keys, where = FolderKeys.of(settings), f"datasets.{name}"
    root = Path(keys.root)
    if not root.exists():
        raise StoreError(f"{where}.root: there is no {root}; it must be a folder, or an archive (tar, zip) of one")
    if not root.is_dir():
        return
    for key, path in list_files(settings).items():
        if key != "classes" and not path.is_file():
            raise StoreError(f"{where}.{key}: there is no file {path}")
    skipped = skipped_paths(keys.skip, root, root, name, (keys.train, keys.val))
    search = ImageSearch(name, root, skipped)
    if keys.train_list:
        return
    folders = named_folders(search, root / training_folder(root, keys, name))
    kept = kept_classes(list(folders), keys, root, name)
    for label in kept:
        _require_images(folders[label], 2 if keys.validation else 1, where)
    if not keys.has_no_val_folder:
        val = root / validation_folder(root, keys, name)
        if not keys.val_labels:
            labels = list(named_folders(search, val))
            require_known(labels, list(folders), where, val, no_folder_in(root / training_folder(root, keys, name)))
            _require_every_class(labels, kept, val, where)


def training_folder(folder: Path, keys: FolderKeys, name: str) -> str:
    """The folder, relative to the data set's, that holds the class folders; '.' for the data set's own."""
    if keys.train:
        chosen = keys.train
    elif keys.has_no_val_folder:
        return _folder_of_classes(folder, name)
    else:
        chosen = TRAIN
    if not (folder / chosen).is_dir():
        raise StoreError(
            f"datasets.{name}: there is no folder {folder / chosen}; it must hold a folder for each class. "
            f"{_there_are(folder)}; name the folder of training images in train or, if these are the classes, "
            f"leave train out: {_DRAW} for validation"
        )
    return chosen


def validation_folder(folder: Path, keys: FolderKeys, name: str) -> str:
    """The folder of the validation images, relative to the data set's."""
    chosen = keys.val or VAL
    if not (folder / chosen).is_dir():
        raise StoreError(
            f"datasets.{name}: there is no folder {folder / chosen}; it must hold "
            f"{'the validation images' if keys.val_labels else 'a folder for each class'}. {_there_are(folder)}; "
            f"name the folder of validation images in val, or {_DRAW} if there are none"
        )
    return chosen


def named_folders(search: ImageSearch, folder: Path) -> dict[str, Path]:
    """The folder of each class, in name order; StoreError if two names look the same."""
    found: dict[str, Path] = {}
    for path in search.class_folders(folder):
        key = text_key(path.name)
        if not key or key in found:
            fault = f"is {found[key].name!r} except for Unicode form or white space" if key else "is only white space"
            raise StoreError(f"datasets.{search.name}: in {folder}, the class {path.name!r} {fault}; rename it")
        found[key] = path
    return dict(sorted(found.items()))


def kept_classes(known: Sequence[str], keys: FolderKeys, folder: Path, name: str) -> list[str]:
    """The classes that the settings keep, from the sorted names of all; StoreError for one that does not exist."""
    wanted = _wanted_classes(keys, folder, name)
    unknown = sorted(wanted.difference(known))
    if unknown:
        more = f" (nor {len(unknown) - 1} more of these)" if len(unknown) > 1 else ""
        raise StoreError(
            f"datasets.{name}.classes: there is no class {unknown[0]}{more} among the {len(known)} of the training "
            f"images{nearest(unknown[0], known)}"
        )
    return [label for label in known[:: keys.every_class] if not wanted or label in wanted]


def no_folder_in(train: Path) -> str:
    """Says that a class of validation images has no folder there."""
    return f"{train} has no folder of that name"


def require_known(labels: Sequence[str], known: Sequence[str], where: str, place: Path, training: str) -> None:
    """StoreError if the validation images have a class that the training images lack; ``training`` says how."""
    unknown = sorted(set(labels) - set(known))
    if unknown:
        more = f" (and {len(unknown) - 1} more like it)" if len(unknown) > 1 else ""
        raise StoreError(
            f"{where}: {place} has the class {unknown[0]}{more}, but {training}{nearest(unknown[0], known)}"
        )


def below_single_folder(folder: Path, root: Path, keys: FolderKeys) -> Path:
    """The folder that has the classes in an archive that need not have ``train``, below single folders around it."""
    if folder == root or keys.train or not (keys.has_no_val_folder or keys.train_list):
        return folder
    while len(tops := folder_names(folder)) == 1 and tops[0] != TRAIN and folder_names(folder / tops[0]):
        lists = [given for given in (keys.train_list, keys.val_list) if given and not Path(given).is_absolute()]
        if any((folder / given).is_file() for given in lists):
            break
        folder /= tops[0]
    return folder


def _folder_of_classes(folder: Path, name: str) -> str:
    """``train`` or '.', the folder itself, if no folder of validation images is needed."""
    names = folder_names(folder)
    others = [label for label in names if label.lower() not in _PARTS]
    if TRAIN not in names:
        _require_classes(folder, names, name)
        return "."
    if not folder_names(folder / TRAIN):
        if len(names) > len(others) + 1:
            raise StoreError(f"datasets.{name}: {folder / TRAIN} has no folders; it needs one for each class")
        return "."  # a class of trains, the vehicles
    if others:
        raise StoreError(
            f"datasets.{name}: {folder} has a folder train with folders in it, and next to it {_listed(others)}, so "
            "either may be the classes; set `train: train` or `train: .`"
        )
    return TRAIN


def _require_classes(folder: Path, names: Sequence[str], name: str) -> None:
    """StoreError if the folders in a folder are not classes but hold them: parts with other names, or a single one."""
    are_parts = all(label.lower() in _PARTS for label in names)
    around = [label for label in names if folder_names(folder / label)] if are_parts or len(names) == 1 else []
    if around:
        likely = min(around, key=lambda label: not label.lower().startswith(TRAIN))
        what = "has folders in it and would be the only class" if len(names) == 1 else "have folders in them"
        raise StoreError(
            f"datasets.{name}: {_there_are(folder)}, which {what}; name the one with a folder for each class in train, "
            f"as in `train: {likely}`"
        )


def _wanted_classes(keys: FolderKeys, folder: Path, name: str) -> set[str]:
    if not isinstance(keys.classes, str):
        return {text_key(label) for label in keys.classes}
    if not keys.classes:
        return set()
    path, where = list_path(folder, keys.classes), f"datasets.{name}.classes"
    if not path.is_file():
        raise StoreError(f"{where}: there is no file {path}; it must have one class name per line")
    try:
        wanted = {text_key(line) for line in utf8_text(path).splitlines()} - {""}
    except ValueError as error:
        raise StoreError(f"{where}: {error}") from error
    if not wanted:
        raise StoreError(f"{where}: {path} is empty; it must have one class name per line")
    return wanted


def _require_images(folder: Path, least: int, where: str) -> None:
    """StoreError if a class has fewer files than ``least``, unless its folder has folders, which are not read."""
    with os.scandir(folder) as entries:
        found = 0
        for entry in entries:
            found += not is_litter(entry.name)
            if found >= least or entry.is_dir():
                return
    if not found:
        raise StoreError(f"{where}: there are no images in {folder}; a class is a folder with its images")
    raise StoreError(
        f"{where}.validation: {folder} has one image, but a class needs at least one for training and one for "
        "validation; add images, or leave the class out by naming its folder in skip"
    )


def _require_every_class(validation: Sequence[str], kept: Sequence[str], val: Path, where: str) -> None:
    there = set(validation)
    missing = [label for label in kept if label not in there]
    if missing:
        raise StoreError(
            f"{where}: {val} has no folder for {_listed(missing)}, but every class needs a validation image; leave "
            f"classes out with the key classes, or {_DRAW}"
        )


def folder_names(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted; none if it does not exist."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not is_litter(entry.name))


def _there_are(folder: Path) -> str:
    names = folder_names(folder)
    what = f"the {plural(len(names), 'folder')} {_listed(names)}" if names else "no folders at all"
    return f"{folder} has {what}"


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - 5} more"] if len(names) > 5 else []
    *others, last = [*names[:5], *more]
    return f"{', '.join(others)} and {last}" if others else last
