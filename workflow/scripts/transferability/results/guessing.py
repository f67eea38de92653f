"""Whether guessing could reach an accuracy too."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from transferability.networks.layer_plan import REINITIALIZED, TRUNCATED
from transferability.study.names import RANDOM_SOURCE, Network

SIGNIFICANCE = 0.001  # a network has learned if guessing would do as well with at most this probability


def guessing_test(
    top1: NDArray[np.float64], chance: NDArray[np.float64], images: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which accuracies guessing could reach too, by the exact binomial test, and which have too few images to tell.

    Args:
        top1: the networks' accuracies, 0 to 1.
        chance: for each, the accuracy of always predicting the most common class.
        images: for each, the number of validation images.
    """
    right = np.rint(top1 * images)
    by_guessing = betainc(right, images - right + 1, chance)  # the binomial tail; scipy.stats takes a second to load
    learned = by_guessing <= SIGNIFICANCE
    too_few = ~learned & ((chance**images > SIGNIFICANCE) | (top1 > (1 + chance) / 2))
    return ~learned & ~too_few, too_few


def is_at_chance(top1: float, chance: float, images: int) -> bool:
    """Whether a single accuracy is at chance, and on enough images to tell; see `guessing_test`."""
    guesses, _ = guessing_test(np.array([top1]), np.array([chance]), np.array([float(images)]))
    return bool(guesses[0])


def may_be_at_chance(network: Network) -> bool:
    """Whether being no better than guessing is a finding about a network's layers, not a failure of its training.

    Untrained layers, a linear readout of few layers, or a network with a reinitialized layer may reach no more.
    """
    return network.source == RANDOM_SOURCE or network.plan in {TRUNCATED, REINITIALIZED}
