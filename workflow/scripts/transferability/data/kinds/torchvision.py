"""The official sets that torchvision knows by name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transferability.data.kind import DataSize, Kind, classes_of
from transferability.process.log import Say
from transferability.store.source import ImageClass, ImageSource
from transferability.study.image_keys import OFFICIAL_SETS


@contextmanager
def open_set(name: str, settings: Mapping[str, Any], say: Say) -> Iterator[ImageSource]:
    # Imports torchvision, which takes seconds and which nothing else needs.
    from transferability.data.official_sets import torchvision_set  # noqa: PLC0415

    yield torchvision_set(name, settings["set"], Path(settings["folder"]), say)


def assumed_size(_name: str, settings: Mapping[str, Any], groups: Path | None) -> DataSize:
    official = OFFICIAL_SETS[settings["set"]]
    classes = classes_of(groups) or [ImageClass(f"{i:03}") for i in range(official.classes)]
    return DataSize.of_equal_classes(classes, official.images, official.image_shape, "those of the official set")


KIND = Kind(open_set, at_hand=lambda _settings: False, assumed_size=assumed_size)
