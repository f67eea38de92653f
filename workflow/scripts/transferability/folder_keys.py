"""The keys that say where a data set of image files has its classes, and which of them cannot be meant together.

Light, since Snakemake reads it at every start: nothing here imports Pillow.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from transferability.source import StoreError
from transferability.validation_draw import thing_finder


@dataclass(frozen=True)
class FolderKeys:
    """What the config says of folders, lists and classes; empty where it says nothing. The schema explains the keys."""

    train: str = ""
    val: str = ""
    val_labels: str = ""
    train_list: str = ""
    val_list: str = ""
    validation: float = 0
    validation_seed: int = 0
    validation_groups: str = ""
    classes: str | Sequence[str] = ()
    every_class: int = 1

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "FolderKeys":
        """Those of the settings that are about this."""
        names = [field.name for field in fields(cls)]
        return cls(**{key: value for key, value in settings.items() if key in names})

    @property
    def has_no_val_folder(self) -> bool:
        return bool(self.validation or self.val_list)


def contradictions(name: str, keys: FolderKeys) -> Iterator[str]:
    """What of the keys cannot be meant together, a sentence each."""
    where = f"datasets.{name}"
    for key, others, why in (
        ("validation", ("val", "val_labels", "val_list"), "draws the validation images, which are there already by"),
        ("val_list", ("val", "val_labels"), "says which the validation images are, as does"),
        ("train_list", ("train",), "says which the training images are, as does"),
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
