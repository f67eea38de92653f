"""Whether validation images are as sharp as training images.

Parts that were resized or compressed in two ways are not. Accuracies are then of another kind of images than networks
have learned from, and how much that costs differs from one first layer to the next, as if it were specificity.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.data.tasks import Task

SHARPNESS = "sharpness"  # of a half in a split's file, where its parts are unlike
_IMAGES = 1000  # looked at, of each part at most
_UNLIKE = 0.1  # told from this share of difference on,
_ERRORS = 5  # and if it is more than so many times its standard error


@dataclass(frozen=True)
class Sharpness:
    """By how many gray levels neighboring pixels differ in the mean, in the images of each part."""

    training: float
    validation: float

    def to_json(self) -> dict[str, float]:
        return {part: round(value, 2) for part, value in asdict(self).items()}


def unlike_sharpness(task: Task) -> Sharpness | None:
    """Of a task whose validation images are sharper or softer than its training images; None if they are alike.

    Compared are images of both parts, a thousand at most, as many of each class as `Task.training_sample` draws.
    """
    parts = [_sharpness_of_each(task, positions) for positions in (task.training_sample(0)[0], task.validation()[0])]
    if min(map(len, parts)) < 2:
        return None  # of a single image nobody knows how much others vary
    found = Sharpness(*(float(each.mean()) for each in parts))
    difference = abs(found.validation - found.training)
    error = np.sqrt(sum(each.var(ddof=1) / len(each) for each in parts))
    return found if difference > max(_UNLIKE * found.training, _ERRORS * error) else None


def _sharpness_of_each(task: Task, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    chosen = positions[np.linspace(0, len(positions) - 1, min(len(positions), _IMAGES)).astype(np.int64)]
    return np.array([_sharpness(task.store.images[chosen[i : i + 1]][0]) for i in range(len(chosen))])


def _sharpness(image: NDArray[np.uint8]) -> float:
    differences = [np.abs(np.diff(image.astype(np.float32), axis=axis)) for axis in (0, 1)]
    return float(sum(one.sum() for one in differences) / max(1, sum(one.size for one in differences)))


def without_sharpness(split: Mapping[str, Any]) -> dict[str, Any]:
    """What the file of a split holds that was made before sharpness was looked at."""
    halves = {
        half: {key: value for key, value in content.items() if key != SHARPNESS}
        for half, content in split["halves"].items()
    }
    return {**split, "halves": halves}


def unlike_in_words(split: Mapping[str, Any]) -> str:
    """A sentence on what the file of a split says of unlike parts; empty if they are alike, or it says nothing."""
    told = list(_each_in_words(split))
    if not told:
        return ""
    return (
        f"neighboring pixels differ by {', by '.join(told)}; if the two parts were resized or compressed in two ways, "
        "accuracies are of another kind of images than was learned from, which costs some networks more than others; "
        "prepare both alike, or draw validation images from the training images"
    )


def _each_in_words(split: Mapping[str, Any]) -> Iterator[str]:
    for half, content in split["halves"].items():
        if found := content.get(SHARPNESS):
            of = f"of {half} " * (len(split["halves"]) > 1)
            validation, training = (f"{found[part]:.1f}" for part in ("validation", "training"))
            yield f"{validation} gray levels in validation images {of}and {training} in training images"
