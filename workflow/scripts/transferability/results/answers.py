"""What a study found, in a few numbers, for its headline and the top of its report."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from transferability.results.accuracies import Results, of_training_mode
from transferability.results.advice import advice
from transferability.results.effects import EFFECTS, effects, formula
from transferability.results.pairs import NO_INTERVAL, compared_types, interval, of_the_paper, paired_differences
from transferability.results.reuse import WAYS_OF_REUSE, deepest_within, reusable, way_in_words
from transferability.results.sampling import error_of_difference
from transferability.results.unlearned import bases_at_chance, doubtful, meaningless, others_at_chance
from transferability.study.compared import (
    GENERALIZATION_GAP,
    LOSSES,
    TOP1,
    TRAINING_CROSS_ENTROPY,
    VALIDATION_CROSS_ENTROPY,
)
from transferability.study.split_types import IMAGES
from transferability.words import counted, drop_points, enumerated, half_interval, nats, percent, points

_PARTS = (TRAINING_CROSS_ENTROPY, GENERALIZATION_GAP)
# Drops, each shown at its deepest cut, with whose layers are copied.
_DEEPEST: Mapping[str, str] = {
    "co-adaptation drop": ", own frozen layers",
    "specificity drop": "",
    "total drop": ", the other half's frozen layers",
    "random filter drop": ", untrained frozen layers",
    "pretrained drop": ", published frozen layers",
    "pretrained specificity drop": "",
}
GAINS_OVER_BASE = ("fine-tuning gain", "pretrained gain")
# Gains whose mean over all n is shown, with whose layers are copied.
_FINE_TUNED: Mapping[str, str] = {
    "retraining gain": ", own layers",
    "fine-tuning gain": ", the other half's layers",
    "transfer gain": "",
    "pretrained gain": ", published layers",
    "pretrained transfer gain": "",
}
# What a gain over training twice says of the copied layers.
_BEYOND_RETRAINING: Mapping[str, str] = {
    "transfer gain": "the other half's layers",
    "pretrained transfer gain": "published layers",
}

_WIDTH = 70  # of the part of a headline's line that says what its value is
_PLAIN = str.maketrans("−⁺", "-+")  # for terminals

NOT_CONCLUSIVE = "not conclusive"

Pairs = Mapping[str, pd.DataFrame]  # `paired_differences` by effect


@dataclass(frozen=True)
class Difference:
    """A drop or a gain: the mean difference in accuracy over pairs.

    Attributes:
        mean: a drop is positive where a network is worse, a gain where it is better.
        low, high: the 95 % interval; NaN if there is none.
        is_drop: whether it is a drop; otherwise it is a gain.
    """

    mean: float
    low: float
    high: float
    is_drop: bool

    @classmethod
    def of(cls, pairs: pd.DataFrame, *, is_drop: bool) -> Self:
        """The difference over the rows of `paired_differences`."""
        return cls(float(pairs["difference"].mean()), *interval(pairs), is_drop)

    def __str__(self) -> str:
        mean = drop_points(self.mean) if self.is_drop else points(self.mean)
        return f"{mean}{half_interval(self.low, self.high) or f' ({NO_INTERVAL})'}"


def together(n: int) -> str:
    """The lowest n layers in words; "together", because the drop is that of copying all of them."""
    return ("no layer", "layer 1")[n] if n < 2 else f"layers 1-{n} together"


@dataclass(frozen=True)
class ReusableLayers:
    """How many of the lowest layers can be copied from elsewhere at a tolerated drop.

    Attributes:
        layers: the names of all layers below the last, lowest first, whether or not they were tried.
        verdicts: by n, for every n that was tried and no other, whether the mean drop is tolerated; None where excluded
            networks leave no pair.
        unsure: by n, `NOT_CONCLUSIVE` or `NO_INTERVAL`, for verdicts that rest on the mean alone.
        deepest: the largest n such that the mean drop is tolerated there and at every smaller n that was tried; 0 if
            there is none.
        surely: the same by the whole 95 % interval; None if one split and seed give no interval.
    """

    layers: Sequence[str]
    verdicts: Mapping[int, bool | None]
    unsure: Mapping[int, str]
    deepest: int
    surely: int | None

    def __str__(self) -> str:
        return f"{self._layers}{self.proviso}"

    @property
    def proviso(self) -> str:
        """Which depths were tried and what the verdict rests on; empty if neither needs saying."""
        return f"{self._tried}{self._beyond_a_gap}{self._rests_on}"

    @property
    def _layers(self) -> str:
        to = "up to " * (self.deepest > 1)
        return together(self.deepest) + (f" ({to}{self.layers[self.deepest - 1]})" if self.deepest else "")

    @property
    def _tried(self) -> str:
        """Which depths were tried, unless all were."""
        if len(self.verdicts) == len(self.layers):
            return ""
        return f", with n = {enumerated(list(self.verdicts))} tried"

    @property
    def _beyond_a_gap(self) -> str:
        """Depths at which the drop is tolerated although it is not at a smaller depth."""
        deeper = [n for n, within in self.verdicts.items() if within and n > self.deepest]
        return f", but the drop at n = {enumerated(deeper)} is small enough" if deeper else ""

    @property
    def _rests_on(self) -> str:
        if self.surely is None:
            return f", by the mean of one split and seed, {NO_INTERVAL}"
        words = ""
        if self.surely < self.deepest:
            certain = [n for n in self.verdicts if n <= self.deepest and n not in self.unsure]
            if certain and certain[-1] > self.surely:
                surely = f"n = {enumerated(certain)}"
            else:
                surely = together(self.surely) if self.surely else "none"
            words = f" by the mean drop; for certain, by the whole 95 % interval, {surely}"
        further = next((n for n in self.verdicts if n > self.deepest), None)
        if further in self.unsure:
            words += f"; whether n = {further} exceeds it is not certain"
        return words


@dataclass(frozen=True)
class Answer:
    """What the networks of one split type show.

    Attributes:
        halves: the kind of halves, in words.
        base: the mean accuracy of the bases; None if all are unlearned and excluded.
        bases_left_out: the number of bases that are unlearned and excluded from means.
        drops: drops at the deepest cut, by the effect, what is compared and whose layers are copied, in words.
        gains: mean gains of fine-tuned networks over all n, by the same and the depths.
        co_adaptation: where the co-adaptation drop in cross-entropy is largest, and which part causes it, in words;
            empty without selffer networks.
        reusable: the layers that can be reused, by way of reuse, a key of `WAYS_OF_REUSE`; ways without a verdict are
            missing.
        note: caveats about the halves, and about treatments that the study lacks; empty if there are none.
        advice: how published weights can be used; empty without networks that copy any.
    """

    halves: str
    base: float | None
    bases_left_out: int
    drops: Mapping[str, Difference]
    gains: Mapping[str, Difference]
    co_adaptation: str
    reusable: Mapping[str, ReusableLayers]
    note: str
    advice: str

    @property
    def base_in_words(self) -> str:
        left_out = f" ({counted(self.bases_left_out, 'base')} at chance left out)" if self.bases_left_out else ""
        return "at chance" if self.base is None else f"{percent(self.base)} %{left_out}"


def answers(results: Results) -> list[Answer]:
    """An answer for each of the `compared_types` that has bases.

    `deepest_within` decides which layers can be copied, once by the means of `reusable` and once by its intervals.
    """
    accuracies, reuse, drops = results.accuracies, reusable(results), effects(results)
    drops = drops[drops["effect"] == "co-adaptation drop"]
    found = []
    for split_type in compared_types(accuracies):
        of_type = of_the_paper(accuracies[accuracies["split_type"] == split_type])
        bases = of_type[of_type["treatment"] == "base"]
        if not bases.empty:
            dead = meaningless(bases)
            base = None if dead.all() else float(bases.loc[~dead, "accuracy"].mean())
            pairs = {effect: paired_differences(of_type, *EFFECTS[effect]) for effect in (*_DEEPEST, *_FINE_TUNED)}
            halves, lost, gained = results.halves(split_type), dict(_drops(pairs)), dict(_gains(pairs))
            reuse_of_type = reuse[reuse["split_type"] == split_type]
            layers = dict(_reusable_layers(reuse_of_type, results.layers[:-1]))
            advised = advice(of_type, reuse_of_type, results.max_drop)
            parts = _co_adaptation(drops[drops["split_type"] == split_type], of_type, results.layers)
            notes = [
                *_notes(split_type, set(of_type["treatment"])),
                *_beyond_retraining(pairs),
                *_by_direction(pairs["total drop"]),
                *_of_few_images(bases[~dead], results),
            ]
            note = "; ".join(notes)
            found.append(Answer(halves, base, int(dead.sum()), lost, gained, parts, layers, note, advised))
    return found


def _notes(split_type: str, there: set[str]) -> Iterator[str]:
    """Note that halves by images share all classes, and that without selffers the drop of frozen transfer has no parts.

    Args:
        split_type: the split type of the halves.
        there: the treatments that have networks.
    """
    if split_type == IMAGES:
        yield "the halves share all classes but no training images, so features can be specific only to images"
    if "transfer" in there and "selffer" not in there:
        yield "without selffer networks (BnB), the costs of lost co-adaptation and of specificity cannot be told apart"


def _beyond_retraining(pairs: Pairs) -> Iterator[str]:
    """Say whether fine-tuning copied layers gains more than training a network's own layers twice."""
    for effect, layers in _BEYOND_RETRAINING.items():
        if pairs[effect].empty:
            continue
        found = Difference.of(pairs[effect], is_drop=False)
        if np.isnan(found.low):
            yield f"one split and seed cannot tell whether fine-tuning {layers} gains more than training its own twice"
        elif found.low <= 0 <= found.high:
            yield f"fine-tuning {layers} does not gain distinguishably more than training its own twice, or less"
        else:
            than = "more" if found.mean > 0 else "less"
            yield f"fine-tuning {layers} gains {than} than training its own twice"


