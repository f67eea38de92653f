"""A validation set drawn from a data set that has none: a share of each class, by a separate seed.

Which images are drawn depends on their names, the seed and, with groups, on the images they share a group with, but not
on the order in which a file system lists them or on other classes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from transferability.delimited_text import text_key
from transferability.store.source import StoreError
from transferability.study.folder_keys import thing_finder

Image = tuple[str, str]  # its class, and its path in the folder of the class


@dataclass(frozen=True)
class Draw:
    """The images drawn, and how many they are, in words."""

    validation: frozenset[Image]
    summary: str


def draw_validation(classes: Mapping[str, Sequence[str]], share: float, seed: int, pattern: str, where: str) -> Draw:
    """Draw about a share of each class, at least one image and never all.

    Args:
        classes: the paths of each class's images within its folder, with slashes.
        pattern: a regular expression, searched in these paths: images that agree in its first group (or in the whole
            match, if it has none) show one thing and are drawn together, whatever their classes; empty: one by one.
        where: the data set's key in the config.

    Raises:
        StoreError: a class has too few images or groups of them, or the pattern does not match a path.
    """
    if pattern:
        of = thing_finder(pattern, where)
        things = {(name, file): of(file) for name, files in classes.items() for file in files}
        validation = _draw_things(things, share, seed, where)
    else:
        validation = frozenset((name, file) for name in classes for file in _drawn(name, classes[name], share, seed))
    _require_both_parts(classes, validation, pattern, where)
    return Draw(validation, _summary(classes, validation, share, pattern))


def wanted(images: int, share: float) -> int:
    """How many of a class's images are for validation: the share, rounded, but at least 1 and not all."""
    return min(max(round(share * images), 1), images - 1)


def _rank(seed: int, *words: str) -> bytes:
    """A place in a random order that depends only on the seed and the words."""
    text = "\x1f".join(["validation", str(seed), *map(text_key, words)])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _drawn(name: str, files: Sequence[str], share: float, seed: int) -> list[str]:
    return sorted(files, key=lambda file: _rank(seed, name, file))[: wanted(len(files), share)]


def _draw_things(things: Mapping[Image, str], share: float, seed: int, where: str) -> frozenset[Image]:
    """Draw whole things, in random order: each that brings its classes, taken together, closer to their share."""
    images = Counter(name for name, _ in things)
    members: dict[str, Counter[str]] = {}
    for (name, _), thing in things.items():
        members.setdefault(thing, Counter())[name] += 1
    target = {name: wanted(count, share) for name, count in images.items()}
    drawn: Counter[str] = Counter()
    chosen: set[str] = set()

    def leaves_training(thing: str) -> bool:
        return all(drawn[name] + count < images[name] for name, count in members[thing].items())

    def gain(thing: str) -> int:
        return sum(
            abs(target[name] - drawn[name]) - abs(target[name] - drawn[name] - count)
            for name, count in members[thing].items()
        )

    def take(thing: str) -> None:
        chosen.add(thing)
        drawn.update(members[thing])

    order = sorted(members, key=lambda thing: _rank(seed, thing))
    for thing in order:
        if gain(thing) > 0 and leaves_training(thing):
            take(thing)
    for name in sorted(images):
        if not drawn[name]:  # its things are all too large or in too many classes: do the least harm
            left = [thing for thing in order if name in members[thing] and leaves_training(thing)]
            if left:
                take(max(left, key=gain))
    return frozenset(image for image, thing in things.items() if thing in chosen)


def _require_both_parts(
    classes: Mapping[str, Sequence[str]], validation: Iterable[Image], pattern: str, where: str
) -> None:
    drawn = Counter(name for name, _ in validation)
    few = [name for name, files in classes.items() if not 0 < drawn[name] < len(files)]
    if few:
        shown = ", ".join(f"{name} ({len(classes[name])})" for name in few[:5])
        what = "separate groups of images" if pattern else "images"
        raise StoreError(
            f"{where}.validation: {len(few)} of {len(classes)} classes have too few {what} for one of validation and "
            f"one of training: {shown}{' and more' if len(few) > 5 else ''}; add images, or "
            "leave these classes out by naming their folders in skip"
        )


def _summary(classes: Mapping[str, Sequence[str]], validation: frozenset[Image], share: float, pattern: str) -> str:
    total, drawn = sum(map(len, classes.values())), Counter(name for name, _ in validation)
    shares = [drawn[name] / len(files) for name, files in classes.items()]
    text = f"validation: {len(validation):,} of {total:,} images drawn, {100 * len(validation) / total:.1f} %"
    text += f" ({100 * min(shares):.1f} to {100 * max(shares):.1f} % of a class; asked for: {100 * share:g} %)"
    return text + (f", each group of {pattern!r} on one side" if pattern else "")
