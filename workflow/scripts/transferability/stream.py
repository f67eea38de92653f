"""The stream of batches: which images, cropped and mirrored how, a network sees at each iteration.

All networks trained for one half of a split and seed see the same stream, whatever they are trained beside. Every
batch is a pure function of its number, so that an interrupted training simply asks for the next one.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from transferability.seeding import generator_for
from transferability.store import Store

WHOLE_MEAN = "whole"
READERS = 8  # threads that wait for the disk and copy; they need no core of their own


@dataclass(frozen=True)
class Preprocessing:
    """What is done to an image between the store and the network.

    Attributes:
        crop: side of the square the network sees, 0 for the whole image. Training crops at random, validation
            in the centre.
        mirror: whether training mirrors every other image at random.
        mean: the mean image subtracted: ``own``, of the images that the network is trained on, as in the paper, or
            ``whole``, of the whole training set.
        scale: pixel values, less the mean image, are divided by this.
    """

    crop: int
    mirror: bool
    mean: str
    scale: float

    def seen_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Height, width and channels of what the network sees; ValueError if the crop does not fit."""
        height, width, channels = image_shape
        if self.crop > min(height, width):
            raise ValueError(f"preprocessing: crop is {self.crop}, but the images are {height} x {width} pixels")
        return (self.crop or height, self.crop or width, channels)


def mean_image(store: Store, positions: NDArray[np.int64], mean: str) -> NDArray[np.float32]:
    """The mean image, H x W x C, for a network trained on these images of the store; `Preprocessing` says which."""
    if mean == WHOLE_MEAN:
        return store.mean_image(range(len(store.classes)))
    classes = np.unique(store.labels[positions])
    if len(positions) == np.isin(store.labels[store.training], classes).sum():
        return store.mean_image(classes.tolist())
    total = np.zeros(store.image_shape, dtype=np.uint64)
    for start in range(0, len(positions), 256):
        total += store.images[positions[start : start + 256]].sum(axis=0, dtype=np.uint64)
    return (total / len(positions)).astype(np.float32)


