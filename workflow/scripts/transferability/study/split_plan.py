"""The splits that a config asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from transferability.study.names import HALVES, WHOLE
from transferability.study.split_types import DATA_SETS, TYPES_OF_HALVES, seed_of_split, split_type_of

_ORDER = (*TYPES_OF_HALVES, WHOLE)

Entry = str | Mapping[str, Any]  # of the config's list of splits


@dataclass(frozen=True)
class TaskPlan:
    """A half that is of a data set of its own.

    Attributes:
        data_set: its name.
        group: of its classes that are meant; None for those of any.
        classes: names of those that are meant; empty for all.
    """

    data_set: str
    group: str | None = None
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        return cls(entry["dataset"], entry.get("group"), tuple(entry.get("classes", ())))

    @property
    def in_words(self) -> str:
        """The data set, and which of its classes are meant if these are not all: letters, or glyphs: letter."""
        which = [self.group] if self.group is not None else [*self.classes[:2], *["…"] * (len(self.classes) > 2)]
        return ": ".join([self.data_set, *[", ".join(which)] * bool(which)])


@dataclass(frozen=True)
class SplitPlan:
    """A split to be made.

    It is drawn by ``seed``, or by ``groups``, the group of each half; or it is of ``tasks``, by half, each of a data
    set of its own; else it is of all classes, uncut.
    """

    name: str
    seed: int | None
    groups: Mapping[str, str] | None
    tasks: Mapping[str, TaskPlan] | None = None

    @property
    def split_type(self) -> str:
        return DATA_SETS if self.tasks else split_type_of(self.name)

    @property
    def targets(self) -> tuple[str, ...]:
        return (WHOLE,) if self.name == WHOLE else HALVES

    @property
    def halves_in_words(self) -> Mapping[str, str]:
        """By half, what tells it from the other one: its group or its data set; empty where they are alike."""
        return {half: task.in_words for half, task in self.tasks.items()} if self.tasks else self.groups or {}


def split_plans(entries: Iterable[Entry]) -> list[SplitPlan]:
    """Of a config's splits, by type in the order of `TYPES_OF_HALVES`, and that of all classes last."""
    return sorted(map(_split_plan, entries), key=lambda plan: _ORDER.index(plan.split_type))


def _split_plan(entry: Entry) -> SplitPlan:
    if isinstance(entry, str):
        return SplitPlan(entry, seed_of_split(entry), None)
    if is_of_data_sets(entry):
        return SplitPlan(entry["name"], None, None, {half: TaskPlan.of(entry[half]) for half in HALVES})
    seed = seed_of_split(entry["name"])
    return SplitPlan(entry["name"], seed, {half: entry[half] for half in HALVES} if seed is None else None)


def is_of_data_sets(entry: Entry) -> bool:
    """Whether both halves of a split say of which data set they are."""
    return not isinstance(entry, str) and all(isinstance(entry.get(half), Mapping) for half in HALVES)


def data_sets_of(entry: Entry) -> list[str]:
    """The names of the data sets of a split's halves, each once; empty if it is of the config's ``dataset``."""
    if isinstance(entry, str) or not is_of_data_sets(entry):
        return []
    return list(dict.fromkeys(entry[half]["dataset"] for half in HALVES))


def data_sets_together(config: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The names of the data sets that a config's splits use, of each split once; ``dataset`` for those that name none.

    The whole set that networks are trained for is that of ``dataset`` too.
    """
    of_splits = [tuple(data_sets_of(entry)) for entry in config["splits"]]
    networks = config["networks"]
    uncut = () in of_splits or networks["reduced"] or networks["random_for"] == WHOLE
    return [*[(config["dataset"],)] * bool(uncut), *dict.fromkeys(names for names in of_splits if names)]


def data_sets_of_splits(config: Mapping[str, Any]) -> list[str]:
    """The names of the data sets that a config uses, ``dataset`` first."""
    return list(dict.fromkeys([config["dataset"], *chain.from_iterable(data_sets_together(config))]))
