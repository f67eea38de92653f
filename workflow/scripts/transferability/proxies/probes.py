"""Linear probes: multinomial logistic regression on standardized features, for several regularizations at once.

It is fitted by whole passes over the images, of which the gradients alone are summed, so that none need be kept and the
order of the batches changes nothing but rounding. A step minimizes the bound of Böhning (1992), which the covariance of the
features gives, so that there is no step length to be found; Nesterov's acceleration goes between the steps.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

from transferability.proxies.moments import Standardization

# Half of the squared weights is added to the mean cross-entropy so many times.
REGULARIZATIONS = (1e-4, 1e-3, 1e-2)
PASSES = 24  # from nothing
FURTHER_PASSES = 8  # from what was found on most of the images

# Added to the bound's curvature: in directions in which features hardly vary a probe learns slowly, as by gradients.
_LEAST_CURVATURE = 0.05


class Probe:
    """A linear classifier for each of some regularizations, that is being fitted.

    Attributes:
        regularizations: of the classifiers.
    """

    def __init__(
        self, features: Standardization, regularizations: Sequence[float] = REGULARIZATIONS, share: float = 1.0
    ) -> None:
        """Classifiers that know nothing.

        Args:
            features: what standardizes them, of all images.
            regularizations: of the classifiers.
            share: of these images, how large a part the probe is fitted on.
        """
        self.regularizations = tuple(regularizations)
        self._classes, self._share = len(features.has_images), share
        self._values, self._vectors = torch.linalg.eigh(features.covariance)
        shape = (len(self.regularizations), len(self._values) + 1, self._classes)  # the last row is the biases
        self._weights = self._values.new_zeros(shape)
        self._start()

    def _start(self) -> None:
        self._ahead, self._steps = self._weights.clone(), 0
        self._forget()

    def _forget(self) -> None:
        self._gradient, self._images = torch.zeros_like(self._weights), 0

    def only(self, position: int) -> None:
        """Go on with one of the classifiers, from what it has learned, on all images."""
        self.regularizations = (self.regularizations[position],)
        self._weights, self._share = self._weights[position : position + 1], 1.0
        self._start()

    def add(self, standardized: torch.Tensor, targets: torch.Tensor) -> None:
        """Add images to the pass: their features, B x dimension, and classes, B."""
        scores = self._scores(self._ahead, standardized)
        residuals = (scores.softmax(2) - functional.one_hot(targets, self._classes)[:, None]).flatten(1)
        products = (standardized.T @ residuals).double().unflatten(1, scores.shape[1:])
        self._gradient[:, :-1] += products.transpose(0, 1)
        self._gradient[:, -1] += residuals.double().sum(0).unflatten(0, scores.shape[1:])
        self._images += len(targets)

    def step(self) -> None:
        """End the pass: move every classifier."""
        penalties = self._weights.new_tensor(self.regularizations)[:, None]
        gradient = self._gradient / self._images
        gradient[:, :-1] += penalties[..., None] * self._ahead[:, :-1]
        curvature = self._values.clamp_min(0) / (2 * self._share) + penalties + _LEAST_CURVATURE
        rotated = (self._vectors.T @ gradient[:, :-1]) / curvature[..., None]
        moved = self._ahead.clone()
        moved[:, :-1] -= self._vectors @ rotated
        moved[:, -1] -= 2 * self._share * gradient[:, -1]
        self._steps += 1
        self._ahead = moved + (self._steps - 1) / (self._steps + 2) * (moved - self._weights)
        self._weights = moved
        self._forget()

    def classes_of(self, standardized: torch.Tensor) -> torch.Tensor:
        """What each classifier takes images for: classifiers x B."""
        return self._scores(self._weights, standardized).argmax(2).T

    def _scores(self, weights: torch.Tensor, standardized: torch.Tensor) -> torch.Tensor:
        """B x classifiers x classes, float32, as is enough for what is summed in float64."""
        flat = weights.float().transpose(0, 1).flatten(1)
        return torch.addmm(flat[-1], standardized, flat[:-1]).unflatten(1, weights[:, 0].shape)


def best_regularization(hits: Sequence[int]) -> int:
    """The position of that with most right answers on held-out images; of several, the last, which is the largest."""
    return max(range(len(hits)), key=lambda position: (hits[position], position))
