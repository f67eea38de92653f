"""The accuracies of all networks of a study, one row a network, each beside the base of its own target.

A row says too what is meaningless in it, and why: a base that it is compared with or copied from is at chance.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from transferability.files import read_json
from transferability.results.by_images import amounts_of, on_amount
from transferability.results.guessing import guessing_test
from transferability.study.amounts import Amount, amount_in_words
from transferability.study.compared import (
    BALANCED,
    COMPARED,
    GENERALIZATION_GAP,
    LOSSES,
    TOP1,
    TOP5,
    TRAINING_CROSS_ENTROPY,
    TRAINING_IMAGES_EVALUATED,
    TRAINING_TOP1,
    VALIDATION_CROSS_ENTROPY,
)
from transferability.study.design import Study
from transferability.study.names import (
    RANDOM_SOURCE,
    SPLIT_TYPES_IN_WORDS,
    TREATMENTS,
    WHOLE,
    Groups,
    Network,
    halves_in_words,
)
from transferability.study.schema import EXACT

# Top-1 beside top-5; balanced accuracy is the mean over classes of the share of a class's images that are named right.
METRICS = (*chain.from_iterable(zip(TOP1, TOP5, strict=True)), *BALANCED)
KEY = ["split", "seed", "network"]
_CROSS_ENTROPIES = (VALIDATION_CROSS_ENTROPY, TRAINING_CROSS_ENTROPY)
_OF_NETWORK = ["split", "split_type", "network", "treatment", "source", "target", "n"]
_OF_TRAINING = [
    *("copied", "frozen", "seed", "examples_per_class", "iterations", "evaluations"),
    *("classes", "validation_images", "majority_baseline", "guessing_loss", "lowest_training_loss", *METRICS),
]
_RECORDED = [  # in metrics files
    *(*_OF_NETWORK, *_OF_TRAINING),
    *(*_CROSS_ENTROPIES, TRAINING_TOP1, TRAINING_IMAGES_EVALUATED),
]
COLUMNS = [
    *(*_OF_NETWORK, "layer", *_OF_TRAINING),
    *(*LOSSES, TRAINING_TOP1, TRAINING_IMAGES_EVALUATED, "base"),
]
# What tells an accuracy from guessing; published results, and networks trained before it was recorded, lack it.
GUESSING = ("classes", "validation_images", "majority_baseline", "guessing_loss", "lowest_training_loss")
LEAVE_OUT = "leave_out"  # of figures.unlearned
AT_CHANCE = "at chance"
NO_LOWER_LOSS = "loss never below that of guessing"
TOO_FEW = "too few images to tell from chance"
_INTEGERS = [
    *("n", "copied", "frozen", "seed", "examples_per_class", "iterations", "evaluations"),
    *("classes", "validation_images", TRAINING_IMAGES_EVALUATED),
]
_NUMBERS = (
    "majority_baseline",
    "guessing_loss",
    "lowest_training_loss",
    *BALANCED,
    *LOSSES,
    TRAINING_TOP1,
)  # that may be missing
# Of all tables that are made from accuracies.
_TEXT = [
    *("split", "split_type", "network", "treatment", "source", "target", "flag"),
    *("effect", "metric", "unit", "layer", "layers", "verdict", "job", "device"),
]


def collect(metrics: Iterable[Path], layers: Sequence[str]) -> pd.DataFrame:
    """One row for every metrics file.

    ValueError for a file that is incomplete, that has an accuracy outside 0 to 1, or that repeats a network.

    Args:
        metrics: files of networks.
        layers: the names of all layers of these, lowest first; the column ``layer`` has that of the n-th, the deepest
            below the cut, and is empty for bases.
    """
    return collect_contents(((str(path), read_json(path)) for path in metrics), layers)


def collect_contents(metrics: Iterable[tuple[str, Any]], layers: Sequence[str]) -> pd.DataFrame:
    """The same of files that were read before, each with its name."""
    return frame_of(((path, _measured(path, content, layers)) for path, content in metrics), layers)


def beside_bases(frame: pd.DataFrame) -> pd.DataFrame:
    """Add to each network its base, its accuracies and the differences to them, where there is one.

    Columns ``base_`` and ``difference_`` and a name of `COMPARED` are of the base of the same split, target and seed,
    and on as many images. The column ``at_chance`` is `at_chance`. The column ``flag`` names what makes a comparison
    meaningless, or may: its own base or the base that its layers come from is at chance, or is judged on too few images
    to tell. What was not recorded of a network is empty.
    """
    frame = frame.assign(**{column: None for column in (*_INTEGERS, *_NUMBERS) if column not in frame})
    frame = frame.astype(dict.fromkeys(_INTEGERS, "Int64") | dict.fromkeys(_NUMBERS, "float64"))
    frame[GENERALIZATION_GAP] = frame[VALIDATION_CROSS_ENTROPY] - frame[TRAINING_CROSS_ENTROPY]
    frame["base"] = [Network.parse(name).compared_with.name for name in frame["network"]]
    bases = frame.loc[frame["treatment"] == "base", [*KEY, *COMPARED]]
    bases = bases.rename(columns={"network": "base"} | {name: f"base_{name}" for name in COMPARED})
    frame = frame.merge(bases, on=["split", "seed", "base"], how="left", validate="many_to_one")
    frame.loc[frame[f"base_{COMPARED[0]}"].isna(), "base"] = None
    for name in COMPARED:
        frame[f"difference_{name}"] = frame[name] - frame[f"base_{name}"]
    frame["at_chance"] = at_chance(frame)
    frame["flag"] = pd.array(_flags(frame), dtype="string")
    order = ["split", "seed", "treatment", "target", "examples_per_class", "n", "copied"]
    return frame.sort_values(order, key=_paper_order, ignore_index=True)


def at_chance(accuracies: pd.DataFrame) -> pd.Series:
    """Whether each network's last top-1 accuracy is one that guessing reaches too; NA where that cannot be told.

    Chance is the accuracy of always naming the commonest class. A network has learned something if guessing has a
    probability of at most `SIGNIFICANCE` of so many right answers, by the exact binomial test. If it has more, the
    network is at chance, but where there are too few images to tell: where not even right answers alone would pass the
    test, and where the accuracy, though it does not pass, is nearer to 1 than to chance. NA too where chance is not
    known. Balanced accuracy has no such test of its own; it is top-1's that is asked.
    """
    chance, images = (
        accuracies["majority_baseline"].to_numpy(np.float64),
        accuracies["validation_images"].to_numpy(np.float64),
    )
    top1 = accuracies["top1_final"].to_numpy(np.float64)
    guesses, too_few = guessing_test(top1, chance, images)
    unknown = too_few | np.isnan(chance) | np.isnan(images)
    return pd.Series(guesses | too_few, index=accuracies.index, dtype="boolean").mask(unknown)


def never_below_guessing(accuracies: pd.DataFrame) -> pd.Series:
    """Whether no interval of a network's training had a loss below that of guessing; not where that is unknown.

    There is no margin: one would flag networks that learn slowly, and a dead one whose loss dips below by the luck of
    its batches is at chance by its accuracy.
    """
    return (accuracies["lowest_training_loss"] >= accuracies["guessing_loss"]).fillna(False).astype(bool)


def meaningless(accuracies: pd.DataFrame) -> pd.Series:
    """Which networks are unlearned, or depend on a base that is: no mean, interval or verdict counts them.

    None where the column ``included`` says that the means are to have them.
    """
    flagged = _flagged(accuracies, AT_CHANCE) | _flagged(accuracies, NO_LOWER_LOSS)
    return flagged & ~accuracies["included"] if "included" in accuracies else flagged


def doubtful(accuracies: pd.DataFrame) -> pd.Series:
    """Which networks have a base that may be at chance: means count them, and no verdict on them is conclusive."""
    return _flagged(accuracies, TOO_FEW) & ~meaningless(accuracies)


def _flagged(accuracies: pd.DataFrame, text: str) -> pd.Series:
    return accuracies["flag"].astype("string").str.contains(text, regex=False).fillna(False).astype(bool)


def bases_at_chance(accuracies: pd.DataFrame) -> str:
    """What is to be known of bases before any number is read: a line for those at chance, one for those untold."""
    bases = accuracies["treatment"] == "base"
    lines = (
        (meaningless, AT_CHANCE, "means nothing and is left out of means."),
        (doubtful, TOO_FEW, "may mean nothing; no verdict on it is conclusive."),
    )
    return "\n".join(
        f"{what}: {_named(accuracies[bases & which(accuracies)])}. What is compared with them or copied from them {so}"
        for which, what, so in lines
        if (bases & which(accuracies)).any()
    )


def others_at_chance(accuracies: pd.DataFrame) -> str:
    """Lines that name the networks, but bases, that are unlearned, and those at chance that means have."""
    own = [str(flag).startswith((f"{name} ", f"{name}:")) for flag, name in accuracies[["flag", "network"]].to_numpy()]
    unlearned = accuracies[np.array(own, bool) & (accuracies["treatment"] != "base") & meaningless(accuracies)]
    lines = []
    if len(unlearned):
        are = f"{len(unlearned)} beside the bases"
        lines.append(f"unlearned, {are}: {_named(unlearned)}. What has not learned is left out of means.")
    if "included" in accuracies and accuracies["included"].any():
        flags = _flagged(accuracies, AT_CHANCE) | _flagged(accuracies, NO_LOWER_LOSS)
        named = f"{_named(accuracies[flags])}. Means have them, as figures.unlearned says."
        return f"unlearned, or beside a base that is: {named}" if flags.any() else ""
    guessing = accuracies["at_chance"].fillna(False).astype(bool)
    rows = accuracies[guessing & (accuracies["treatment"] != "base") & ~meaningless(accuracies)]
    if len(rows):
        lines.append(f"at chance, though their bases are not: {_named(rows)}. That may be a finding; means have them.")
    return "\n".join(lines)


def of_training_mode(accuracies: pd.DataFrame) -> str:
    """A line that says so where training cross-entropies are not of an evaluation, as published ones; else empty."""
    of_updates = accuracies[TRAINING_CROSS_ENTROPY].notna() & accuracies[TRAINING_IMAGES_EVALUATED].isna()
    if not of_updates.any():
        return ""
    return "training cross-entropies are of the last updates, in training mode: random crops, mirrors, dropout"


def _named(rows: pd.DataFrame) -> str:
    names = list(rows["network"] + " of " + rows["split"] + ", seed " + rows["seed"].astype(str))
    more = f"; and {len(names) - 4} more" if len(names) > 4 else ""
    return "; ".join(names[:4]) + more


@dataclass(frozen=True)
class Results:
    """What the tables and figures of a study are made from.

    Attributes:
        accuracies: as `collect` makes them, with the column ``accuracy``; see `by_metric`.
        metric: which that is, one of `COMPARED`.
        max_drop: what copying layers may cost, in accuracy, so 0.02 for 2 points.
        layers: the names of all layers of the network, lowest first, whether networks are cut there or not.
        groups: of the halves of semantic splits, where they are known.
        images: in words, the amount that all networks are trained on, where the study has others; else empty.
    """

    accuracies: pd.DataFrame
    metric: str
    max_drop: float
    layers: Sequence[str]
    groups: Groups = field(default_factory=dict)
    images: str = ""

    @classmethod
    def by(
        cls,
        accuracies: pd.DataFrame,
        metric: str,
        max_drop: float,
        layers: Sequence[str],
        unlearned: str = LEAVE_OUT,
        *,
        groups: Groups | None = None,
    ) -> Self:
        """Of accuracies as `collect` makes them; ValueError if some networks lack the metric.

        Args:
            accuracies: of all networks.
            metric: one of `COMPARED`.
            max_drop: what copying layers may cost.
            layers: the names of all.
            unlearned: `LEAVE_OUT`, or ``include`` to have unlearned networks in all means.
            groups: of the halves of semantic splits; those of splits without networks are not told.
        """
        compared = by_metric(accuracies, metric)
        there = {split: halves for split, halves in (groups or {}).items() if (compared["split"] == split).any()}
        return cls(compared.assign(included=unlearned != LEAVE_OUT), metric, max_drop, layers, there)

    @classmethod
    def of_study(cls, accuracies: pd.DataFrame, study: Study) -> Self:
        """As the study's config says."""
        figures = study.config["figures"]
        compared, max_drop, unlearned = (figures[key] for key in ("metric", "max_drop", "unlearned"))
        return cls.by(accuracies, compared, max_drop, study.layers, unlearned, groups=study.groups)

    def halves(self, split_type: str) -> str:
        """Halves of a type in words, semantic ones with the groups that they are of, and how many images there are."""
        return halves_in_words(split_type, self.groups) + (f", {self.images}" if self.images else "")

    @property
    def amounts(self) -> tuple[Amount, ...]:
        """Images a class that networks are trained on, as `by_images.amounts_of`."""
        return amounts_of(self.accuracies)

    @property
    def has_few(self) -> bool:
        """Whether there are networks on few images."""
        return self.amounts != (None,)

    def at(self, amount: Amount) -> Self:
        """Those of networks on so many images a class, as `by_images.on_amount`."""
        images = f"on {amount_in_words(amount)}" if self.has_few else self.images
        return replace(self, accuracies=on_amount(self.accuracies, amount), images=images)

    @property
    def at_most(self) -> Self:
        """Those on the most images, which what is of one amount shows."""
        return self.at(self.amounts[-1])


