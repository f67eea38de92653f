"""How well a network does on validation images: in an evaluation, and over all evaluations of its training."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def balanced_accuracy(right: NDArray[np.bool_], targets: NDArray[np.int64]) -> float:
    """The mean over classes of the share of a class's images that are named right.

    Args:
        right: of every image, whether it is.
        targets: the class of every image; classes that no image is of have no part.
    """
    images = np.bincount(targets)
    there = images > 0
    return float((np.bincount(targets, weights=right)[there] / images[there]).mean())


def accuracies_of(history: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """A network's accuracies by three statistics.

    ``final`` is the last evaluation. ``best`` and ``mean_best10``, the mean of the ten best evaluations (of all, if
    there are fewer), are the paper's; both select on the validation set and so are a little too good. Of an accuracy
    that not every evaluation has, these two would be another metric, and are None.
    """
    summary: dict[str, float | None] = {}
    for name in ("top1", "top5", "balanced"):
        values = [row.get(f"validation_{name}") for row in history]
        known = sorted((value for value in values if value is not None), reverse=True)
        best = known[:10] if len(known) == len(values) else []
        summary |= {
            f"{name}_final": values[-1],
            f"{name}_best": best[0] if best else None,
            f"{name}_mean_best10": sum(best) / len(best) if best else None,
        }
    return summary
