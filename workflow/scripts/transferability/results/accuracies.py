"""The accuracies of all networks of a study, one row a network, each beside the base of its own target."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self, TypeVar

import pandas as pd

from transferability.files import read_json
from transferability.results.by_images import amounts_of, on_amount
from transferability.results.unlearned import LEAVE_OUT, at_chance, flags_of, named
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
from transferability.study.names import HALVES, TREATMENTS, WHOLE, Network
from transferability.study.schema import EXACT
from transferability.study.settings import ADAPT, FROZEN_BATCH_NORM, SOURCE
from transferability.study.split_types import SPLIT_TYPES_IN_WORDS, Groups, halves_in_words

_Made = TypeVar("_Made")

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
    *("effect", "metric", "unit", "layer", "layers", "verdict", "job", "device", FROZEN_BATCH_NORM),
    *("proxy", "features", "scope"),
]


def collect(metrics: Iterable[Path], layers: Sequence[str]) -> pd.DataFrame:
    """One row for every metrics file.

    ValueError for a file that is incomplete, that has an accuracy outside 0 to 1, or that repeats a network. The column
    `FROZEN_BATCH_NORM` is there only if frozen layers of any network have batch norm.

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
    frame["flag"] = pd.array(flags_of(frame), dtype="string")
    order = ["split", "seed", "treatment", "target", "examples_per_class", "n", "copied"]
    return frame.sort_values(order, key=_paper_order, ignore_index=True)


@dataclass(frozen=True)
class Results:
    """What the tables and figures of a study are made from.

    Attributes:
        accuracies: as `collect` makes them, with the column ``accuracy``; see `by_metric`.
        metric: which that is, one of `COMPARED`.
        max_drop: what copying layers may cost, in accuracy, so 0.02 for 2 points.
        layers: the names of all layers of the network, lowest first, whether networks are cut there or not.
        groups: of the halves of splits, semantic or of two data sets, where they are known.
        sources: bases that nothing is compared with, of halves that networks only copy from; no part of accuracies.
        images: in words, the amount that all networks are trained on, where the study has others; else empty.
    """

    accuracies: pd.DataFrame
    metric: str
    max_drop: float
    layers: Sequence[str]
    groups: Groups = field(default_factory=dict)
    sources: pd.DataFrame = field(default_factory=pd.DataFrame)
    images: str = ""
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

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
        targets: Sequence[str] = HALVES,
    ) -> Self:
        """Of accuracies as `collect` makes them; ValueError if some networks lack the metric.

        Args:
            accuracies: of all networks.
            metric: one of `COMPARED`.
            max_drop: what copying layers may cost.
            layers: the names of all.
            unlearned: `LEAVE_OUT`, or ``include`` to have unlearned networks in all means.
            groups: of the halves of splits; those of splits without networks are not told.
            targets: the halves that networks are trained for and compared.
        """
        compared = by_metric(accuracies, metric, unlearned)
        there = {split: halves for split, halves in (groups or {}).items() if (compared["split"] == split).any()}
        is_source = compared["target"].isin(set(HALVES) - set(targets))
        return cls(compared[~is_source], metric, max_drop, layers, there, compared[is_source])

    @classmethod
    def asked(cls, accuracies: pd.DataFrame, params: Mapping[str, Any]) -> Self:
        """As the parameters of a rule say, which may have others too; their names are those that `by` has."""
        compared = (accuracies, params["metric"], params["max_drop"], params["layers"], params["unlearned"])
        return cls.by(*compared, groups=params["groups"], targets=params.get("targets", HALVES))

    @classmethod
    def of_study(cls, accuracies: pd.DataFrame, study: Study) -> Self:
        """As the study's config says."""
        asked = study.figures
        compared = (accuracies, asked.metric, asked.max_drop, study.layers, asked.unlearned)
        return cls.by(*compared, groups=study.groups, targets=study.targets)

    def once(self, what: Hashable, make: Callable[[], _Made]) -> _Made:
        """What is made of these results, the first time it is asked for: tables, figures and pages ask for the same."""
        if what not in self._made:
            self._made[what] = make()
        made: _Made = self._made[what]
        return made

    @property
    def networks(self) -> pd.DataFrame:
        """All, those too that are only copied from."""
        return pd.concat([self.sources, self.accuracies]) if len(self.sources) else self.accuracies

    def groups_of(self, split_type: str) -> Groups:
        """Of the halves of splits of a type, where they are known."""
        splits = set(self.accuracies.loc[self.accuracies["split_type"] == split_type, "split"])
        return {split: halves for split, halves in self.groups.items() if split in splits}

    def halves(self, split_type: str) -> str:
        """Halves of a type in words, with the groups or data sets that they are of, and how many images there are."""
        return halves_in_words(split_type, self.groups_of(split_type)) + (f", {self.images}" if self.images else "")

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
        if amount is None and not self.has_few:
            return self
        return self.once(("on", amount), lambda: self._at(amount))

    def _at(self, amount: Amount) -> Self:
        images = f"on {amount_in_words(amount)}" if self.has_few else self.images
        return replace(self, accuracies=on_amount(self.accuracies, amount), images=images)

    @property
    def at_most(self) -> Self:
        """Those on the most images, which what is of one amount shows."""
        return self.at(self.amounts[-1])


def of_training_mode(accuracies: pd.DataFrame) -> str:
    """A line that says so where training cross-entropies are not of an evaluation, as published ones; else empty."""
    of_iterations = accuracies[TRAINING_CROSS_ENTROPY].notna() & accuracies[TRAINING_IMAGES_EVALUATED].isna()
    if not of_iterations.any():
        return ""
    return "training cross-entropies are from the last iterations, in training mode: random crops, mirroring, dropout"


def by_metric(accuracies: pd.DataFrame, metric: str, unlearned: str = LEAVE_OUT) -> pd.DataFrame:
    """With the metric as the column ``accuracy``, the one that is compared from here on.

    The column ``included`` says that means have unlearned networks too, where ``unlearned`` is ``include``.
    ValueError that names the networks which lack the metric, if there are any.
    """
    lacking = accuracies[accuracies[metric].isna()]
    if len(lacking):
        raise ValueError(
            f"figures.metric: is {metric}, which {named(lacking)} lack, since they were published without it or "
            "trained before it was recorded; take a metric of top1, such as top1_final, which all networks have"
        )
    return accuracies.assign(accuracy=accuracies[metric], included=unlearned != LEAVE_OUT)


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
    told = any(row.get(FROZEN_BATCH_NORM) for row in checked)
    frame = pd.DataFrame(checked, columns=[*COLUMNS[:-1], *([FROZEN_BATCH_NORM] if told else [])])
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
    row = {column: content.get(column) for column in (*_RECORDED, FROZEN_BATCH_NORM)}
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
        FROZEN_BATCH_NORM: row[FROZEN_BATCH_NORM] in (None, SOURCE, ADAPT),
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
