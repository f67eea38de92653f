"""The keys of a data set of image files, and which of them contradict each other.

Light, because Snakemake reads it at every start: nothing here imports Pillow.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from transferability.delimited_text import text_key
from transferability.store.source import StoreError


@dataclass(frozen=True, kw_only=True)
class FolderKeys:
    """What the config says of where the images are and how they are read; the schema explains keys and defaults."""

    root: str
    size: int
    train: str = ""
    val: str = ""
    val_labels: str = ""
    train_list: str = ""
    val_list: str = ""
    validation: float = 0
    validation_seed: int = 0
    validation_groups: str = ""
    channels: int = 3
    fit: str = "stretch"
    background: str = "white"
    classes: str | Sequence[str] = ()
    every_class: int = 1
    images_per_class: int = 0
    skip: Sequence[str] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "FolderKeys":
        """Those settings of a data set that are among these keys."""
        names = [field.name for field in fields(cls)]
        return cls(**{key: value for key, value in settings.items() if key in names})

    @property
    def has_no_val_folder(self) -> bool:
        return bool(self.validation or self.val_list)


def contradictions(name: str, keys: FolderKeys) -> Iterator[str]:
    """A sentence for each contradiction between the keys."""
    where = f"datasets.{name}"
    for key, others, why in (
        ("validation", ("val", "val_labels", "val_list"), "draws the validation images, which are already given by"),
        ("val_list", ("val", "val_labels"), "says which images are for validation, as does"),
        ("train_list", ("train",), "says which images are for training, as does"),
    ):
        both = [other for other in others if getattr(keys, other)]
        if getattr(keys, key) and both:
            yield f"{where}.{key}: {why} {both[0]}; leave out one of the two"
    if keys.validation_groups and not keys.validation:
        yield f"{where}.validation_groups: is for images that are drawn, but validation, their share, is 0"
    if keys.classes and keys.every_class > 1:
        yield f"{where}.classes: says which classes to keep, as does every_class; leave out one of the two"
    if keys.validation_groups:
        try:
            thing_finder(keys.validation_groups, where)
        except StoreError as error:
            yield str(error)


def thing_finder(pattern: str, where: str) -> "_ThingFinder":
    """A function that finds in a path which thing its image shows; StoreError if the pattern is invalid."""
    try:
        return _ThingFinder(re.compile(pattern), where)
    except re.error as error:
        raise StoreError(f"{where}.validation_groups: {pattern!r} is not a regular expression ({error})") from error


@dataclass(frozen=True)
class _ThingFinder:
    pattern: "re.Pattern[str]"
    where: str

    def __call__(self, file: str) -> str:
        match = self.pattern.search(text_key(file))
        thing = match and match.group(1 if self.pattern.groups else 0)
        if not thing:
            raise StoreError(
                f"{self.where}.validation_groups: {self.pattern.pattern!r} does not match {file}, so nothing says what "
                "it shows; extend the pattern, or leave the file out with skip"
            )
        return str(thing)
