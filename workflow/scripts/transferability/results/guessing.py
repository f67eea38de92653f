"""Whether an accuracy is one that guessing reaches too."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

SIGNIFICANCE = 0.001  # how likely guessing may be to do as well as a network that counts as having learned


def guessing_test(
    top1: NDArray[np.float64], chance: NDArray[np.float64], images: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which accuracies guessing reaches too, by the exact binomial test, and which are of too few images to tell.

    Args:
        top1: of networks, 0 to 1.
        chance: the accuracy of always naming the commonest class.
        images: how many each was validated on.
    """
    right = np.rint(top1 * images)
    by_guessing = betainc(right, images - right + 1, chance)  # the binomial's tail; scipy.stats takes a second to load
    learned = by_guessing <= SIGNIFICANCE
    too_few = ~learned & ((chance**images > SIGNIFICANCE) | (top1 > (1 + chance) / 2))
    return ~learned & ~too_few, too_few


def is_at_chance(top1: float, chance: float, images: int) -> bool:
    """Whether one accuracy is at chance for certain; see `guessing_test`."""
    guesses, _ = guessing_test(np.array([top1]), np.array([chance]), np.array([float(images)]))
    return bool(guesses[0])
