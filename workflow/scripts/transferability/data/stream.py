"""The stream of batches: which images a network sees at each iteration, and how they are cropped and mirrored.

All networks trained for one half of a split and one seed see the same stream, no matter which networks they are trained
with. Every batch is a pure function of its number, so an interrupted training simply asks for the next one.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from transferability.seeding import generator_for
from transferability.store.checked_rows import READERS, CheckedRows
from transferability.store.reading import Store
from transferability.study.settings import Preprocessing

BATCHES_AHEAD = 2  # read while the networks train on the current one
EVALUATION_BATCH = 400


@dataclass(frozen=True)
class Crops:
    """Which images of a loader, and where they are cut, one entry per image of the batch."""

    chosen: NDArray[np.int64]
    top: NDArray[np.int64]
    left: NDArray[np.int64]
    mirrored: NDArray[np.int64]  # 0 or 1


class ImageLoader:
    """Images of a part of the store as float batches, B x C x H x W (channels last in memory) on a device.

    Images of up to ``cache_bytes`` in total are kept in the device's memory; more are read from the store as needed.
    The batches are the same to the bit. They have the ``channels`` that are asked for: gray images, stored with one
    channel, are then seen as color images with three equal channels.
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
        height, width, stored = store.image_shape
        self._seen = preprocessing.seen_shape((height, width, channels or stored))
        cached = len(positions) * math.prod(store.image_shape) <= cache_bytes
        kind = GPUImages if cached and device.type == "cuda" else HostImages
        self._images = kind(store.images, positions, self._seen, device, cached)
        self._count = len(positions)
        self._slack = (store.image_shape[0] - self._seen[0], store.image_shape[1] - self._seen[1])
        self._mean = torch.from_numpy(mean).to(device)
        factors = preprocessing.factors
        self._factors = factors if isinstance(factors, float) else torch.tensor(factors, device=device)
        self._mirror = preprocessing.mirror
        self._device = device

    def __len__(self) -> int:
        return self._count

    @property
    def device(self) -> torch.device:
        return self._device

    def random_crops(self, chosen: NDArray[np.int64], random: np.random.Generator) -> Crops:
        """Where to cut a batch of training images, and which to mirror."""
        count = len(chosen)
        top = random.integers(0, self._slack[0] + 1, count)
        left = random.integers(0, self._slack[1] + 1, count)
        return Crops(chosen, top, left, random.integers(0, 2, count) * self._mirror)

    def center_crops(self, chosen: NDArray[np.int64]) -> Crops:
        """Where to cut a batch of evaluation images."""
        top, left = (np.full(len(chosen), slack // 2) for slack in self._slack)
        return Crops(chosen, top, left, np.zeros(len(chosen), dtype=np.int64))

    def start_training(self, chosen: NDArray[np.int64], random: np.random.Generator) -> Callable[[], torch.Tensor]:
        """Like `start`, for training images, cut at random."""
        return self.start(self.random_crops(chosen, random))

    def start(self, crops: Crops) -> Callable[[], torch.Tensor]:
        """Start reading a batch, in the background if that takes long; returns a function that gives the batch."""
        pixels = self._images.start(crops)
        return lambda: self._normalized(crops, pixels()).permute(0, 3, 1, 2)

    def batch(self, crops: Crops) -> torch.Tensor:
        return self.start(crops)()

    def _normalized(self, crops: Crops, pixels: torch.Tensor) -> torch.Tensor:
        """The pixels minus the mean image's at the same place, mirrored and scaled; B x H x W x C."""
        if not any(self._slack) and not self._mirror:
            return pixels.to(torch.float32).sub_(self._mean).mul_(self._factors)
        if self._device.type == "cpu":
            return less_mean_on_host(crops, pixels, self._mean).mul_(self._factors)
        return less_mean_on_gpu(crops, pixels, self._mean).mul_(self._factors)


class HostImages:
    """Images in memory, or read from the store by several threads as soon as a batch is requested."""

    def __init__(
        self,
        images: NDArray[np.uint8] | CheckedRows[np.uint8],
        positions: NDArray[np.int64],
        seen: tuple[int, int, int],
        device: torch.device,
        cached: bool,
    ) -> None:
        self._images = images[positions] if cached else images
        self._positions = np.arange(len(positions)) if cached else positions
        self._seen, self._device = seen, device
        self._readers = None if cached else ThreadPoolExecutor(READERS)

    def start(self, crops: Crops) -> Callable[[], torch.Tensor]:
        """Returns a function that gives B x H x W x C pixels, not yet mirrored."""
        count = len(crops.chosen)
        if self._readers is None:
            return lambda: torch.from_numpy(self._cut(crops, slice(0, count), self._empty(count).numpy()))
        batch = self._empty(count)
        size = -(-count // READERS)
        parts = [slice(first, min(first + size, count)) for first in range(0, count, size)]
        reading = [self._readers.submit(self._cut, crops, part, batch.numpy()) for part in parts]

        def pixels() -> torch.Tensor:
            for part in reading:
                part.result()
            return batch.to(self._device, non_blocking=True)

        return pixels

    def _empty(self, count: int) -> torch.Tensor:
        """An empty batch, in pinned memory if for a GPU, so that this process continues during the copy."""
        return torch.empty((count, *self._seen), dtype=torch.uint8, pin_memory=self._device.type == "cuda")

    def _cut(self, crops: Crops, part: slice, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width, _ = self._seen
        positions = self._positions[crops.chosen[part]]
        # Only the crop is read of an image that was already checked.
        images = self._images.once_checked(positions) if isinstance(self._images, CheckedRows) else self._images
        if images.shape[1:3] == self._seen[:2]:
            batch[part] = images[positions]
        else:
            for position, top, left, into in zip(
                positions, crops.top[part], crops.left[part], batch[part], strict=True
            ):
                into[:] = images[position, top : top + height, left : left + width]
        return batch


class GPUImages:
    """Images in a GPU's memory."""

    def __init__(
        self,
        images: NDArray[np.uint8] | CheckedRows[np.uint8],
        positions: NDArray[np.int64],
        seen: tuple[int, int, int],
        device: torch.device,
        _cached: bool,
    ) -> None:
        self._images = torch.from_numpy(images[positions]).to(device)
        self._seen, self._device = seen, device

    def start(self, crops: Crops) -> Callable[[], torch.Tensor]:
        """Returns a function that gives B x H x W x C pixels, not yet mirrored."""
        return lambda: self._cut(crops)

    def _cut(self, crops: Crops) -> torch.Tensor:
        chosen, top, left = to_device(np.stack([crops.chosen, crops.top, crops.left]), self._device)
        rows, columns = _rows_and_columns(top, left, self._seen)
        cut = self._images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
        return cut if cut.shape[1:] == self._seen else cut.expand(-1, *self._seen)


def less_mean_on_host(crops: Crops, pixels: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Like `less_mean_on_gpu`, one image at a time: several times faster on a CPU than indexing a whole batch."""
    _, height, width, _ = pixels.shape
    less_mean = pixels.to(torch.float32)
    for index, image in enumerate(less_mean.numpy()):
        top, left = crops.top[index], crops.left[index]
        np.subtract(image, mean.numpy()[top : top + height, left : left + width], out=image)
        if crops.mirrored[index]:
            image[:] = image[:, ::-1].copy()
    return less_mean


def less_mean_on_gpu(crops: Crops, pixels: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Crops (B x H x W x C) minus the mean image's pixels at the same place, as float32, mirrored where wanted."""
    top, left, mirrored = to_device(np.stack([crops.top, crops.left, crops.mirrored]), pixels.device)
    rows, columns = _rows_and_columns(top, left, pixels.shape[1:])
    turned = mirrored.bool()[:, None]
    columns = torch.where(turned, columns.flip(1), columns)
    # While pixels are bytes, which moves a quarter of what floats would.
    pixels = torch.where(turned[:, :, None, None], pixels.flip(2), pixels)
    return pixels - mean[rows[:, :, None], columns[:, None, :]]


def _rows_and_columns(
    top: torch.Tensor, left: torch.Tensor, seen: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows (B x H) and columns (B x W) of the pixels of crops."""
    height, width, _ = seen
    rows, columns = (torch.arange(side, device=top.device) for side in (height, width))
    return top[:, None] + rows, left[:, None] + columns


def to_device(numbers: NDArray[np.int64], device: torch.device) -> torch.Tensor:
    """A tensor of these numbers, copied to a GPU without waiting for its computations."""
    tensor = torch.from_numpy(numbers)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


class TrainingImages(Protocol):
    """A source of training batches, with images cut at random."""

    @property
    def device(self) -> torch.device:
        """Where the batches are."""

    def start_training(self, chosen: NDArray[np.int64], random: np.random.Generator) -> Callable[[], torch.Tensor]:
        """Start reading images at these positions; returns a function that gives the batch, B x C x H x W."""


class TrainingStream:
    """Batches of a fixed size from endless shuffled epochs; an epoch may end within a batch, as in Caffe."""

    def __init__(self, loader: TrainingImages, targets: NDArray[np.int64], batch_size: int, *seed: str | int) -> None:
        self._loader = loader
        self._targets = targets
        self._batch_size = batch_size
        self._seed = seed
        self._orders: dict[int, NDArray[np.int64]] = {}
        self._started: dict[int, tuple[NDArray[np.int64], Callable[[], torch.Tensor]]] = {}

    def batch(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (B x C x H x W, float32) and targets (B, int64) of one iteration, counted from 0."""
        self._started = {
            i: self._started[i] if i in self._started else self._start(i)
            for i in range(iteration, iteration + 1 + BATCHES_AHEAD)
        }
        chosen, images = self._started.pop(iteration)
        return images(), to_device(self._targets[chosen], self._loader.device)

    def _start(self, iteration: int) -> tuple[NDArray[np.int64], Callable[[], torch.Tensor]]:
        chosen = self._positions(iteration)
        return chosen, self._loader.start_training(chosen, generator_for(*self._seed, "crops", iteration))

    def _positions(self, iteration: int) -> NDArray[np.int64]:
        count = len(self._targets)
        ticks = np.arange(iteration * self._batch_size, (iteration + 1) * self._batch_size)
        epochs = range(int(ticks[0]) // count, int(ticks[-1]) // count + 1)
        self._orders = {epoch: self._orders[epoch] if epoch in self._orders else self._order(epoch) for epoch in epochs}
        return np.concatenate([self._orders[epoch][ticks[ticks // count == epoch] % count] for epoch in epochs])

    def _order(self, epoch: int) -> NDArray[np.int64]:
        return generator_for(*self._seed, "order", epoch).permutation(len(self._targets))


class EvaluationSet:
    """Images that networks are evaluated on, in file order: cut from the center, not mirrored.

    Attributes:
        targets: the class of every image.
    """

    def __init__(self, loader: ImageLoader, targets: NDArray[np.int64], batch_size: int) -> None:
        self._loader = loader
        self.targets = targets
        self._batch_size = batch_size

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        started: deque[tuple[NDArray[np.int64], Callable[[], torch.Tensor]]] = deque()
        for first in range(0, len(self), self._batch_size):
            chosen = np.arange(first, min(first + self._batch_size, len(self)))
            started.append((chosen, self._loader.start(self._loader.center_crops(chosen))))
            if len(started) > BATCHES_AHEAD:
                yield self._finished(*started.popleft())
        for batch in started:
            yield self._finished(*batch)

    def _finished(
        self, chosen: NDArray[np.int64], images: Callable[[], torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return images(), to_device(self.targets[chosen], self._loader.device)
