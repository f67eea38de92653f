"""How well a network does on validation images: in one evaluation, and over all evaluations of its training."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def balanced_accuracy(right: NDArray[np.bool_], targets: NDArray[np.int64]) -> float:
    """The mean of the per-class accuracies.

    Args:
        right: whether each image is classified correctly.
        targets: the class of each image; classes without images do not count.
    """
    images = np.bincount(targets)
    there = images > 0
    return float((np.bincount(targets, weights=right)[there] / images[there]).mean())


def accuracies_of(history: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Each accuracy of a network in three statistics.

    ``final`` is the last evaluation. ``best`` and ``mean_best10``, the mean of the ten best evaluations (of all, if
    there are fewer), select on the validation set and so are slightly optimistic; the paper's metric is the latter. If
    some evaluations lack an accuracy, these two would mean something else, and are None.
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
