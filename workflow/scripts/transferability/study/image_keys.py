"""What of the config's section ``preprocessing`` cannot be meant together, or not of the images of the data set."""

from collections.abc import Iterator, Mapping
from typing import Any

from transferability.study.names import HALVES
from transferability.study.schema import in_yaml, kind_schema
from transferability.words import counted

# Of data sets and kinds whose images are always alike: their side in pixels, and their channels.
_OFFICIAL_SIDES = {"cifar10": 32, "cifar100": 32, "fashion_mnist": 28}
_OFFICIAL_CHANNELS = {"cifar10": 3, "cifar100": 3, "fashion_mnist": 1}
_CHANNELS = {"glyphs": 1}


def preprocessing_problems(
    preprocessing: Mapping[str, Any], data_sets: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """A sentence for each problem.

    Args:
        preprocessing: the section, which fits the schema.
        data_sets: settings by name, of the one data set of a split, or of the two between which it transfers.
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
    most = max(channels) if len(channels) == len(data_sets) else None  # gray images become color beside such
    yield from _mean_problems(preprocessing["mean"], preprocessing["std"], " and ".join(data_sets), most)
    yield from _resizing_problems(preprocessing["random_resized_crop"])


def unequal_sizes(sizes: Mapping[str, tuple[int, int]]) -> str:
    """A sentence about images that are not cropped to one size, by data set their height and width, and the remedy."""
    return (
        f"crop: is 0, but images are {_of_each(sizes)}, and a network that copies layers sees images of one size; "
        f"set it to at most {min(map(min, sizes.values()))}, so that this side is cut out of both, or give the data "
        "sets one size"
    )


def no_common_mean(half: str, sizes: Mapping[str, tuple[int, int]]) -> str:
    """A sentence about images that no mean image of another size can be taken from, by data set height and width."""
    return (
        f"mean: is {half}, but images are {_of_each(sizes)}, and a mean image is taken from images of its own size; "
        "give the data sets one size, or set mean to own, whole, or a list of numbers with one for std"
    )


def _of_each(sizes: Mapping[str, tuple[int, int]]) -> str:
    return " and ".join(f"{height} x {width} pixels in {name}" for name, (height, width) in sizes.items())


def image_side(settings: Mapping[str, Any]) -> Any:
    """Of the images of a data set in pixels, as far as its settings tell it."""
    return settings.get("size", _OFFICIAL_SIDES.get(settings.get("set", "")))


def image_channels(settings: Mapping[str, Any]) -> int | None:
    """Of the images of a data set; None where it is not known before they are there."""
    kind, name = settings["kind"], settings.get("set", "")
    keys = kind_schema(kind)["properties"]
    default = keys.get("channels", {}).get("default", _OFFICIAL_CHANNELS.get(name, _CHANNELS.get(kind)))
    channels: int | None = settings.get("channels", default)
    return channels


def _mean_problems(mean: str | list[float], std: list[float], data_set: str, channels: int | None) -> Iterator[str]:
    if isinstance(mean, str):
        if std:
            yield (
                f"preprocessing.std: is {in_yaml(std)}, but mean is {mean}, a mean image, which scale goes with; "
                "set std to [], or mean to a list of numbers too"
            )
        return
    if len(std) != len(mean):
        yield (
            f"preprocessing.std: has {counted(len(std), 'number')} and mean has {len(mean)}; where mean is a list, "
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
            yield f"{key}.{name}: is {in_yaml(values)}; it must be two numbers, the least and the most"
