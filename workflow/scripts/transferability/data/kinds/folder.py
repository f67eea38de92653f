"""Image files: a folder for each class, or lists of images with their classes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transferability.data.folders.layout import check_folder, kept_classes
from transferability.data.folders.source import image_folders
from transferability.data.kind import DataSize, Kind, classes_of, unknown_size
from transferability.data.validation_draw import wanted
from transferability.process.log import Say
from transferability.store.source import ImageSource
from transferability.study.folder_keys import FolderKeys

# Training and validation images per class, assumed of a folder that is not here: ImageNet's, at most.
ASSUMED_IMAGES = (1300, 50)


@contextmanager
def open_folder(name: str, settings: Mapping[str, Any], say: Say) -> Iterator[ImageSource]:
    with image_folders(name, FolderKeys.of(settings), say) as source:
        for line in source.notes:
            say(line)
        yield source


def is_there(settings: Mapping[str, Any]) -> bool:
    return Path(settings["root"]).is_dir()


def assumed_size(name: str, settings: Mapping[str, Any], groups: Path | None) -> DataSize:
    keys = FolderKeys.of(settings)
    root = keys.root
    if not (classes := classes_of(groups)):
        return unknown_size(name, settings, groups, f"there is no {Path(root).absolute()}, its root")
    kept = kept_classes([c.name for c in classes], keys, Path(root), name)
    training, validation = ASSUMED_IMAGES
    if keys.validation:
        validation = wanted(training, keys.validation)
        training -= validation
    return DataSize.of_equal_classes(
        [c for c in classes if c.name in kept],
        (min(training, keys.images_per_class or training), validation),
        (keys.size, keys.size, keys.channels),
        f"assumed: {root} is no folder; the classes are those of {groups}",
    )


KIND = Kind(open_folder, check_folder, is_there, assumed_size)
