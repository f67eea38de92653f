"""The types of splits: which ones exist, how names of splits show them, and what pages and figures call them."""

import re
from collections.abc import Mapping

from transferability.labels import visible
from transferability.study.names import HALVES, WHOLE

# Types of splits into halves, in the order in which they are shown, and all types in words.
RANDOM, IMAGES, SEMANTIC, DATA_SETS = "random", "images", "semantic", "data_sets"
TYPES_OF_HALVES = (RANDOM, IMAGES, SEMANTIC, DATA_SETS)
SPLIT_TYPES_IN_WORDS = {
    RANDOM: "random halves",
    IMAGES: "halves by images (same classes)",
    SEMANTIC: "semantic halves",
    DATA_SETS: "two data sets",
    WHOLE: "all classes",
}
_DRAWN_SPLIT = re.compile(rf"(?P<split_type>{RANDOM}|{IMAGES})(?P<seed>0|[1-9][0-9]*)")

# The group or data set of each half's classes, by name of a split (semantic, or of two data sets) and half.
Groups = Mapping[str, Mapping[str, str]]


def halves_in_words(split_type: str, groups: Groups) -> str:
    """What pages and figures call halves of a type, with the groups or data sets of its splits, if these are known.

    Examples: random halves, semantic halves (letter / symbol), and two data sets (letters / photos).
    """
    words = SPLIT_TYPES_IN_WORDS.get(split_type, split_type)
    return f"{words} ({groups_in_words(groups)})" if groups else words


def groups_in_words(groups: Groups) -> str:
    """Groups in words, such as letter / symbol; man-made / natural."""
    return "; ".join(" / ".join(visible(of_split[half]) for half in HALVES) for of_split in groups.values())


def split_type_of(split: str) -> str:
    """The type of a split of one data set, by its name; a drawn split is named after its type and seed: random0."""
    match = _DRAWN_SPLIT.fullmatch(split)
    return WHOLE if split == WHOLE else match["split_type"] if match else SEMANTIC


def seed_of_split(split: str) -> int | None:
    """The seed that a split is drawn by, the number in its name; None if it is not drawn."""
    match = _DRAWN_SPLIT.fullmatch(split)
    return int(match["seed"]) if match else None


def random_first(split: str) -> tuple[int, int, str]:
    """The sort key of splits for readers: by type, in the order of `SPLIT_TYPES_IN_WORDS`, then by seed and name."""
    return list(SPLIT_TYPES_IN_WORDS).index(split_type_of(split)), seed_of_split(split) or 0, split
