"""What of the config's section ``splits`` cannot be meant, or not of the classes of the data set."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transferability.study.groups import read_groups
from transferability.study.names import HALVES, IMAGES, RANDOM, WHOLE, seed_of_split, split_type_of
from transferability.study.schema import in_yaml, kind_schema

CLASSES_OF = "classes_of_group"  # in the schema of a kind: this key says how many classes a group of its own has

_OF_NAME = {RANDOM: "random split", IMAGES: "split by images"}
_MOST_SEED = 2**32 - 1  # of numpy's legacy generator, which draws halves


def split_problems(
    splits: Sequence[str | Mapping[str, str]], data_set: str, settings: Mapping[str, Any], groups_file: Path | None
) -> Iterator[str]:
    """What of the splits cannot be meant, or not of the data set of this name, these settings and this grouping."""
    key = f"datasets.{data_set}{'.groups' * (groups_file is not None)}"
    try:
        groups = _classes_by_group(settings, groups_file)
    except OSError as error:
        yield f"{key}: {groups_file}: cannot be read ({error.strerror})"
        return
    except ValueError as error:
        yield f"{key}: {error}"
        return
    for entry in splits:
        yield from _problems_of(entry, groups)


def _classes_by_group(settings: Mapping[str, Any], file: Path | None) -> Mapping[str, int]:
    """How many classes each group has, as far as that is known; of a file of groups, at most."""
    if file is None:
        keys = kind_schema(settings["kind"])["properties"]
        counting = {key: about[CLASSES_OF] for key, about in keys.items() if CLASSES_OF in about}
        if counting and sum(settings[key] for key in counting) < 2:
            raise ValueError(f"has no 2 classes to tell apart; raise {' or '.join(counting)}")
        return {group: settings[key] for key, group in counting.items() if settings[key]}
    if file.is_dir():
        raise ValueError(f"{file}: is a folder; it takes a CSV file with the columns class and group")
    return dict(sorted(Counter(read_groups(file).values()).items()))


def _problems_of(entry: str | Mapping[str, str], groups: Mapping[str, int]) -> Iterator[str]:
    name = entry if isinstance(entry, str) else entry["name"]
    split_type, seed = split_type_of(name), seed_of_split(name)
    if seed is not None and seed > _MOST_SEED:
        yield f"splits: {name} has a seed above {_MOST_SEED}, the highest there is"
    elif isinstance(entry, str):
        yield from _random_split_problems(name, split_type, sum(groups.values()))
    elif "by" in entry:
        yield from _images_split_problems(entry, split_type)
    elif split_type == WHOLE:
        yield f"splits: {WHOLE} is the name of the split of all classes; give the split by group another"
    elif seed is not None:
        yield f"splits: {name} is the name of a {_OF_NAME[split_type]}; give the split by group another"
    else:
        yield from _semantic_split_problems(entry, groups)


def _images_split_problems(entry: Mapping[str, str], split_type: str) -> Iterator[str]:
    name = entry["name"]
    if also := [half for half in HALVES if half in entry]:
        yield f"splits: {name} has by and {' and '.join(also)}; a split by images has name and by, one by group A and B"
    if split_type != IMAGES:
        yield f"splits: {name} is by images, whose name is images and a seed, such as images0"


def _random_split_problems(name: str, split_type: str, classes: int) -> Iterator[str]:
    if split_type == IMAGES:
        yield f"splits: {name} is the name of a split by images; write it as {{name: {name}, by: images}}"
    elif split_type == WHOLE:
        return
    elif split_type != RANDOM:
        yield f"splits: {name!r} is not whole, or random and a seed, such as random0; a split by group has name, A, B"
    elif 0 < classes < 2 * len(HALVES):
        yield f"splits: {name} cuts {classes} classes into halves; it takes at least 4, 2 for each half to tell apart"


def _semantic_split_problems(entry: Mapping[str, str], groups: Mapping[str, int]) -> Iterator[str]:
    name = entry["name"]
    if entry["A"] == entry["B"]:
        yield f"splits: {name} has the group {entry['A']!r} on both sides; A and B must differ"
    for half in HALVES:
        if entry[half] not in groups:
            known = f"its groups are {' and '.join(map(in_yaml, groups))}"
            yield (
                f"splits: {name} asks for the group {entry[half]!r} in {half}, which the data set lacks; "
                f"{known if groups else 'name a file of groups in datasets'}"
            )
        elif groups[entry[half]] < 2:
            yield (
                f"splits: {name} asks for the group {entry[half]!r} in {half}, which has 1 class; "
                "it takes at least 2 to tell apart"
            )
