"""Which files and folders of a tree are images and classes."""

import os
from pathlib import Path

from transferability.store import StoreError

SUFFIXES = {".jpeg", ".jpg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}


def class_folders(folder: Path, name: str) -> list[Path]:
    """The folders of the classes, in the order of their names."""
    if not folder.is_dir():
        raise StoreError(f"datasets.{name}: there is no folder {folder}; it holds a folder for each class")
    found = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != ".")
    if not found:
        raise StoreError(f"datasets.{name}: {folder} has no folders; it takes one for each class, with its images")
    return found


def image_files(folder: Path) -> list[Path]:
    """All images in and below a folder, in the order of their names."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]
        found += [Path(parent, name) for name in files if name[0] != "." and Path(name).suffix.lower() in SUFFIXES]
    return sorted(found)
