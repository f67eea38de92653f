"""Contradictions within the config's section ``splits``, or between it and the data sets' classes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from transferability.study.data_sets import DataSet
from transferability.study.groups import read_groups
from transferability.study.names import HALVES, WHOLE
from transferability.study.planned_treatments import kind_of
from transferability.study.schema import in_yaml, kind_schema
from transferability.study.split_plan import (
    Entry,
    TaskPlan,
    data_sets_of_splits,
    data_sets_together,
    is_of_data_sets,
)
from transferability.study.split_types import IMAGES, RANDOM, seed_of_split, split_type_of

CLASSES_OF = "classes_of_group"  # in the schema of a kind: the group whose number of classes a key gives

_OF_NAME = {RANDOM: "random split", IMAGES: "split by images"}
_MOST_SEED = 2**32 - 1  # of numpy's legacy generator, which draws halves


def split_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each problem of a config whose data sets' keys and paths have been checked."""
    groups = {}
    for name in data_sets_of_splits(config):
        data_set = DataSet.of(config, name)
        key = f"datasets.{name}{'.groups' * (data_set.groups_file is not None)}"
        try:
            groups[name] = _classes_by_group(data_set)
        except OSError as error:
            yield f"{key}: {data_set.groups_file}: cannot be read ({error.strerror})"
        except ValueError as error:
            yield f"{key}: {error}"
    for entry in config["splits"]:
        if isinstance(entry, str) or not any(isinstance(entry.get(half), Mapping) for half in HALVES):
            if config["dataset"] in groups:
                yield from _split_problems(entry, groups[config["dataset"]])
        else:
            yield from _data_sets_problems(entry, groups)
    yield from _unused_problems(config)
    yield from _mean_problems(config)


def _classes_by_group(data_set: DataSet) -> Mapping[str, int]:
    """How many classes each group has, as far as that is known; with a file of groups, at most."""
    settings, file = data_set.settings, data_set.groups_file
    if file is None:
        keys = kind_schema(settings["kind"])["properties"]
        counting = {key: about[CLASSES_OF] for key, about in keys.items() if CLASSES_OF in about}
        if counting and sum(settings[key] for key in counting) < 2:
            raise ValueError(f"has fewer than 2 classes to tell apart; raise {' or '.join(counting)}")
        return {group: settings[key] for key, group in counting.items() if settings[key]}
    if file.is_dir():
        raise ValueError(f"{file}: is a folder; it must be a CSV file with the columns class and group")
    return dict(sorted(Counter(read_groups(file).values()).items()))


def _split_problems(entry: Entry, groups: Mapping[str, int]) -> Iterator[str]:
    name = entry if isinstance(entry, str) else entry["name"]
    split_type, seed = split_type_of(name), seed_of_split(name)
    if seed is not None and seed > _MOST_SEED:
        yield f"splits: {name} has a seed above {_MOST_SEED}, the highest allowed"
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


def _images_split_problems(entry: Mapping[str, Any], split_type: str) -> Iterator[str]:
    name = entry["name"]
    if also := [half for half in HALVES if half in entry]:
        yield f"splits: {name} has by and {' and '.join(also)}; a split by images has name and by, one by group A and B"
    if split_type != IMAGES:
        yield f"splits: {name} is by images; its name must be images and a seed, such as images0"


def _random_split_problems(name: str, split_type: str, classes: int) -> Iterator[str]:
    if split_type == IMAGES:
        yield f"splits: {name} is the name of a split by images; write it as {{name: {name}, by: images}}"
    elif split_type == WHOLE:
        return
    elif split_type != RANDOM:
        yield f"splits: {name!r} is not whole, or random and a seed, such as random0; a split by group has name, A, B"
    elif 0 < classes < 2 * len(HALVES):
        yield f"splits: {name} cuts {classes} classes into halves; at least 4 are needed, 2 for each half to tell apart"


def _semantic_split_problems(entry: Mapping[str, Any], groups: Mapping[str, int]) -> Iterator[str]:
    name = entry["name"]
    if entry["A"] == entry["B"]:
        yield f"splits: {name} has the group {entry['A']!r} on both sides; A and B must differ"
    for half in HALVES:
        yield from _group_problems(name, half, entry[half], groups, "the data set")


def _group_problems(name: str, half: str, group: str, groups: Mapping[str, int], data_set: str) -> Iterator[str]:
    if group not in groups:
        known = f"its groups are {' and '.join(map(in_yaml, groups))}"
        yield (
            f"splits: {name} asks for the group {group!r} in {half}, which {data_set} lacks; "
            f"{known if groups else 'name a file of groups in datasets'}"
        )
    elif groups[group] < 2:
        yield (
            f"splits: {name} asks for the group {group!r} in {half}, which has 1 class; "
            "at least 2 are needed to tell apart"
        )


def _data_sets_problems(entry: Mapping[str, Any], groups: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Problems of a split of two data sets.

    Args:
        entry: the split; at least one half names its data set.
        groups: how many classes each group has, by data set, as far as that is known.
    """
    name = entry["name"]
    if "by" in entry or not is_of_data_sets(entry):
        yield (
            f"splits: {name} has a data set in one half only; give one in A and in B, as {{dataset: name}}, and no by; "
            "a split of one data set has the name of a group in each"
        )
        return
    if seed_of_split(name) is not None:
        yield f"splits: {name} is the name of a {_OF_NAME[split_type_of(name)]}; give that of two data sets another"
    elif name == WHOLE:
        yield f"splits: {WHOLE} is the name of the split of all classes; give that of two data sets another"
    tasks = {half: TaskPlan.of(entry[half]) for half in HALVES}
    if tasks["A"] == tasks["B"]:
        yield f"splits: {name} has the same classes of {tasks['A'].data_set} on both sides; A and B must differ"
    for half, task in tasks.items():
        if task.group is not None and task.classes:
            yield f"splits: {name} has a group and classes in {half}; give one of the two, or neither for all classes"
        if twice := sorted({one for one in task.classes if task.classes.count(one) > 1}):
            yield f"splits: {name} has in {half} the class {in_yaml(twice[0])} twice"
        if len(task.classes) == 1:
            yield f"splits: {name} has one class in {half}; at least 2 are needed to tell apart"
        if task.group is not None and task.data_set in groups:
            yield from _group_problems(name, half, task.group, groups[task.data_set], f"the data set {task.data_set}")


def _mean_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """The mean image of a half, if there are networks of all classes, which belong to no half."""
    mean, networks = config["preprocessing"]["mean"], config["networks"]
    if mean not in HALVES:
        return
    whole = {
        f"splits has {WHOLE}": WHOLE in config["splits"],
        "networks.reduced has bases": bool(networks["reduced"]),
        f"networks.random_for is {WHOLE}": networks["random_for"] == WHOLE
        and "random" in map(kind_of, networks["treatments"]),
    }
    if where := [words for words, is_so in whole.items() if is_so]:
        yield (
            f"preprocessing.mean: is {mean}, the mean image of a half, but {' and '.join(where)}, of all classes and "
            "of no half; set it to own, whole or a list of numbers"
        )


def _unused_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """A ``dataset`` that no split uses, whose store would be built for nothing."""
    used = list(dict.fromkeys(chain.from_iterable(data_sets_together(config))))
    if config["dataset"] not in used:
        yield (
            f"dataset: is {in_yaml(config['dataset'])}, which no split uses; set it to one that is used: "
            f"{' or '.join(used)}"
        )
