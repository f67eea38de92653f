"""Contradictions within the config's section ``preprocessing``, or between it and the data sets' images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transferability.study.names import HALVES
from transferability.study.schema import in_yaml, kind_schema
from transferability.words import counted


@dataclass(frozen=True)
class OfficialSet:
    """The size of a data set that is the same for everyone.

    Attributes:
        images: how many training and validation images each class has.
        image_shape: height, width and channels.
    """

    classes: int
    images: tuple[int, int]
    image_shape: tuple[int, int, int]


OFFICIAL_SETS = {
    "cifar10": OfficialSet(10, (5000, 1000), (32, 32, 3)),
    "cifar100": OfficialSet(100, (500, 100), (32, 32, 3)),
    "fashion_mnist": OfficialSet(10, (6000, 1000), (28, 28, 1)),
}
_CHANNELS = {"glyphs": 1}  # of kinds whose images always have as many


def preprocessing_problems(
    preprocessing: Mapping[str, Any], data_sets: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """A sentence for each problem.

    Args:
        preprocessing: the section, which the schema accepts.
        data_sets: settings by name, for the one data set of a split, or for the two between which it transfers.
    """
    crop = preprocessing["crop"]
    sides = {name: image_side(settings) for name, settings in data_sets.items()}
    for name, side in sides.items():
        if isinstance(side, int) and crop > side:
            yield (
                f"preprocessing.crop: is {crop}, but the images of {name} have a side of {side} pixels; "
                f"it must be at most {side}, or 0 for the whole image"
            )
    known = {name: (side, side) for name, side in sides.items() if isinstance(side, int)}
    if crop == 0 and len(set(known.values())) > 1:
        yield f"preprocessing.{unequal_sizes(known)}"
    if preprocessing["mean"] in HALVES and len(set(known.values())) > 1:
        yield f"preprocessing.{no_common_mean(preprocessing['mean'], known)}"
    channels = [count for settings in data_sets.values() if (count := image_channels(settings)) is not None]
    most = max(channels) if len(channels) == len(data_sets) else None  # gray images become color next to color ones
    yield from _mean_problems(preprocessing["mean"], preprocessing["std"], " and ".join(data_sets), most)
    yield from _resizing_problems(preprocessing["random_resized_crop"])


def unequal_sizes(sizes: Mapping[str, tuple[int, int]]) -> str:
    """The problem of images that are not cropped to one size; sizes are their height and width, by data set."""
    return (
        f"crop: is 0, but images are {_of_each(sizes)}, and a network that copies layers needs images of one "
        f"size; set it to at most {min(map(min, sizes.values()))}, so that both are cropped to that, or give the data "
        "sets one size"
    )


def no_common_mean(half: str, sizes: Mapping[str, tuple[int, int]]) -> str:
    """The problem of a mean image of another size than some images; sizes are their height and width, by data set."""
    return (
        f"mean: is {half}, but images are {_of_each(sizes)}, and a mean image can only be subtracted from "
        "images of its own size; give the data sets one size, or set mean to own, whole, or a list of numbers with one "
        "for std"
    )


def _of_each(sizes: Mapping[str, tuple[int, int]]) -> str:
    return " and ".join(f"{height} x {width} pixels in {name}" for name, (height, width) in sizes.items())


def image_side(settings: Mapping[str, Any]) -> Any:
    """The side in pixels of a data set's images; None if its settings do not give it."""
    official = OFFICIAL_SETS.get(settings.get("set", ""))
    return settings.get("size", official and official.image_shape[0])


def image_channels(settings: Mapping[str, Any]) -> int | None:
    """The channels of a data set's images; None if they are not known in advance."""
    kind, official = settings["kind"], OFFICIAL_SETS.get(settings.get("set", ""))
    of_kind = official.image_shape[2] if official else _CHANNELS.get(kind)
    channels: int | None = settings.get(
        "channels", kind_schema(kind)["properties"].get("channels", {}).get("default", of_kind)
    )
    return channels


def most_training_images(settings: Mapping[str, Any]) -> int | None:
    """How many training images each class of a data set has, or has at most; None if its settings do not tell."""
    official = OFFICIAL_SETS.get(settings.get("set", ""))
    told = settings.get("training_per_class") or settings.get("images_per_class") or (official and official.images[0])
    return told or None


def _mean_problems(mean: str | list[float], std: list[float], data_set: str, channels: int | None) -> Iterator[str]:
    if isinstance(mean, str):
        if std:
            yield (
                f"preprocessing.std: is {in_yaml(std)}, but mean is {mean}, a mean image, which goes with scale; "
                "set std to [], or mean to a list of numbers too"
            )
        return
    if len(std) != len(mean):
        yield (
            f"preprocessing.std: has {counted(len(std), 'number')} and mean has {len(mean)}; if mean is a list, "
            "each has one number for each channel"
        )
    elif channels is not None and channels != len(mean):
        yield (
            f"preprocessing.mean: has {counted(len(mean), 'number')}, but the images of {data_set} have "
            f"{counted(channels, 'channel')}; give one for each"
        )


def _resizing_problems(resized: bool | Mapping[str, list[float]]) -> Iterator[str]:
    key = "preprocessing.random_resized_crop"
    if isinstance(resized, bool):
        if resized:
            yield f"{key}: is true; it must be false, or a mapping such as {{scale: [0.08, 1], ratio: [0.75, 1.3333]}}"
        return
    for name, values in resized.items():
        if len(values) != 2 or values[0] > values[1]:
            yield f"{key}.{name}: is {in_yaml(values)}; it must be two numbers, the smallest and the largest"
