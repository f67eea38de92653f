"""Whether validation images are as sharp as training images.

Parts that were resized or compressed differently are not. Accuracy is then measured on a different kind of image than
networks have learned from, and the cost differs between first layers, as if it were specificity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.data.tasks import Task, drawn_to_match

SHARPNESS = "sharpness"  # key of a half in a split's file, if its parts are unlike
_IMAGES = 1000  # compared, per part at most
_UNLIKE = 0.1  # parts are unlike if they differ by more than this share
_ERRORS = 5  # and by more than this many standard errors


@dataclass(frozen=True)
class Sharpness:
    """The mean absolute difference between neighboring pixels in the images of each part, in gray levels."""

    training: float
    validation: float

    def to_json(self) -> dict[str, float]:
        return {part: round(value, 2) for part, value in asdict(self).items()}


def unlike_sharpness(task: Task) -> Sharpness | None:
    """The sharpness of both parts if validation images are sharper or softer than training images; None if alike.

    The images compared are those of `chosen_alike`.
    """
    (training, targets), (validation, validation_targets) = task.training(), task.validation()
    chosen = chosen_alike(targets, validation_targets, task.split, task.target)
    parts = (training[chosen[0]], validation[chosen[1]])
    return unlike(*([sharpness(task.store.images[at : at + 1][0]) for at in part] for part in parts))


def chosen_alike(
    training: NDArray[np.int64], validation: NDArray[np.int64], *seed: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the images of both parts to compare: equally many of each class, at most a thousand per part.

    Args:
        training: the target of each training image.
        validation: likewise for each validation image.
        seed: what the draw depends on.
    """
    classes = max(training.max(initial=0), validation.max(initial=0)) + 1
    of_training, of_validation = (np.bincount(part, minlength=classes) for part in (training, validation))
    fewer = np.minimum(of_training, of_validation)
    return _spread(drawn_to_match(training, fewer, 0, *seed)), _spread(drawn_to_match(validation, fewer, 0, *seed))


def unlike(training: Sequence[float], validation: Sequence[float]) -> Sharpness | None:
    """Like `unlike_sharpness`, from the sharpness of each image of two parts in which classes have equal weights."""
    parts = [np.array(part) for part in (training, validation)]
    if min(map(len, parts)) < 2:
        return None  # a single image does not show how much others vary
    found = Sharpness(*(float(each.mean()) for each in parts))
    difference = abs(found.validation - found.training)
    error = np.sqrt(sum(each.var(ddof=1) / len(each) for each in parts))
    return found if difference > max(_UNLIKE * found.training, _ERRORS * error) else None


def sharpness(image: NDArray[np.uint8]) -> float:
    """The mean absolute difference between neighboring pixels of an image, H x W x C, in gray levels."""
    differences = [np.abs(np.diff(image.astype(np.float32), axis=axis)) for axis in (0, 1)]
    return float(sum(one.sum() for one in differences) / max(1, sum(one.size for one in differences)))


def _spread(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return positions[np.linspace(0, len(positions) - 1, min(len(positions), _IMAGES)).astype(np.int64)]


def without_sharpness(split: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a split's file as it was before sharpness was compared."""
    halves = {
        half: {key: value for key, value in content.items() if key != SHARPNESS}
        for half, content in split["halves"].items()
    }
    return {**split, "halves": halves}


def unlike_in_words(split: Mapping[str, Any]) -> str:
    """A sentence on what the file of a split says about unlike parts; empty if they are alike or it says nothing."""
    several = len(split["halves"]) > 1
    return sharpness_in_words(
        {
            f" of {half}" if several else "": Sharpness(**content[SHARPNESS])
            for half, content in split["halves"].items()
            if content.get(SHARPNESS)
        }
    )


def sharpness_in_words(unlike: Mapping[str, Sharpness]) -> str:
    """A sentence on parts that are unlike, by the half that they are of; empty if there are none."""
    if not unlike:
        return ""
    told = (
        f"{found.validation:.1f} gray levels in validation images{whose} and {found.training:.1f} in training images"
        for whose, found in unlike.items()
    )
    return (
        f"neighboring pixels differ by {', by '.join(told)}; if the two parts were resized or compressed differently, "
        "accuracies are measured on a different kind of image than networks learned from, which costs some networks "
        "more than others; prepare both parts alike, or draw the validation images from the training images"
    )