def _by_direction(pairs: pd.DataFrame) -> Iterator[str]:
    """Without an interval, give the total drop in each direction: their mean hides how far apart they are."""
    if pairs.empty or not np.isnan(interval(pairs)[0]):
        return
    deepest = pairs[pairs["n"] == pairs["n"].max()]
    drops = deepest.groupby("target")["difference"].mean()
    if len(drops) > 1:
        of_halves = ", ".join(f"{drop_points(drop)} for {half}" for half, drop in drops.items())
        n = int(deepest["n"].max())
        yield f"one split and seed cannot tell how much is chance; the total drop at n = {n} is {of_halves}"


def _of_few_images(bases: pd.DataFrame, results: Results) -> Iterator[str]:
    """Note that the validation images alone can make a difference larger than the tolerated drop."""
    counted_images = bases.dropna(subset=["validation_images"])
    if results.metric not in TOP1 or counted_images.empty:
        return
    rate, images = counted_images["accuracy"], counted_images["validation_images"].astype(float)
    error = max(map(error_of_difference, rate, images))
    if error > results.max_drop:
        yield (
            f"with {int(images.min())} validation images, these alone give the difference between two networks a "
            f"standard error of up to about {100 * error:.0f} points, which more seeds do not reduce"
        )


def headline(results: Results, by_amount: Sequence[str] = ()) -> str:
    """A few lines that say what the study found.

    Args:
        results: the study's results; those of networks trained on the most images are reported in full.
        by_amount: a line for each amount of images.
    """
    accuracies = results.networks
    networks = counted(len(accuracies), "network")
    lines = [
        f"{networks}; accuracy is {results.metric}",
        "drops and gains are paired and in points, ± a 95 % interval; a drop is positive if a network is worse",
    ]
    for answer in answers(results.at_most):
        lines.append(f"{answer.halves}: base {answer.base_in_words}")
        lines += [f"  {answer.advice}".translate(_PLAIN)] * bool(answer.advice)
        told = {
            **answer.drops,
            **answer.gains,
            **({"co-adaptation drop in cross-entropy": answer.co_adaptation} if answer.co_adaptation else {}),
        }
        lines += [f"  {what + ':':{_WIDTH}} {found}".translate(_PLAIN) for what, found in told.items()]
        lines += [
            f"  {way_in_words(treatment, results.max_drop) + ':':{_WIDTH}} {layers}"
            for treatment, layers in answer.reusable.items()
        ]
        lines += [f"  {answer.note}"] * bool(answer.note)
    lines += [line.translate(_PLAIN) for line in by_amount]
    notes = (of_training_mode(accuracies), bases_at_chance(accuracies), others_at_chance(accuracies))
    lines += [note for note in notes if note]
    return "\n".join(lines) + "\n"


