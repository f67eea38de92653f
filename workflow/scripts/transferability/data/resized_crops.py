"""Random rectangles of training images, scaled to the size that the network sees (Szegedy et al., CVPR 2015).

Like torchvision's RandomResizedCrop: bilinear, and without antialiasing, which only a much larger rectangle would need.
GPU and CPU give the same bits, because positions come from the CPU and all else is single sums and products.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from transferability.data.stream import ImageLoader, to_device
from transferability.store.reading import Store
from transferability.study.settings import Preprocessing, RandomResizedCrop

_TRIES = 10  # for a rectangle that fits into the image; after that, the largest centered one of an allowed ratio


@dataclass(frozen=True)
class Rectangles:
    """Parts of images in pixels, one entry per image of the batch."""

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]


class ResizedCropLoader:
    """Training images of a part of the store, a random rectangle of each, as `ImageLoader` gives its crops.

    Args are those of `ImageLoader`; ``preprocessing`` must have a random resized crop.
    """

    def __init__(
        self,
        store: Store,
        positions: NDArray[np.int64],
        mean: NDArray[np.float32],
        preprocessing: Preprocessing,
        device: torch.device,
        *,
        cache_bytes: float = float("inf"),
        channels: int | None = None,
    ) -> None:
        if preprocessing.random_resized_crop is None:
            raise ValueError("preprocessing: has no random_resized_crop")
        self._crop, self._mirror = preprocessing.random_resized_crop, preprocessing.mirror
        self._height, self._width, stored = store.image_shape
        self._seen = preprocessing.seen_shape((self._height, self._width, channels or stored))[:2]
        whole, memory = replace(preprocessing, crop=0, mirror=False), {"cache_bytes": cache_bytes}
        self._whole_images = ImageLoader(store, positions, mean, whole, device, **memory, channels=channels)

    @property
    def device(self) -> torch.device:
        return self._whole_images.device

    def start_training(self, chosen: NDArray[np.int64], random: np.random.Generator) -> Callable[[], torch.Tensor]:
        """Start reading images at these positions; returns a function that gives the batch, B x C x H x W."""
        rectangles = random_rectangles(self._crop, (self._height, self._width), len(chosen), random)
        mirrored = random.integers(0, 2, len(chosen)) * self._mirror
        images = self._whole_images.start(self._whole_images.center_crops(chosen))
        return lambda: resized(images(), rectangles, mirrored, self._seen)


def random_rectangles(
    crop: RandomResizedCrop, size: tuple[int, int], count: int, random: np.random.Generator
) -> Rectangles:
    """``count`` random rectangles within images of this height and width."""
    image_height, image_width = size
    area = image_height * image_width * random.uniform(*crop.scale, (count, _TRIES))
    low, high = map(math.log, crop.ratio)
    ratio = np.exp(random.uniform(low, high, (count, _TRIES)))
    width, height = (np.rint(np.sqrt(value)).astype(np.int64) for value in (area * ratio, area / ratio))
    fits = (width > 0) & (width <= image_width) & (height > 0) & (height <= image_height)
    first = np.arange(count), fits.argmax(axis=1)
    largest_height, largest_width = _largest(crop.ratio, size)
    found = fits[first]
    height, width = np.where(found, height[first], largest_height), np.where(found, width[first], largest_width)
    slack_y, slack_x = image_height - height, image_width - width
    top, left = random.integers(0, slack_y + 1), random.integers(0, slack_x + 1)
    return Rectangles(np.where(found, top, slack_y // 2), np.where(found, left, slack_x // 2), height, width)


def _largest(ratio: tuple[float, float], size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the largest rectangle of an image that has an allowed ratio."""
    height, width = size
    least, most = ratio
    if width < height * least:
        return max(1, round(width / least)), width
    return height, max(1, round(min(width, height * most)))


def resized(
    images: torch.Tensor, rectangles: Rectangles, mirrored: NDArray[np.int64], size: tuple[int, int]
) -> torch.Tensor:
    """Rectangles of images, bilinearly scaled to a size and mirrored where wanted.

    Args:
        images: B x C x H x W, channels last in memory.
        rectangles: one for each image.
        mirrored: 0 or 1 for each image.
        size: height and width of the result, B x C x height x width, channels last in memory too.
    """
    device, image = images.device, torch.arange(len(images), device=images.device)
    upper, lower, down = _neighbors(rectangles.top, rectangles.height, size[0], device)
    turned = mirrored.astype(bool)
    left, right, across = _neighbors(rectangles.left, rectangles.width, size[1], device, turned)
    pixels = images.permute(0, 2, 3, 1)
    rows = _between(pixels[image[:, None], upper], pixels[image[:, None], lower], down[:, :, None, None])
    every = image[:, None, None], torch.arange(size[0], device=device)[:, None]
    found = _between(rows[(*every, left[:, None])], rows[(*every, right[:, None])], across[:, None, :, None])
    return found.permute(0, 3, 1, 2)


def _neighbors(
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    count: int,
    device: torch.device,
    turned: NDArray[np.bool_] | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The two pixels around the center of each of ``count`` equal parts of a stretch, and its distance from the first.

    All are B x count, for B stretches of pixels. A center beyond that of the outermost pixel is moved to that pixel.
    """
    center = (np.arange(count) + 0.5) * (length[:, None] / count) - 0.5
    center = np.clip(center, 0, length[:, None] - 1)
    if turned is not None:
        center = np.where(turned[:, None], center[:, ::-1], center)
    first = np.floor(center).astype(np.int64)
    second = np.minimum(first + 1, length[:, None] - 1)
    ends = to_device(start[:, None] + np.stack([first, second]), device)
    share = to_device((center - first).astype(np.float32), device)
    return ends[0], ends[1], share


def _between(first: torch.Tensor, second: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Linear interpolation by single products and a sum, which round alike on every device; ``lerp`` may not."""
    return first * (1 - share) + second * share
