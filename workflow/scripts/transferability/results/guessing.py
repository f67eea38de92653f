"""Whether an accuracy is one that guessing reaches too."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from transferability.networks.layer_plan import REINITIALIZED, TRUNCATED
from transferability.study.names import RANDOM_SOURCE, Network

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


def may_be_at_chance(network: Network) -> bool:
    """Whether being no better than guessing is what a network tells of its layers, and no failure of its training.

    Untrained layers may give no more, nor may a linear readout of few layers, nor a network with one drawn anew.
    """
    return network.source == RANDOM_SOURCE or network.plan in {TRUNCATED, REINITIALIZED}
