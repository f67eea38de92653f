"""Images that two tasks have in common: a network with layers from one has seen them before it learns the other."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.data.tasks import Task
from transferability.words import counted

IN_OTHER_HALF = "in_other_half"  # key of a half in a split's file


@dataclass(frozen=True)
class ImagesInOther:
    """How many images of a task are also, pixel by pixel, training images of another one.

    Both are None if the images of the two tasks differ in size or channels and so are not compared.
    """

    validation: int | None
    training: int | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def images_in(task: Task, other: Task) -> ImagesInOther:
    """How many images of a task are in another one, from which its networks may have layers."""
    if task.store.image_shape != other.store.image_shape:
        return ImagesInOther(None, None)
    trained = set(_digests(other, other.training()[0]))
    validation, training = (
        sum(digest in trained for digest in _digests(task, positions))
        for positions in (task.validation()[0], task.training()[0])
    )
    return ImagesInOther(validation, training)


def _digests(task: Task, positions: NDArray[np.int64]) -> Iterator[bytes]:
    return (digest.tobytes() for digest in task.store.image_digests(positions))


def images_in_both(split: Mapping[str, Any]) -> str:
    """What the file of a split of two data sets says about images in both, in words; empty for other splits."""
    found = {half: part[IN_OTHER_HALF] for half, part in split["halves"].items() if IN_OTHER_HALF in part}
    if not found:
        return ""
    if any(images["validation"] is None for images in found.values()):
        return "images of A and B differ in size or channels, so they are not compared"
    other = dict(zip(found, reversed(found), strict=True))
    return "; ".join(
        f"{counted(images['validation'], 'validation image')} and {counted(images['training'], 'training image')} "
        f"of {half} are also training images of {other[half]}"
        for half, images in found.items()
    )
