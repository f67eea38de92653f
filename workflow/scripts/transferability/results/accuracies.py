"""The accuracies of all networks of a study, one row per network, each beside the base of its own target."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self, TypeVar

import pandas as pd

from transferability.files import read_json
from transferability.results.by_images import amounts_of, on_amount
from transferability.results.unlearned import LEAVE_OUT, at_chance, flags_of, some_names
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

# Each top-1 is followed by its top-5; balanced accuracy is the mean of the per-class accuracies.
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
# What distinguishes an accuracy from guessing; published results, and networks trained before it was recorded, lack it.
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
# The text columns of all tables that are made from accuracies.
_TEXT = [
    *("split", "split_type", "network", "treatment", "source", "target", "flag"),
    *("effect", "metric", "unit", "layer", "layers", "verdict", "job", "device", FROZEN_BATCH_NORM),
    *("proxy", "features", "scope"),
]


def collect(metrics: Iterable[Path], layers: Sequence[str]) -> pd.DataFrame:
    """Make one row from each metrics file, beside its base; see `beside_bases`.

    The column `FROZEN_BATCH_NORM` exists only if frozen layers of any network have batch norm.

    Args:
        metrics: the metrics files of the networks.
        layers: the names of all layers of these networks, lowest first. The column ``layer`` has the name of the n-th,
            the deepest below the cut, and is empty for bases.

    Raises:
        ValueError: a file is incomplete, has an impossible value, such as an accuracy outside 0 to 1, or repeats a
            network.
    """
    return collect_contents(((str(path), read_json(path)) for path in metrics), layers)


def collect_contents(metrics: Iterable[tuple[str, Any]], layers: Sequence[str]) -> pd.DataFrame:
    """The same for files that have already been read, each given with its name."""
    return frame_of(((path, _measured(path, content, layers)) for path, content in metrics), layers)


def beside_bases(frame: pd.DataFrame) -> pd.DataFrame:
    """Add to each network its base, the base's accuracies and the differences from them, where there is a base.

    For each name in `COMPARED`, the columns ``base_<name>`` and ``difference_<name>`` refer to the base of the same
    split, target and seed that was trained on the same number of images. The column ``at_chance`` is that of
    `at_chance`. The column ``flag`` says what makes a comparison meaningless or may do so: the network, its base, or
    the base that its layers come from is at chance or never had a loss below that of guessing, or a base was evaluated
    on too few images to tell. Values that were not recorded are empty.
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
        metric: the metric in that column, one of `COMPARED`.
        max_drop: the tolerated drop from copying layers, as a fraction of 1: 0.02 for 2 points.
        layers: the names of all layers of the network, lowest first, whether or not networks are cut there.
        groups: the groups or data sets of splits' halves, where they are known.
        sources: bases of halves that networks only copy from. Nothing is compared with them, and they are not among
            the accuracies.
        images: in words, the number of images that all networks are trained on if the study has other amounts too;
            otherwise empty.
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
        """Results from accuracies as `collect` makes them; ValueError if some networks lack the metric.

        Args:
            accuracies: the accuracies of all networks.
            metric: one of `COMPARED`.
            max_drop: the tolerated drop from copying layers.
            layers: the names of all layers, lowest first.
            unlearned: `LEAVE_OUT`, or ``include`` to count unlearned networks in all means.
            groups: the groups of splits' halves; those of splits without networks are dropped.
            targets: the halves that networks are trained for and compared on.
        """
        compared = by_metric(accuracies, metric, unlearned)
        there = {split: halves for split, halves in (groups or {}).items() if (compared["split"] == split).any()}
        is_source = compared["target"].isin(set(HALVES) - set(targets))
        return cls(compared[~is_source], metric, max_drop, layers, there, compared[is_source])

    @classmethod
    def asked(cls, accuracies: pd.DataFrame, params: Mapping[str, Any]) -> Self:
        """Results with the parameters of a rule, which are named as in `by`; other parameters are ignored."""
        compared = (accuracies, params["metric"], params["max_drop"], params["layers"], params["unlearned"])
        return cls.by(*compared, groups=params["groups"], targets=params.get("targets", HALVES))

    @classmethod
    def of_study(cls, accuracies: pd.DataFrame, study: Study) -> Self:
        """Results with the settings of the study's config."""
        asked = study.figures
        compared = (accuracies, asked.metric, asked.max_drop, study.layers, asked.unlearned)
        return cls.by(*compared, groups=study.groups, targets=study.targets)

    def once(self, what: Hashable, make: Callable[[], _Made]) -> _Made:
        """Make something from these results the first time only: tables, figures and pages need the same things."""
        if what not in self._made:
            self._made[what] = make()
        made: _Made = self._made[what]
        return made

    @property
    def networks(self) -> pd.DataFrame:
        """All networks, including those that are only copied from."""
        return pd.concat([self.sources, self.accuracies]) if len(self.sources) else self.accuracies

    def groups_of(self, split_type: str) -> Groups:
        """The groups of halves of a type's splits, where they are known."""
        splits = set(self.accuracies.loc[self.accuracies["split_type"] == split_type, "split"])
        return {split: halves for split, halves in self.groups.items() if split in splits}

    def halves(self, split_type: str) -> str:
        """The halves of a split type in words, with their groups or data sets, and the number of images if set."""
        return self._on_images(halves_in_words(split_type, self.groups_of(split_type)))

    def pooled_halves(self, split_types: Iterable[str]) -> str:
        """All halves of several split types in words, as `halves`; of a single one, its halves."""
        pooled = set(split_types)
        if len(pooled) == 1:
            return self.halves(*pooled)
        return self._on_images("all halves and all classes" if WHOLE in pooled else "all halves")

    def _on_images(self, halves: str) -> str:
        return f"{halves}, {self.images}" if self.images else halves

    @property
    def amounts(self) -> tuple[Amount, ...]:
        """The numbers of images per class that networks are trained on, as in `by_images.amounts_of`."""
        return amounts_of(self.accuracies)

    @property
    def has_few(self) -> bool:
        """Whether any networks are trained on few images."""
        return self.amounts != (None,)

    def at(self, amount: Amount) -> Self:
        """The results of networks trained on this many images per class, as in `by_images.on_amount`."""
        if amount is None and not self.has_few:
            return self
        return self.once(("on", amount), lambda: self._at(amount))

    def _at(self, amount: Amount) -> Self:
        images = f"on {amount_in_words(amount)}" if self.has_few else self.images
        return replace(self, accuracies=on_amount(self.accuracies, amount), images=images)

    @property
    def at_most(self) -> Self:
        """The results of networks trained on the most images, for everything that shows a single amount."""
        return self.at(self.amounts[-1])