class ImageLoader:
    """Images of a part of the store as float batches, B x C x H x W (channels last in memory) on a device.

    Images up to ``resident_bytes`` in all are held in the device's memory; more are read from the store as they are
    needed. The batches are the same to the bit.
    """

    def __init__(
        self,
        store: Store,
        positions: NDArray[np.int64],
        mean: NDArray[np.float32],
        preprocessing: Preprocessing,
        device: torch.device,
        *,
        resident_bytes: float = float("inf"),
    ) -> None:
        self._count = len(positions)
        resident = len(positions) * math.prod(store.image_shape) <= resident_bytes
        kind = _ResidentImages if resident else _StoredImages
        self._images = kind(store.images, positions, device)
        self._seen = preprocessing.seen_shape(store.image_shape)
        self._slack = (store.image_shape[0] - self._seen[0], store.image_shape[1] - self._seen[1])
        self._mean = torch.from_numpy(mean).to(device)
        self._scale = 1.0 / preprocessing.scale
        self._mirror = preprocessing.mirror
        self._device = device

    def __len__(self) -> int:
        return self._count

    def random_crops(self, chosen: NDArray[np.int64], random: np.random.Generator) -> torch.Tensor:
        """A batch of training images, each cropped and mirrored at random."""
        count = len(chosen)
        top = random.integers(0, self._slack[0] + 1, count)
        left = random.integers(0, self._slack[1] + 1, count)
        mirrored = random.integers(0, 2, count).astype(bool) & self._mirror
        return self._gather(chosen, top, left, mirrored)

    def centre_crops(self, chosen: NDArray[np.int64]) -> torch.Tensor:
        """A batch of validation images."""
        count = len(chosen)
        top, left = (np.full(count, slack // 2) for slack in self._slack)
        return self._gather(chosen, top, left, np.zeros(count, dtype=bool))

    def _gather(
        self, chosen: NDArray[np.int64], top: NDArray[np.int64], left: NDArray[np.int64], mirrored: NDArray[np.bool_]
    ) -> torch.Tensor:
        height, width, _ = self._seen
        if not any(self._slack) and not mirrored.any():
            batch, mean = self._images.whole(chosen), self._mean
        else:
            rows = top[:, None] + np.arange(height)
            columns = left[:, None] + np.arange(width)
            columns[mirrored] = columns[mirrored, ::-1]
            pixels = _to_device(rows, self._device)[:, :, None], _to_device(columns, self._device)[:, None, :]
            batch, mean = self._images.pixels(chosen, rows, columns), self._mean[pixels]
        return batch.to(torch.float32).sub_(mean).mul_(self._scale).permute(0, 3, 1, 2)


class _ResidentImages:
    """Images held in the memory of a device."""

    def __init__(self, images: NDArray[np.uint8], positions: NDArray[np.int64], device: torch.device) -> None:
        self._images = torch.from_numpy(images[positions]).to(device)
        self._device = device

    def whole(self, chosen: NDArray[np.int64]) -> torch.Tensor:
        return self._images.index_select(0, _to_device(chosen, self._device))

    def pixels(self, chosen: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> torch.Tensor:
        """The pixels at rows (B x H) and columns (B x W) of the chosen images, B x H x W x C."""
        which, rows_there, columns_there = (_to_device(indices, self._device) for indices in (chosen, rows, columns))
        return self._images[which[:, None, None], rows_there[:, :, None], columns_there[:, None, :]]


class _StoredImages:
    """Images read from the store, by several threads, whenever they are asked for."""

    def __init__(self, images: NDArray[np.uint8], positions: NDArray[np.int64], device: torch.device) -> None:
        self._images, self._positions, self._device = images, positions, device
        self._readers = ThreadPoolExecutor(READERS)

    def whole(self, chosen: NDArray[np.int64]) -> torch.Tensor:
        _, height, width, _ = self._images.shape
        rows, columns = (np.broadcast_to(np.arange(side), (len(chosen), side)) for side in (height, width))
        return self.pixels(chosen, rows, columns)

    def pixels(self, chosen: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> torch.Tensor:
        """As `_ResidentImages.pixels`, for rows and columns that are consecutive, columns in either direction."""
        channels = self._images.shape[3]
        batch = np.empty((len(chosen), rows.shape[1], columns.shape[1], channels), dtype=np.uint8)

        def read(index: int) -> None:
            left, right = sorted((columns[index, 0], columns[index, -1]))
            crop = self._images[self._positions[chosen[index]], rows[index, 0] : rows[index, -1] + 1, left : right + 1]
            batch[index] = crop if columns[index, 0] == left else crop[:, ::-1]

        list(self._readers.map(read, range(len(chosen))))
        return torch.from_numpy(batch).to(self._device)


def _to_device(indices: NDArray[np.int64], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(indices).to(device)


class TrainingStream:
    """Batches of a fixed size out of endless shuffled epochs; an epoch's end may fall within a batch, as in Caffe."""

    def __init__(self, loader: ImageLoader, targets: NDArray[np.int64], batch_size: int, *seed: str | int) -> None:
        self._loader = loader
        self._targets = targets
        self._batch_size = batch_size
        self._seed = seed
        self._orders: dict[int, NDArray[np.int64]] = {}

    def batch(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (B x C x H x W, float32) and targets (B, int64) of one iteration, counted from 0."""
        chosen = self._positions(iteration)
        random = generator_for(*self._seed, "crops", iteration)
        images = self._loader.random_crops(chosen, random)
        return images, torch.from_numpy(self._targets[chosen]).to(images.device)

    def _positions(self, iteration: int) -> NDArray[np.int64]:
        count = len(self._targets)
        ticks = np.arange(iteration * self._batch_size, (iteration + 1) * self._batch_size)
        epochs = range(int(ticks[0]) // count, int(ticks[-1]) // count + 1)
        self._orders = {epoch: self._orders[epoch] if epoch in self._orders else self._order(epoch) for epoch in epochs}
        return np.concatenate([self._orders[epoch][ticks[ticks // count == epoch] % count] for epoch in epochs])

    def _order(self, epoch: int) -> NDArray[np.int64]:
        return generator_for(*self._seed, "order", epoch).permutation(len(self._targets))


class ValidationSet:
    """The validation images of a half, in file order."""

    def __init__(self, loader: ImageLoader, targets: NDArray[np.int64], batch_size: int) -> None:
        self._loader = loader
        self._targets = targets
        self._batch_size = batch_size

    def __len__(self) -> int:
        return len(self._targets)

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for start in range(0, len(self), self._batch_size):
            chosen = np.arange(start, min(start + self._batch_size, len(self)))
            images = self._loader.centre_crops(chosen)
            yield images, torch.from_numpy(self._targets[chosen]).to(images.device)