def _co_adaptation(drops: pd.DataFrame, of_type: pd.DataFrame, layers: Sequence[str]) -> str:
    """Where the drop in cross-entropy is largest and which part causes it, or that this is not conclusive.

    Args:
        drops: rows of `effects` for the co-adaptation drop of one split type.
        of_type: the networks of this split type.
        layers: the names of all layers, lowest first.
    """
    if drops.empty:
        return ""
    rows = {(row["metric"], row["n"]): row for row in drops[drops["pairs"] > 0].to_dict("records")}
    whole = [row for (metric, _), row in rows.items() if metric == VALIDATION_CROSS_ENTROPY]
    if not whole:
        return "unknown, because no networks have one"
    largest = max(whole, key=lambda row: row["mean"])
    n = largest["n"]
    where = f"at n = {n} (cut above {layers[n - 1]}), {_with_interval(largest)} nats"
    if np.isnan(largest["low"]):
        return f"{NOT_CONCLUSIVE} with one split and seed; largest {where}"
    if doubtful(of_type[(of_type["treatment"] == "selffer") & (of_type["n"] == n)]).any():
        return f"{NOT_CONCLUSIVE}; largest {where}, where a base may be at chance"
    if not largest["low"] > 0:
        return f"not distinguishable from zero; largest {where}"
    parts = {LOSSES[loss]: rows[loss, n] for loss in _PARTS if (loss, n) in rows}
    surely = [name for name, row in parts.items() if row["low"] > 0]
    which = f"due to {' and '.join(surely)}" if surely else "whether due to fit or generalization is not conclusive"
    sizes = ", ".join(f"{name} {_with_interval(row)}" for name, row in parts.items())
    of_several = f"; as the largest of {len(whole)} depths it is a little overstated" if len(whole) > 1 else ""
    return f"largest {where}, {which}{f': {sizes}' if sizes else ''}{of_several}"


