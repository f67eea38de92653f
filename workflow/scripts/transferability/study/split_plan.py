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
    """A half with a data set of its own.

    Attributes:
        data_set: its name.
        group: the group of the classes to use; None for any.
        classes: names of the classes to use; empty for all.
    """

    data_set: str
    group: str | None = None
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        return cls(entry["dataset"], entry.get("group"), tuple(entry.get("classes", ())))

    @property
    def in_words(self) -> str:
        """The data set, and which of its classes are used if not all: letters, or glyphs: letter."""
        which = [self.group] if self.group is not None else [*self.classes[:2], *["…"] * (len(self.classes) > 2)]
        return ": ".join([self.data_set, *[", ".join(which)] * bool(which)])


@dataclass(frozen=True)
class SplitPlan:
    """A split to be made.

    It is drawn by ``seed``, or cut by ``groups``, the group of each half; or it has ``tasks``, by half, each with its
    own data set; otherwise it is all classes, uncut.
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
        """What distinguishes each half from the other, its group or its data set, by half; empty if nothing does."""
        return {half: task.in_words for half, task in self.tasks.items()} if self.tasks else self.groups or {}


def split_plans(entries: Iterable[Entry]) -> list[SplitPlan]:
    """The plans of a config's splits, ordered by type as in `TYPES_OF_HALVES`, and that of all classes last."""
    return sorted(map(_split_plan, entries), key=lambda plan: _ORDER.index(plan.split_type))


def _split_plan(entry: Entry) -> SplitPlan:
    if isinstance(entry, str):
        return SplitPlan(entry, seed_of_split(entry), None)
    if is_of_data_sets(entry):
        return SplitPlan(entry["name"], None, None, {half: TaskPlan.of(entry[half]) for half in HALVES})
    seed = seed_of_split(entry["name"])
    return SplitPlan(entry["name"], seed, {half: entry[half] for half in HALVES} if seed is None else None)


def is_of_data_sets(entry: Entry) -> bool:
    """Whether both halves of a split name their data sets."""
    return not isinstance(entry, str) and all(isinstance(entry.get(half), Mapping) for half in HALVES)


def data_sets_of(entry: Entry) -> list[str]:
    """The names of the data sets of a split's halves, each once; empty if it uses the config's ``dataset``."""
    if isinstance(entry, str) or not is_of_data_sets(entry):
        return []
    return list(dict.fromkeys(entry[half]["dataset"] for half in HALVES))


def data_sets_together(config: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The data sets that a config's splits use together, each combination once; ``dataset`` if a split names none.

    Networks that are trained for the whole set use ``dataset`` too.
    """
    of_splits = [tuple(data_sets_of(entry)) for entry in config["splits"]]
    networks = config["networks"]
    uncut = () in of_splits or networks["reduced"] or networks["random_for"] == WHOLE
    return [*[(config["dataset"],)] * bool(uncut), *dict.fromkeys(names for names in of_splits if names)]


def data_sets_of_splits(config: Mapping[str, Any]) -> list[str]:
    """The names of the data sets that a config uses, ``dataset`` first."""
    return list(dict.fromkeys([config["dataset"], *chain.from_iterable(data_sets_together(config))]))
