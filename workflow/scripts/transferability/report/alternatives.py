"""The alternative texts of a report's pictures: what they show, in words and numbers, for those who cannot see them."""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from transferability.figures.catalog import OF_RESULTS
from transferability.labels import visible
from transferability.results.accuracies import Results
from transferability.results.by_images import amounts_of, on_amount
from transferability.results.effects import EFFECTS, effects, is_drop, paired_effects
from transferability.results.pairs import compared_types, of_the_paper, paired_differences
from transferability.results.plan_effects import PLAN_EFFECTS
from transferability.results.reuse import WAYS_OF_REUSE, reusable
from transferability.results.unlearned import meaningless
from transferability.study.amounts import amount_in_words
from transferability.study.compared import LOSSES
from transferability.study.names import SYMBOLS
from transferability.study.split_types import IMAGES, SPLIT_TYPES_IN_WORDS, Groups, groups_in_words, split_type_of
from transferability.words import drop_points, half_interval, nats, percent, points

FILTERS_SHOWN = "The filters of the first layer of each base, as small squares side by side."

_OF_HALVES = ("base", "selffer", "selffer+", "transfer", "transfer+", "pretrained", "pretrained+")
_SHOWN_EFFECTS = [effect for effect in EFFECTS if effect not in PLAN_EFFECTS and effect != "random filter drop"]


def sheet_shown(data_set: str) -> str:
    """The alternative text of a data set's contact sheet."""
    return f"Small images of {visible(data_set)}, one row per class: first training images, then validation images."


def halves_shown(split: str, groups: Groups) -> str:
    """The alternative text of the picture of a split's halves."""
    of = f", {groups_in_words({split: groups[split]})}" if split in groups else ""
    of = ", each with its own training images" if split_type_of(split) == IMAGES else of
    return f"Small images in two columns, halves A and B of {split}{of}, one row per class."


def curves_shown(accuracies: pd.DataFrame, title: str) -> str:
    """The alternative text of learning curves, with their final values; the title is their file's."""
    split, _, seed = title.rpartition("_seed")
    rows = accuracies[(accuracies["split"] == split) & (accuracies["seed"].astype(str) == seed)]
    ends = "; ".join(_by_treatment(rows.assign(accuracy=rows["top1_final"])))
    return f"Curves of validation top-1 accuracy over training for {split}, seed {seed}. Final values: {ends}."


def figure_shown(name: str, results: Results) -> str:
    """The alternative text of a figure of results, by its name, with the main numbers that it shows."""
    shown = results if OF_RESULTS[name].every_amount else results.at_most
    return " ".join(f"{text}." for text in _FIGURES[name](shown)) or "Nothing to draw."


def _reuse(results: Results) -> Iterator[str]:
    table = reusable(results)
    for split_type in _there(table, results):
        of_type = table[table["split_type"] == split_type]
        told = "; ".join(
            f"{SYMBOLS[treatment]}, {way}: {_every(rows, 'drop', drop_points)}"
            for treatment, way in WAYS_OF_REUSE.items()
            if len(rows := _told(of_type[of_type["treatment"] == treatment]))
        )
        yield f"Cells with points below base, {results.halves(split_type)}: {told or 'none'}"
    yield from _of_effects("Bars", results)


def _figure2(results: Results) -> Iterator[str]:
    accuracies = of_the_paper(results.accuracies)
    accuracies = accuracies[accuracies["treatment"].isin(_OF_HALVES)]
    for split_type in _there(accuracies, results):
        told = "; ".join(_by_treatment(accuracies[accuracies["split_type"] == split_type]))
        yield f"Points of every network and lines of means by depth, {results.halves(split_type)}: {told}"


def _figure3(results: Results) -> Iterator[str]:
    """The lines of drops from base, in the order of their legend; random filters have one line for all halves."""
    yield from _drops_by_halves("total drop", results)
    filters = paired_differences(results.accuracies, "base", "random")
    if len(filters):
        told = _ends(filters.groupby("n")["difference"].mean().reset_index(), "difference", drop_points)
        pooled = results.pooled_halves(filters["split_type"])
        yield f"Points below base, {SYMBOLS['random']}, {pooled}: {told}"
    yield from _drops_by_halves("pretrained drop", results)


def _drops_by_halves(effect: str, results: Results) -> Iterator[str]:
    table, name = paired_effects(results), SYMBOLS[EFFECTS[effect][1]]
    for split_type in SPLIT_TYPES_IN_WORDS:
        rows = _told(table[(table["effect"] == effect) & (table["split_type"] == split_type)])
        if len(rows):
            yield f"Points below base, {name}, {results.halves(split_type)}: {_ends(rows, 'mean', drop_points)}"


def _effects(results: Results) -> Iterator[str]:
    yield from _of_effects("Lines", results)


def _of_effects(drawn: str, results: Results) -> Iterator[str]:
    table = _told(paired_effects(results))
    table = table[~table["effect"].isin(PLAN_EFFECTS)]
    for split_type in _there(table, results):
        told = _effects_told(table[table["split_type"] == split_type], _SHOWN_EFFECTS)
        yield f"{drawn} of effects in points, {results.halves(split_type)}: {told}"


