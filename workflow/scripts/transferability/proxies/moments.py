"""Sums over the features of images, none of which is kept: what varies, how much, and where the classes are.

Sums are in float64 and do not depend on the order of the images, except for rounding.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

_LEAST_VARIANCE = 1e-10  # as a share of the mean square; what varies less is rounding


class Moments:
    """Sums over the features of the images added so far.

    Attributes:
        images: number of images of each class.
        sums: sums of features for each class, classes x dimension.
        products: sums of products over all images, dimension x dimension.
        least, most: smallest and largest value of each feature.
    """

    def __init__(self, dimension: int, classes: int, device: torch.device | str = "cpu") -> None:
        self.images = torch.zeros(classes, dtype=torch.float64, device=device)
        self.sums = torch.zeros(classes, dimension, dtype=torch.float64, device=device)
        self.products = torch.zeros(dimension, dimension, dtype=torch.float64, device=device)
        self.least = torch.full((dimension,), torch.inf, device=device)
        self.most = torch.full((dimension,), -torch.inf, device=device)

    def add(self, rows: torch.Tensor, targets: torch.Tensor) -> None:
        """Add images: their features, B x dimension, and classes, B."""
        wide, members = rows.double(), functional.one_hot(targets, len(self.images)).double()
        self.images += members.sum(0)
        self.sums.addmm_(members.T, wide)
        self.products.addmm_(wide.T, wide)
        self.least = torch.minimum(self.least, rows.amin(0))
        self.most = torch.maximum(self.most, rows.amax(0))

    @property
    def mean(self) -> torch.Tensor:
        return self.sums.sum(0) / self.images.sum()

    @property
    def covariance(self) -> torch.Tensor:
        """The covariance of the raw features, over all images: dimension x dimension."""
        mean = self.mean
        return torch.addr(self.products / self.images.sum(), mean, mean, alpha=-1)

    @property
    def dead_units(self) -> float:
        """The share of features that are the same for every image, like those of a ReLU that never fires."""
        return float((self.least == self.most).double().mean())

    @property
    def effective_dimension(self) -> float:
        """The participation ratio of the covariance's eigenvalues: their sum, squared, over the sum of their squares.

        1 if all images lie on a line, the dimension if all directions vary alike, and 0 if nothing varies.
        """
        covariance = self.covariance
        trace, squares = covariance.trace(), covariance.square().sum()
        return float(trace**2 / squares) if squares > 0 else 0.0


@dataclass(frozen=True)
class Standardization:
    """Gives features mean 0 and variance 1 over the images of some moments; those that do not vary become 0.

    Attributes:
        mean: the mean of the raw features.
        factors: what features are multiplied by after subtracting their mean.
        covariance: the covariance of the standardized features, dimension x dimension.
        centers: the standardized mean of each class, classes x dimension, 0 for a class without images.
        has_images: whether each class has any.
    """

    mean: torch.Tensor
    factors: torch.Tensor
    covariance: torch.Tensor
    centers: torch.Tensor
    has_images: torch.Tensor

    @classmethod
    def of(cls, moments: Moments) -> "Standardization":
        mean, covariance, there = moments.mean, moments.covariance, moments.images > 0
        variance, mean_square = covariance.diagonal(), moments.products.diagonal() / moments.images.sum()
        varies = variance > _LEAST_VARIANCE * mean_square
        factors = torch.where(varies, variance.where(varies, torch.ones_like(variance)).rsqrt(), 0.0)
        centers = (moments.sums / moments.images.clamp_min(1)[:, None] - mean) * factors * there[:, None]
        return cls(mean, factors, covariance * torch.outer(factors, factors), centers, there)

    def applied(self, rows: torch.Tensor) -> torch.Tensor:
        """Features of images, B x dimension, standardized, float32."""
        return (rows - self.mean.float()) * self.factors.float()

    def nearest_center(self, standardized: torch.Tensor) -> torch.Tensor:
        """The class whose mean is nearest to each image, by Euclidean distance: B."""
        centers = self.centers.float()
        scores = torch.addmm(-centers.square().sum(1) / 2, standardized, centers.T)
        return scores.masked_fill(~self.has_images, -torch.inf).argmax(1)
