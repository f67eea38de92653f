"""How much target data: the images per class that networks are trained on, in order and in words; None means all."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from transferability.study.image_keys import most_training_images
from transferability.study.split_plan import data_sets_of
from transferability.study.split_types import IMAGES, split_type_of
from transferability.words import counted

ALL = "all"  # in a config

Amount = int | None


def amounts_of(networks: Mapping[str, Any]) -> tuple[Amount, ...]:
    """The amounts in the config's section ``networks``, the fewest images first."""
    return in_order(None if amount == ALL else amount for amount in networks["examples_per_class"])


def in_order(amounts: Iterable[Amount]) -> tuple[Amount, ...]:
    """The amounts, each once, the fewest images first and all of them last."""
    return tuple(sorted(set(amounts), key=more_last))


def more_last(amount: Amount) -> float:
    """The sort key of amounts."""
    return float("inf") if amount is None else amount


def amount_in_words(amount: Amount) -> str:
    """An amount in words, such as 20 images per class."""
    return "all images" if amount is None else f"{counted(amount, 'image')} per class"


def too_few_in_words(split: str, asked: int, name: str, there: int) -> str:
    """The problem of a class that has fewer training images than networks are to be trained on.

    Args:
        split: the split in which it has too few.
        asked: images per class.
        name: the class, as it is shown.
        there: how many training images it has.
    """
    return (
        f"networks.examples_per_class: asks for {asked} images per class, but in {split} the class {name} has "
        f"{counted(there, 'training image')}; ask for no more, or for {ALL}"
    )


def amount_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each problem with a config's amounts, as far as settings of data sets give numbers of images."""
    for entry in config["splits"]:
        split, data_sets = (
            entry if isinstance(entry, str) else entry["name"],
            data_sets_of(entry) or [config["dataset"]],
        )
        known = [images for name in data_sets if (images := most_training_images(config["datasets"][name]))]
        most = min(known, default=None)
        if most is not None:
            there = most // 2 if split_type_of(split) == IMAGES else most
            few = [amount for amount in amounts_of(config["networks"]) if amount is not None]
            if few and few[-1] > there:
                have = f"has {counted(there, 'training image')} of each class"
                yield (
                    f"networks.examples_per_class: asks for {few[-1]} images per class, but {split} {have}; ask for no "
                    f"more, or for {ALL}"
                )