def _effects_told(rows: pd.DataFrame, shown: Iterable[str]) -> str:
    return "; ".join(
        f"{effect} {_ends(of_effect, 'mean', drop_points if is_drop(effect) else points)}"
        for effect in shown
        if len(of_effect := rows[rows["effect"] == effect])
    )


def _parts(results: Results) -> Iterator[str]:
    table = _told(effects(results))
    for split_type in _there(table, results):
        of_type = table[table["split_type"] == split_type]
        divided = (of_type["effect"] == "specificity drop").any()
        for effect in ("co-adaptation drop", "specificity drop") if divided else ("co-adaptation drop", "total drop"):
            rows = of_type[of_type["effect"] == effect]
            told = "; ".join(
                f"{part} {_ends(of_part, 'mean', nats)}"
                for loss, part in LOSSES.items()
                if len(of_part := rows[rows["metric"] == loss])
            )
            if told:
                yield f"Bars of the {effect} in nats, {results.halves(split_type)}: {told}"


def _plans(results: Results) -> Iterator[str]:
    table = _told(paired_effects(results))
    for split_type in SPLIT_TYPES_IN_WORDS:
        if told := _effects_told(table[table["split_type"] == split_type], PLAN_EFFECTS):
            yield f"Lines of effects in points, {results.halves(split_type)}: {told}"


def _reduced(results: Results) -> Iterator[str]:
    rows = results.accuracies[results.accuracies["treatment"] == "reduced"]
    means = rows[~meaningless(rows)].groupby("examples_per_class")["accuracy"].mean()
    told = ", ".join(f"{count}: {_percent(mean)}" for count, mean in means.items())
    yield f"A line of mean accuracy by training images per class: {told}"


def _amounts(results: Results) -> Iterator[str]:
    for amount in results.amounts:
        table = _told(paired_effects(results.at(amount)))
        for split_type in SPLIT_TYPES_IN_WORDS:
            rows = table[table["split_type"] == split_type]
            if told := _effects_told(rows, [effect for effect, sides in EFFECTS.items() if "base" in sides]):
                yield f"Lines in points on {amount_in_words(amount)}, {results.halves(split_type)}: {told}"


_FIGURES: Mapping[str, Callable[[Results], Iterator[str]]] = {
    "reuse": _reuse,
    "figure2": _figure2,
    "effects": _effects,
    "parts": _parts,
    "figure3": _figure3,
    "plans": _plans,
    "reduced": _reduced,
    "amounts": _amounts,
}


def _told(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with pairs that count."""
    return table[table["pairs"] > 0]


def _there(table: pd.DataFrame, results: Results) -> list[str]:
    return [one for one in compared_types(results.accuracies) if (table["split_type"] == one).any()]


def _by_treatment(accuracies: pd.DataFrame) -> Iterator[str]:
    """Mean accuracies by depth, for each treatment and amount of images, without meaningless networks."""
    for amount in amounts_of(accuracies):
        there = on_amount(accuracies, amount)
        few = f"on {amount_in_words(amount)} " * (amount is not None)
        for treatment, rows in there[~meaningless(there)].groupby("treatment", sort=False):
            means = rows.groupby("n")["accuracy"].mean().reset_index()
            yield f"{SYMBOLS[str(treatment)]} {few}{_ends(means, 'accuracy', _percent)}"


def _percent(accuracy: float) -> str:
    return f"{percent(accuracy)} %"


def _every(rows: pd.DataFrame, column: str, show: Callable[[float], str]) -> str:
    """The values at every n, like "0.1 at n = 1, 2.3 at n = 4"."""
    return ", ".join(_number(row, column, show) for row in _by_n(rows))


def _ends(rows: pd.DataFrame, column: str, show: Callable[[float], str]) -> str:
    """The values at the smallest and largest n, and the extremes between them if they exceed both.

    An example is "from 0.1 at n = 1 to 2.3 at n = 7, up to 3.2 at n = 5".
    """
    found = _by_n(rows)
    first, last = found[0], found[-1]
    if first is last:
        return _number(first, column, show)
    words = f"from {_number(first, column, show)} to {_number(last, column, show)}"
    most, least = (which(found, key=lambda row: row[column]) for which in (max, min))
    if most[column] > max(first[column], last[column]):
        words += f", up to {_number(most, column, show)}"
    if least[column] < min(first[column], last[column]):
        words += f", down to {_number(least, column, show)}"
    return words


def _by_n(rows: pd.DataFrame) -> Sequence[Mapping[Hashable, Any]]:
    return rows.sort_values("n").to_dict("records")


def _number(row: Mapping[Hashable, Any], column: str, show: Callable[[float], str]) -> str:
    """A value with half the width of its interval, if it has one, and its n, unless it is that of a base."""
    half = half_interval(row.get("low", math.nan), row.get("high", math.nan), show)
    at = f" at n = {row['n']}" if row["n"] else ""
    return f"{show(row[column])}{half}{at}"