def by_metric(accuracies: pd.DataFrame, metric: str) -> pd.DataFrame:
    """With the metric as the column ``accuracy``, the one that is compared from here on.

    ValueError that names the networks which lack it, if there are any.
    """
    lacking = accuracies[accuracies[metric].isna()]
    if len(lacking):
        raise ValueError(
            f"figures.metric: is {metric}, which {_named(lacking)} lack, since they were published without it or "
            "trained before it was recorded; take a metric of top1, such as top1_final, which all networks have"
        )
    return accuracies.assign(accuracy=accuracies[metric])


def _flags(frame: pd.DataFrame) -> list[str | None]:
    bases = frame[frame["treatment"] == "base"]
    keys = bases[KEY].itertuples(index=False, name=None)
    learned = dict(zip(keys, bases["at_chance"].mask(bases["majority_baseline"].isna(), False), strict=True))
    of_high_loss = bases.loc[never_below_guessing(bases), KEY]
    high = set(of_high_loss.itertuples(index=False, name=None))
    flags: list[str | None] = []
    for row in frame.assign(no_lower_loss=never_below_guessing(frame)).itertuples():
        words = []
        own = row.treatment != "base" and row.source != RANDOM_SOURCE
        if own and row.at_chance is not pd.NA and row.at_chance:
            words.append(f"{row.network} {AT_CHANCE}")
        elif own and row.no_lower_loss:
            words.append(f"{row.network}: {NO_LOWER_LOSS}")
        network = Network.parse(str(row.network))
        for base in dict.fromkeys(base.name for base in (network.compared_with, network.base) if base):
            if (row.split, row.seed, base) in high and learned.get((row.split, row.seed, base)) is not True:
                words.append(f"{base}: {NO_LOWER_LOSS}")
                continue
            guessing = learned.get((row.split, row.seed, base), False)
            if guessing is pd.NA or guessing:
                words.append(f"{base}{f': {TOO_FEW}' if guessing is pd.NA else f' {AT_CHANCE}'}")
        flags.append("; ".join(words) or None)
    return flags


