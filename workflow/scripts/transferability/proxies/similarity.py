"""How similar two layers' features of the same images are: linear CKA, debiased."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

# Independent features exceed the largest of 19 values computed with exchanged images with a probability of 1 in 20.
PERMUTATIONS = 19
_FEWEST_IMAGES = 4  # for which the unbiased estimate is defined


class Similarity:
    """Linear CKA (Kornblith et al., 2019) of two layers, from Song et al.'s (2012) unbiased estimates of HSIC.

    The estimates are means over batches, so that no more than a batch is kept (Nguyen, Raghu and Kornblith, 2021);
    batches must be random. Unlike the biased estimate, which grows with the dimension, it is around 0 for independent
    features, and so may be slightly negative.
    """

    def __init__(self) -> None:
        self._sums = np.zeros((3, 1 + PERMUTATIONS))  # of HSIC(x, y), HSIC(x, x) and HSIC(y, y)

    def add(self, x: torch.Tensor, y: torch.Tensor, shifts: Sequence[int]) -> None:
        """Add a batch: the features of the same images in both layers, B x dimension each.

        Args:
            x: of one layer.
            y: of the other.
            shifts: by how many images to shift y against x, `PERMUTATIONS` of them.
        """
        if len(x) < _FEWEST_IMAGES:
            return
        of_x, of_y = _products(x), _products(y)
        pairs = [_hsic(of_x, of_y), *(_hsic(of_x, of_y.roll((shift, shift), (0, 1))) for shift in shifts)]
        selves = torch.stack([_hsic(of_x, of_x), _hsic(of_y, of_y)]).cpu().numpy()
        self._sums[0] += len(x) * torch.stack(pairs).cpu().numpy()
        self._sums[1:] += len(x) * selves[:, None]

    @property
    def value(self) -> float:
        """From around 0, independent, to 1, the same up to rotation and scale; NaN if nothing varies."""
        return float(self._values[0])

    @property
    def independent(self) -> float:
        """The value that independent features exceed 1 time in 20: the largest of those with exchanged images."""
        return float(self._values[1:].max())

    @property
    def _values(self) -> NDArray[np.float64]:
        pair, x, y = self._sums
        scale = x * y
        return pair / np.sqrt(scale) if (scale > 0).all() else np.full_like(pair, math.nan)


def exchanges(images: int, random: np.random.Generator) -> list[int]:
    """Shifts for `Similarity.add` that pair no image with itself: permutations, because batches are in random order."""
    return [int(shift) for shift in random.integers(1, max(images, 2), PERMUTATIONS)]


def _products(features: torch.Tensor) -> torch.Tensor:
    """Products of each image's centered features with every other image's, 0 with its own: B x B, float64.

    The estimate does not depend on the mean; without it, float32 is enough for the products.
    """
    less_mean = features - features.mean(0)
    return (less_mean @ less_mean.T).double().fill_diagonal_(0)


def _hsic(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The unbiased estimate of HSIC, from `_products`."""
    images = len(x)
    means = x.sum() * y.sum() / ((images - 1) * (images - 2))
    return (x.flatten() @ y.flatten() + means - 2 / (images - 2) * (x.sum(0) @ y.sum(0))) / (images * (images - 3))