def of_training_mode(accuracies: pd.DataFrame) -> str:
    """A note if any training cross-entropies, such as published ones, do not come from an evaluation; else empty."""
    of_iterations = accuracies[TRAINING_CROSS_ENTROPY].notna() & accuracies[TRAINING_IMAGES_EVALUATED].isna()
    if not of_iterations.any():
        return ""
    return "training cross-entropies are from the last iterations, in training mode: random crops, mirroring, dropout"


def by_metric(accuracies: pd.DataFrame, metric: str, unlearned: str = LEAVE_OUT) -> pd.DataFrame:
    """The table with the metric as the column ``accuracy``, which is compared from here on.

    The column ``included`` is true if ``unlearned`` is ``include``: means then count unlearned networks too.
    If any networks lack the metric, a ValueError names them.
    """
    lacking = accuracies[accuracies[metric].isna()]
    if len(lacking):
        raise ValueError(
            f"figures.metric: is {metric}, which {some_names(lacking)} lack, since they were published without it or "
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
    """Read any of our tables; text stays text, whereas pandas would read ``NA`` as missing and ``1e5`` as a number."""
    return pd.read_csv(
        path, dtype=dict.fromkeys(_TEXT, "string"), keep_default_na=False, na_values=[""], encoding="utf-8"
    )


def layer_names(accuracies: pd.DataFrame) -> dict[int, str]:
    """The name of the n-th layer, by n, for every n that was tried."""
    return dict(accuracies.loc[accuracies["n"] > 0, ["n", "layer"]].itertuples(index=False, name=None))


def frame_of(rows: Iterable[tuple[str, Mapping[str, Any]]], layers: Sequence[str]) -> pd.DataFrame:
    """A table of rows, each given with its origin, beside their bases; ValueError if a network occurs twice."""
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
    """For each column other than accuracies and cross-entropies, whether a network's metrics can have this value."""
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
    """Raise a ValueError that says where the value is, unless it is a number from 0 to 1."""
    if not isinstance(value, int | float) or not 0 <= value <= 1:  # refuses NaN too
        raise ValueError(f"{where} is {value!r}; an accuracy is a number from 0 to 1")


def require_cross_entropy(value: object, where: str) -> None:
    """Raise a ValueError that says where the value is, unless it is a finite number that is not negative."""
    if not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(f"{where} is {value!r}; a cross-entropy is a number from 0 up, in nats")