def _paper_order(column: pd.Series) -> pd.Series:
    if column.name == "treatment":
        return column.map(TREATMENTS.index)
    return column.where(column != WHOLE, "~") if column.name == "split" else column


def read_accuracies(path: Path) -> pd.DataFrame:
    """Read what `collect` made, from its CSV file."""
    types = dict.fromkeys(_INTEGERS, "Int64") | {"base": "string", "at_chance": "boolean"}
    return read_table(path).astype(types)


def read_table(path: Path) -> pd.DataFrame:
    """Read any table of ours; text stays text, where pandas would take ``NA`` for nothing and ``1e5`` for a number."""
    return pd.read_csv(
        path, dtype=dict.fromkeys(_TEXT, "string"), keep_default_na=False, na_values=[""], encoding="utf-8"
    )


def layer_names(accuracies: pd.DataFrame) -> dict[int, str]:
    """By n, for every n that was tried, the name of the n-th layer."""
    return dict(accuracies.loc[accuracies["n"] > 0, ["n", "layer"]].itertuples(index=False, name=None))


def frame_of(rows: Iterable[tuple[str, Mapping[str, Any]]], layers: Sequence[str]) -> pd.DataFrame:
    """The rows, each with where it comes from, beside their bases; ValueError if a network is there twice."""
    places: dict[tuple[Any, ...], str] = {}
    checked = []
    for place, row in rows:
        split, seed, network = (row[column] for column in KEY)
        first = places.setdefault((split, seed, network), place)
        if first != place:
            raise ValueError(f"{place}: the network {network} of {split}, seed {seed}, is there twice; see {first}")
        checked.append({**row, "layer": layers[row["n"] - 1] if row["n"] else None})
    frame = pd.DataFrame(checked, columns=COLUMNS[:-1])
    return beside_bases(frame.astype(dict.fromkeys(METRICS, "float64")))


