"""Images that occur in a data set more than once: the same pixels, and so the same image to a network.

With an image in both training and validation, accuracy is measured on what a network has seen; these are refused,
unless the data set's key ``duplicates`` allows them. Repeats within one part, or in two classes, are only reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from transferability.files import write_csv
from transferability.store.source import ImageSource, Sample, StoreError

ALLOW, REFUSE = "allow", "refuse"
KEY = "same_images"  # in a manifest
HEADER = ("part", "class", "file", "same_as_part", "same_as_class", "same_as_file")
_TOLD = 3  # pairs in a message


@dataclass(frozen=True)
class SameImages:
    """What a manifest says about images that occur more than once.

    Attributes:
        validation_in_training: how many validation images are also training images.
        repeated_in_training: how many training images repeat an earlier one.
        repeated_in_validation: likewise for validation images.
        of_several_classes: how many images have the same pixels as an image of another class.
        examples: the first few validation images that are training images: file names, validation and training.
    """

    validation_in_training: int
    repeated_in_training: int
    repeated_in_validation: int
    of_several_classes: int
    examples: Sequence[Sequence[str]]

    @classmethod
    def of(cls, groups: Sequence[NDArray[np.int64]], source: ImageSource) -> Self:
        """Counts and examples of the groups that `same_images` found among the images of a source."""
        samples, training = [*source.training, *source.validation], len(source.training)
        counts = {"validation_in_training": 0, "repeated_in_training": 0, "repeated_in_validation": 0}
        several, examples = 0, []
        for group in groups:
            trained, validated = group[group < training], group[group >= training]
            counts["repeated_in_training"] += max(0, len(trained) - 1)
            counts["repeated_in_validation"] += max(0, len(validated) - 1)
            if len(trained):
                counts["validation_in_training"] += len(validated)
                examples += [(samples[i].file, samples[trained[0]].file) for i in validated]
            several += len(group) * (len({samples[i].label for i in group}) > 1)
        return cls(**counts, of_several_classes=several, examples=examples[:_TOLD])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


Pairs = Sequence[tuple[int, int]]


def same_images(digests: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """The positions of images with the same digest, for each digest that occurs more than once, in image order.

    Args:
        digests: N x 16, of images' pixels.
    """
    keys = np.ascontiguousarray(digests).view(np.dtype((np.void, digests.shape[1]))).reshape(-1)
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])
    groups = [group for group in np.split(order, starts[1:]) if len(group) > 1] if len(order) else []
    return sorted(groups, key=lambda group: int(group[0]))


def same_rows(groups: Sequence[NDArray[np.int64]], source: ImageSource) -> list[tuple[str, ...]]:
    """A row for each image that repeats an earlier one, with the first of its group, a training image if it has one."""
    samples, training = [*source.training, *source.validation], len(source.training)

    def about(position: int) -> tuple[str, str, str]:
        sample: Sample = samples[position]
        part = "training" if position < training else "validation"
        return part, source.classes[sample.label].name, sample.file

    return [(*about(later), *about(group[0])) for group in groups for later in group[1:]]


def write_same_images(path: Path, groups: Sequence[NDArray[np.int64]], source: ImageSource) -> None:
    """The rows of `same_rows` as a CSV file."""
    write_csv(path, HEADER, same_rows(groups, source))


def require_apart(found: SameImages, duplicates: str, name: str, listed: Path) -> None:
    """StoreError if validation images are trained on and that is not allowed.

    Args:
        found: the store's repeated images.
        duplicates: the data set's key of that name: `ALLOW` or `REFUSE`.
        name: of the data set.
        listed: the file that lists them.
    """
    count = found.validation_in_training
    if not count or duplicates == ALLOW:
        return
    pairs = ", ".join(f"{validation} is {training}" for validation, training in found.examples)
    raise StoreError(
        f"datasets.{name}: {_counted(count, 'validation image')} in training too, pixel by pixel ({pairs}"
        f"{', ...' if count > len(found.examples) else ''}; {listed} lists them), so accuracies would be measured on "
        "training images; remove one image of each pair, or name it in skip; or, if this is intended, set "
        f"duplicates: {ALLOW} for the data set, which the report then states"
    )


def of_manifest(manifest: Mapping[str, Any]) -> SameImages:
    return SameImages(**manifest[KEY])


def shared_images(manifest: Mapping[str, Any]) -> str:
    """What a store's manifest says about images that occur more than once, in words."""
    return in_words(of_manifest(manifest))


def in_words(found: SameImages) -> str:
    """The images that occur more than once, in words."""
    facts = [
        f"{_counted(found.validation_in_training, 'validation image')} in training too and cannot test what was learned"
        if found.validation_in_training
        else "no validation image is in training too",
        f"{_counted(found.repeated_in_training, 'training image')} repeated" if found.repeated_in_training else "",
        f"{_counted(found.repeated_in_validation, 'validation image')} repeated"
        if found.repeated_in_validation
        else "",
        f"{_counted(found.of_several_classes, 'image')} in several classes" if found.of_several_classes else "",
    ]
    return "; ".join(fact for fact in facts if fact)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what} is" if count == 1 else f"{count:,} {what}s are"
