"""The splits that a config asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from transferability.study.names import HALVES, TYPES_OF_HALVES, WHOLE, seed_of_split, split_type_of

_ORDER = (*TYPES_OF_HALVES, WHOLE)


@dataclass(frozen=True)
class SplitPlan:
    """A split to be made: drawn by ``seed``, by ``groups``, the group of each half, or else all classes, uncut."""

    name: str
    seed: int | None
    groups: Mapping[str, str] | None


def split_plans(entries: Iterable[str | Mapping[str, str]]) -> list[SplitPlan]:
    """Of a config's splits, by type in the order of `TYPES_OF_HALVES`, and that of all classes last."""
    return sorted(map(_split_plan, entries), key=lambda plan: _ORDER.index(split_type_of(plan.name)))


def _split_plan(entry: str | Mapping[str, str]) -> SplitPlan:
    name, groups = (entry, {}) if isinstance(entry, str) else (entry["name"], entry)
    seed = seed_of_split(name)
    return SplitPlan(name, seed, {half: groups[half] for half in HALVES} if seed is None and name != WHOLE else None)
