"""The series that a config asks for, by its treatments, directions and amounts of images."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from transferability.study.amounts import amounts_of
from transferability.study.names import DIRECTIONS, WHOLE, Series, source_of
from transferability.study.planned_treatments import kind_of, plan_of


def series_of(networks: Mapping[str, Any], splits: Set[str]) -> tuple[tuple[Series, ...], tuple[Series, ...]]:
    """The series trained for halves, and those trained for the whole set."""
    halves, whole = list[Series](), list[Series]()
    for treatment in networks["treatments"]:
        only_whole = kind_of(treatment) == "random" and networks["random_for"] == WHOLE
        if only_whole or WHOLE in splits:
            whole += _series_for(WHOLE, treatment, networks["preserve"])
        if not only_whole and splits - {WHOLE}:
            for target in sorted(DIRECTIONS[direction] for direction in networks["directions"]):
                halves += _series_for(target, treatment, networks["preserve"])
    return tuple(_on_each_amount(halves, networks)), tuple(_on_each_amount(whole, networks))


def _on_each_amount(every_series: Sequence[Series], networks: Mapping[str, Any]) -> Iterator[Series]:
    for amount in amounts_of(networks):
        yield from (replace(series, examples_per_class=amount) for series in every_series)


def _series_for(target: str, treatment: str, preserve: Sequence[int]) -> Iterator[Series]:
    """The series of a treatment for a target; none for the whole set if the treatment needs another half."""
    fine_tuned = treatment.endswith("+")
    if not (source := source_of(treatment, target)):
        return
    yield Series(source, target, fine_tuned, plan=plan_of(treatment))
    if treatment in ("selffer", "transfer"):
        yield from (Series(source, target, preserved=layers) for layers in sorted(preserve))
