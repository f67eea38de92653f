"""What a study found, in a few numbers: for its headline, and for the top of its report."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from transferability.accuracies import bases_at_chance
from transferability.names import LAYER_NAMES
from transferability.splits import GROUPED, KINDS_IN_WORDS, RANDOM
from transferability.statistics import WAYS_OF_REUSE, deepest_within, paired_differences, reusable

# Treatments at the deepest cut, with what they show.
_DEEPEST: Mapping[str, tuple[str, str]] = {
    "selffer": ("own frozen features", "B{}B"),
    "transfer": ("other half's frozen features", "A{}B"),
    "random": ("random frozen features", "R{}B"),
}


@dataclass(frozen=True)
class ReusableLayers:
    """How many of the lowest layers can be copied from the other half at a tolerated loss; 0 for none.

    Attributes:
        deepest: by the mean loss.
        surely: by the whole 95 % interval; None where there is none, for want of splits and seeds.
    """

    deepest: int
    surely: int | None

    def __str__(self) -> str:
        layers = f"up to layer {self.deepest} ({LAYER_NAMES[self.deepest - 1]})" if self.deepest else "no layer"
        if self.surely is None:
            return f"{layers}, by the mean of one split and seed"
        if self.surely < self.deepest:
            return f"{layers}, by the mean; {f'to {self.surely}' if self.surely else 'none'} by the 95 % interval"
        return layers


@dataclass(frozen=True)
class Answer:
    """What one kind of halves tells.

    Attributes:
        kind: `RANDOM` or `GROUPED`.
        base: mean accuracy of the bases.
        differences: accuracy less that of the own base, mean over pairs, by what it is of.
        reusable: by way of reuse, a key of `WAYS_OF_REUSE`; without those that no network tells of, or whose bases are
            at chance.
    """

    kind: str
    base: float
    differences: Mapping[str, float]
    reusable: Mapping[str, ReusableLayers]


def answers(accuracies: pd.DataFrame, statistic: str, tolerated_loss: float) -> list[Answer]:
    """What each kind of halves that has bases tells, random ones first.

    Which layers can be copied is told by `deepest_within`: by the means of `reusable`, and by its intervals.
    """
    reuse = reusable(accuracies, statistic, tolerated_loss)
    deepest = int(accuracies["n"].max())
    found = []
    for kind in (RANDOM, GROUPED):
        of_kind = accuracies[accuracies["kind"] == kind]
        bases = of_kind[of_kind["treatment"] == "base"]
        if not bases.empty:
            differences = dict(_differences(of_kind, statistic, deepest))
            layers = dict(_reusable_layers(reuse[reuse["kind"] == kind]))
            found.append(Answer(kind, float(bases[statistic].mean()), differences, layers))
    return found


def headline(accuracies: pd.DataFrame, statistic: str, tolerated_loss: float) -> str:
    """A few lines that say what the study found."""
    lines = [f"{len(accuracies)} networks; accuracy is {statistic}, differences are in points, paired with each base"]
    for answer in answers(accuracies, statistic, tolerated_loss):
        lines.append(f"{KINDS_IN_WORDS[answer.kind]}: base {100 * answer.base:.1f} %")
        lines += [f"  {what + ':':44} {100 * mean:+6.1f}" for what, mean in answer.differences.items()]
        lines += [
            f"  {f'at most {100 * tolerated_loss:g} points lost, {WAYS_OF_REUSE[treatment]}:':44} {layers}"
            for treatment, layers in answer.reusable.items()
        ]
    if warning := bases_at_chance(accuracies):
        lines.append(warning)
    return "\n".join(lines) + "\n"


def _differences(of_kind: pd.DataFrame, statistic: str, deepest: int) -> Iterator[tuple[str, float]]:
    for treatment, (what, name) in _DEEPEST.items():
        pairs = paired_differences(of_kind, treatment, "base", statistic)
        at_depth = pairs.loc[pairs["n"] == deepest, "difference"]
        if len(at_depth):
            yield f"{what}, {name.format(deepest)}", float(at_depth.mean())
    gains = paired_differences(of_kind, "transfer+", "base", statistic)["difference"]
    if len(gains):
        yield "fine-tuned transfer, AnB+, mean over n", float(gains.mean())


def _reusable_layers(reuse: pd.DataFrame) -> Iterator[tuple[str, ReusableLayers]]:
    for treatment in WAYS_OF_REUSE:
        rows = reuse[reuse["treatment"] == treatment]
        if not rows["verdict"].isna().all():
            certain = rows.assign(verdict=rows["verdict"].where(rows["certain"]))
            surely = None if rows["low"].isna().all() else deepest_within(certain, treatment)
            yield treatment, ReusableLayers(deepest_within(rows, treatment), surely)