def _with_interval(row: Mapping[Hashable, Any]) -> str:
    return f"{nats(row['mean'])}{half_interval(row['low'], row['high'], nats)}"


def _drops(pairs: Pairs) -> Iterator[tuple[str, Difference]]:
    for effect, layers in _DEEPEST.items():
        if len(pairs[effect]):
            deepest = int(pairs[effect]["n"].max())
            at_deepest = pairs[effect][pairs[effect]["n"] == deepest]
            compared = formula(effect).replace("nB", f"{deepest}B")
            yield f"{effect}, {compared}{layers}", Difference.of(at_deepest, is_drop=True)


def _gains(pairs: Pairs) -> Iterator[tuple[str, Difference]]:
    for effect, layers in _FINE_TUNED.items():
        if len(pairs[effect]):
            depths = enumerated([int(n) for n in pairs[effect]["n"].unique()])
            yield f"{effect}, {formula(effect)}{layers}, n = {depths}", Difference.of(pairs[effect], is_drop=False)


def _reusable_layers(reuse: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[str, ReusableLayers]]:
    for treatment in WAYS_OF_REUSE:
        rows = reuse[reuse["treatment"] == treatment]
        if not rows["verdict"].isna().all():
            conclusive = rows.assign(verdict=rows["verdict"].where(rows["conclusive"]))
            surely = None if rows["low"].isna().all() else deepest_within(conclusive, treatment)
            verdicts = {
                int(n): None if pd.isna(verdict) else verdict == "within"
                for n, verdict in sorted(zip(rows["n"], rows["verdict"], strict=True))
            }
            unsure = {
                int(row["n"]): NO_INTERVAL if pd.isna(row["low"]) else NOT_CONCLUSIVE
                for row in rows[rows["verdict"].notna() & ~rows["conclusive"]].to_dict("records")
            }
            yield treatment, ReusableLayers(names, verdicts, unsure, deepest_within(rows, treatment), surely)
