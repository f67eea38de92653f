"""Linear probes: multinomial logistic regression on standardized features, for several regularizations at once.

They are fitted by whole passes over the images, summing only gradients, so that no images need be kept and the order of
batches affects only rounding. A step minimizes the bound of Böhning (1992), which follows from the features'
covariance, so that no step size has to be chosen; Nesterov's acceleration is applied between steps.
"""

from collections.abc import Sequence

import torch

from transferability.proxies.moments import Standardization

# What multiplies half the sum of squared weights, which is added to the mean cross-entropy.
REGULARIZATIONS = (1e-4, 1e-3, 1e-2)
PASSES = 20  # from zero weights
FURTHER_PASSES = 6  # from the weights fitted on most of the images

# Added to the bound's curvature: in directions of little variance a probe learns slowly, as by gradient descent.
_LEAST_CURVATURE = 0.05


class Probe:
    """Linear classifiers that are being fitted, one for each regularization.

    Attributes:
        regularizations: one for each classifier.
    """

    def __init__(
        self, features: Standardization, regularizations: Sequence[float] = REGULARIZATIONS, share: float = 1.0
    ) -> None:
        """Classifiers with zero weights.

        Args:
            features: the standardization of the features of all images.
            regularizations: one for each classifier.
            share: the share of these images that the probe is fitted on.
        """
        self.regularizations = tuple(regularizations)
        self._classes, self._share = len(features.has_images), share
        self._values, vectors = torch.linalg.eigh(features.covariance)
        self._vectors = vectors.float()  # they only give the directions of steps
        shape = (len(self._values) + 1, len(self.regularizations), self._classes)  # the last row is the biases
        self._weights = self._values.new_zeros(shape)
        self._start()

    def _start(self) -> None:
        self._steps = 0
        self._begin_pass(self._weights)

    def _begin_pass(self, ahead: torch.Tensor) -> None:
        self._ahead, self._used = ahead, ahead.flatten(1).float()
        self._gradient, self._images = torch.zeros_like(self._ahead).flatten(1), 0

    def only(self, position: int) -> None:
        """Continue with one of the classifiers, from its current weights, on all images."""
        self.regularizations = (self.regularizations[position],)
        self._weights, self._share = self._weights[:, position : position + 1].contiguous(), 1.0
        self._start()

    def add(self, standardized: torch.Tensor, members: torch.Tensor) -> None:
        """Add images to the pass.

        Args:
            standardized: their features, B x dimension, float32.
            members: their classes, one-hot, B x classes, float32.
        """
        scores = torch.addmm(self._used[-1], standardized, self._used[:-1]).view(len(members), -1, self._classes)
        residuals = scores.softmax(2).sub_(members[:, None]).flatten(1)
        self._gradient[:-1] += standardized.T @ residuals
        self._gradient[-1] += residuals.sum(0)
        self._images += len(members)

    def step(self) -> None:
        """End the pass: update every classifier."""
        gradient = (self._gradient / self._images).view_as(self._ahead)
        penalties = self._ahead.new_tensor(self.regularizations)[:, None]
        slope = (gradient[:-1] + penalties * self._ahead[:-1]).flatten(1).float()
        least = penalties + _LEAST_CURVATURE
        curvature = (self._values.clamp_min(0) / (2 * self._share))[:, None, None] + least
        rotated = (self._vectors.T @ slope).view_as(gradient[:-1]) / curvature
        moved = self._ahead.clone()
        moved[:-1] -= (self._vectors @ rotated.flatten(1).float()).view_as(rotated)
        moved[-1] -= 2 * self._share * gradient[-1]
        self._steps += 1
        ahead = moved + (self._steps - 1) / (self._steps + 2) * (moved - self._weights)
        self._weights = moved
        self._begin_pass(ahead)

    def classes_of(self, standardized: torch.Tensor) -> torch.Tensor:
        """The classes that each classifier predicts: classifiers x B."""
        flat = self._weights.flatten(1).float()
        scores = torch.addmm(flat[-1], standardized, flat[:-1])
        return scores.view(len(standardized), -1, self._classes).argmax(2).T


def best_regularization(hits: Sequence[int]) -> int:
    """The position of the one with the most hits on held-out images; of several, the last, which is the largest."""
    return max(range(len(hits)), key=lambda position: (hits[position], position))