def _measured(path: str, content: Any, layers: Sequence[str]) -> dict[str, Any]:
    if not isinstance(content, dict):
        content = {}
    absent = [column for column in _RECORDED if column not in content and column not in (*GUESSING, *BALANCED)]
    if absent:
        raise ValueError(f"{path}: {absent[0]} is missing; delete the file to have it written again")
    for name in METRICS:
        if name not in BALANCED or content.get(name) is not None:
            require_accuracy(content[name], f"{path}: {name}")
    for name in _CROSS_ENTROPIES:
        require_cross_entropy(content[name], f"{path}: {name}")
    require_accuracy(content[TRAINING_TOP1], f"{path}: {TRAINING_TOP1}")
    row = {column: content.get(column) for column in _RECORDED}
    wrong = [column for column, right in _right(row, layers).items() if not right]
    if wrong:
        raise ValueError(
            f"{path}: {wrong[0]} is {row[wrong[0]]!r}, which cannot be; delete the file to have it written again"
        )
    return row


def _right(row: Mapping[str, Any], layers: Sequence[str]) -> dict[str, bool]:
    """For each column that is no accuracy, whether it can be so in the metrics of a network."""
    try:
        network = Network.parse(row["network"])
    except (TypeError, ValueError):
        return {"network": False}
    if network.copied >= len(layers):
        return {"network": False}
    chance = row["majority_baseline"]
    return {
        "split": isinstance(row["split"], str) and row["split"] != "",
        "split_type": row["split_type"] in (*SPLIT_TYPES_IN_WORDS,),
        **{column: row[column] == value for column, value in network.facts.items()},
        **{
            column: _is_count(row[column])
            for column in ("seed", "iterations", "evaluations", TRAINING_IMAGES_EVALUATED)
        },
        **{column: row[column] is None or _is_count(row[column]) for column in ("classes", "validation_images")},
        **{column: row[column] is None or _is_loss(row[column]) for column in GUESSING[3:]},
        "majority_baseline": chance is None or (isinstance(chance, int | float) and 0 <= chance <= 1),
    }


def _is_loss(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= EXACT


def require_accuracy(value: object, where: str) -> None:
    """ValueError that says where the value is, if it is no number from 0 to 1."""
    if not isinstance(value, int | float) or not 0 <= value <= 1:  # refuses NaN too
        raise ValueError(f"{where} is {value!r}; an accuracy is a number from 0 to 1")


def require_cross_entropy(value: object, where: str) -> None:
    """ValueError that says where the value is, if it is no number from 0 up."""
    if not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(f"{where} is {value!r}; a cross-entropy is a number from 0 up, in nats")
