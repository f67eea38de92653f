"""Tasks: what networks are trained for, the classification of a store's images into some of its classes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from transferability.labels import visible
from transferability.seeding import generator_for
from transferability.store.reading import Store
from transferability.study.amounts import too_few_in_words
from transferability.study.names import HALVES
from transferability.study.settings import OWN_MEAN, WHITE, WHOLE_MEAN


class TooFewImagesError(ValueError):
    """A class has fewer training images than networks are to be trained on."""


@dataclass(frozen=True)
class Examples:
    """Which training images of each class are used, if not all.

    Attributes:
        per_class: how many.
        seed: of the study, by which they are drawn, with the split and the target; None for the first in file order,
            or all of a class that has fewer.
    """

    per_class: int
    seed: int | None


@dataclass(frozen=True)
class Task:
    """The classification of images into some of a store's classes; an index into the store, which copies nothing.

    Attributes:
        store: the store of the images.
        classes: those to tell apart, as indices into the store's; an image's target is its class's position here.
        target: its name in the names of networks, ``A``, ``B`` or ``whole``.
        split: the name of its split.
        images_seed: the seed by which `halves_of_images` draws the training images of both halves, of which the task
            has those of ``target``; None for all training images of its classes.
        channels: the number that networks see, all equal for a gray image; None for as many as the store has.
        examples: which training images are used; None for all. Validation always uses all images.
        other: the task of the split's other half, whose mean image may be subtracted here; None if there is none.
    """

    store: Store
    classes: tuple[int, ...]
    target: str
    split: str
    images_seed: int | None = None
    channels: int | None = None
    examples: Examples | None = None
    other: "Task | None" = None
    _means: dict[str | tuple[float, ...], NDArray[np.float32]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image, before it is cropped."""
        height, width, channels = self.store.image_shape
        return height, width, self.channels or channels

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, in the order of the targets."""
        return [self.store.classes[index].name for index in self.classes]

    def training(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions in the store of the training images, in file order, and their targets.

        TooFewImagesError if a class has fewer than are to be drawn of each.
        """
        positions, targets = self.all_training()
        if self.examples is None:
            return positions, targets
        per_class, seed = self.examples.per_class, self.examples.seed
        if seed is None:
            kept = first_of_each_class(targets, per_class)
        else:
            require_images(self.split, self.class_names, np.bincount(targets, minlength=len(self.classes)), per_class)
            kept = drawn_of_each_class(targets, per_class, seed, self.split, self.target)
        return positions[kept], targets[kept]

    def all_training(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Like `training`, for all training images, even if ``examples`` selects only some."""
        positions, targets = self._samples(self.store.training)
        if self.images_seed is None:
            return positions, targets
        drawn = halves_of_images(targets, self.images_seed)[HALVES.index(self.target)]
        return positions[drawn], targets[drawn]

    def validation(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions in the store of the validation images, in file order, and their targets."""
        return self._samples(self.store.validation)

    def training_sample(self, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions in the store of the training images that networks are evaluated on, in file order, and targets.

        As many of each class as it has validation images, drawn at random, or all if it has fewer: the classes thus
        have the same weights in both, and a network is not better here because of a different class distribution.

        Args:
            seed: of the study; the sample depends on it, the split and the target, but not on networks.
        """
        positions, targets = self.training()
        wanted = np.bincount(self.validation()[1], minlength=len(self.classes))
        chosen = drawn_to_match(targets, wanted, seed, self.split, self.target)
        return positions[chosen], targets[chosen]

    def mean_image(self, mean: str | tuple[float, ...]) -> NDArray[np.float32]:
        """The mean image, H x W x C, of the training images or, as ``mean`` says, of others or of the given numbers.

        Validation images are left out, because the mean is subtracted from them. A network's own mean and that of the
        whole store have one channel if images are gray, as in the store. It is computed only once: a half drawn from
        the images of each class has to read all of its training images for it.

        Args:
            mean: as in `Preprocessing`.
        """
        if mean not in self._means:
            self._means[mean] = self._mean_image(mean)
        return self._means[mean].copy()

    def _mean_image(self, mean: str | tuple[float, ...]) -> NDArray[np.float32]:
        if not isinstance(mean, str):
            return np.full(self.image_shape, mean, dtype=np.float32) * np.float32(WHITE)
        if mean == WHOLE_MEAN:
            return self.store.mean_image(range(len(self.store.classes)))
        if mean in HALVES:
            return np.broadcast_to(self.of_half(mean).mean_image(OWN_MEAN), self.image_shape).copy()
        positions, _ = self.training()
        if len(positions) == len(self._samples(self.store.training)[0]):
            return self.store.mean_image(self.classes)
        total = np.zeros(self.store.image_shape, dtype=np.uint64)
        for start in range(0, len(positions), 256):
            total += self.store.images[positions[start : start + 256]].sum(axis=0, dtype=np.uint64)
        return (total / len(positions)).astype(np.float32)

    def of_half(self, half: str) -> "Task":
        """The task of a half of the split, this one or the other, with all its training images."""
        task = self if half == self.target else self.other
        if task is None or task.target != half:
            raise ValueError(f"split {self.split}: a network of {self.target} knows of no half {half}")
        return replace(task, examples=None)

    def guessing_facts(self, label_smoothing: float = 0.0) -> dict[str, int | float]:
        """The numbers needed to tell an accuracy from guessing.

        ``majority_baseline`` is the accuracy of always predicting the most frequent class of the validation images:
        1 / classes if they are balanced. ``guessing_loss`` is the cross-entropy, in nats, of always predicting the
        class frequencies of the training images: log(classes) if they are balanced. With label smoothing, it is the
        lowest training loss possible without looking at the images, and so against the smoothed targets.

        Args:
            label_smoothing: of the training, as in `Hyperparameters`.
        """
        frequencies = np.bincount(self.training()[1], minlength=len(self.classes))
        shares = (1 - label_smoothing) * frequencies / frequencies.sum() + label_smoothing / len(self.classes)
        shares = shares[shares > 0]
        _, targets = self.validation()
        chance = np.bincount(targets).max() / len(targets)
        return {
            "classes": len(self.classes),
            "validation_images": len(targets),
            "majority_baseline": float(chance),
            "guessing_loss": float(-(shares * np.log(shares)).sum()),
        }

    def _samples(self, part: slice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        target_of = np.full(len(self.store.classes), -1, dtype=np.int64)
        target_of[list(self.classes)] = np.arange(len(self.classes))
        targets = target_of[self.store.labels[part]]
        chosen = np.flatnonzero(targets >= 0)
        return chosen + part.start, targets[chosen]


def first_of_each_class(targets: NDArray[np.int64], examples: int) -> NDArray[np.int64]:
    """Positions of the first ``examples`` samples of each class, in order; fewer if a class has fewer."""
    return np.flatnonzero(rank_in_class(targets) < examples)


def drawn_of_each_class(targets: NDArray[np.int64], examples: int, *seed: str | int) -> NDArray[np.int64]:
    """Positions of ``examples`` samples of each class, in order, drawn by the seed; fewer are a subset of more."""
    drawn = generator_for(*seed, "few images").permutation(len(targets))
    return np.sort(drawn[rank_in_class(targets[drawn]) < examples])


def drawn_to_match(targets: NDArray[np.int64], wanted: NDArray[np.int64], *seed: str | int) -> NDArray[np.int64]:
    """Positions of ``wanted[c]`` samples of each class c, in order, drawn by the seed; all if a class has fewer."""
    drawn = generator_for(*seed, "training sample").permutation(len(targets))
    return np.sort(drawn[rank_in_class(targets[drawn]) < wanted[targets[drawn]]])


def require_images(split: str, names: Sequence[str], training: NDArray[np.int64], examples_per_class: int) -> None:
    """TooFewImagesError if a class of a half has fewer training images than are to be drawn of each.

    Args:
        split: the name of the half's split.
        names: of its classes.
        training: how many training images each of these has.
        examples_per_class: how many are to be drawn.
    """
    fewest = int(np.argmin(training))
    if training[fewest] < examples_per_class:
        there = int(training[fewest])
        raise TooFewImagesError(too_few_in_words(split, examples_per_class, visible(names[fewest]), there))


def halves_of_images(targets: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of samples, in order, of two disjoint halves with equally many of each class, drawn at random.

    If a class has an odd number of samples, one is in neither half. Like random halves, they are drawn by numpy's
    legacy generator, which is the same in every version: copies must find the images of their base.
    """
    drawn = np.random.RandomState([seed]).permutation(len(targets))
    rank, half = rank_in_class(targets[drawn]), np.bincount(targets)[targets[drawn]] // 2
    return np.sort(drawn[rank < half]), np.sort(drawn[(half <= rank) & (rank < 2 * half)])


def rank_in_class(targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each sample, how many of its class come before it."""
    order = np.argsort(targets, kind="stable")  # by class, each in order
    images = np.bincount(targets)
    first = np.cumsum(images) - images  # of each class, in that order
    rank = np.empty_like(targets)
    rank[order] = np.arange(len(targets)) - first[targets[order]]
    return rank
