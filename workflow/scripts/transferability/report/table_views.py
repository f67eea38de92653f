"""Which columns of each table a report shows, in which words and units; the tables' files have all, as numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from transferability.report.runs import MAKER_COLUMNS
from transferability.results.by_images import EXAMPLES
from transferability.results.pairs import NO_INTERVAL
from transferability.results.reuse import WAYS_OF_REUSE, copied_from
from transferability.study.compared import (
    GENERALIZATION_GAP,
    LOSSES,
    TRAINING_CROSS_ENTROPY,
    TRAINING_TOP1,
    VALIDATION_CROSS_ENTROPY,
    parts_of,
)
from transferability.study.split_types import halves_in_words, random_first
from transferability.words import drop_points, nats, percent, points


@dataclass(frozen=True)
class Column:
    """How a column of a table is shown: its heading, and its values as points, percent or as they are.

    A column with ``mostly_nothing``, such as a count of something wrong, is shown only if it has more than zeros.
    """

    heading: str
    show: Callable[[Any], str] = str
    mostly_nothing: bool = False
    nothing: str = ""  # what is shown where there is no value


@dataclass(frozen=True)
class TableView:
    """Which columns of a table are shown, and how; the file to download has all of them.

    ``arranged`` makes the rows that are shown from those of the file, if they differ.
    """

    title: str
    columns: Mapping[str, Column]
    arranged: Callable[[pd.DataFrame], pd.DataFrame] | None = None


def _cross_entropy(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:,.1f}"


def _yes(value: object) -> str:
    return {"True": "yes", "False": "no"}.get(str(value), str(value))


def _losses_beside_accuracy(effects: pd.DataFrame) -> pd.DataFrame:
    """One row per effect, split type and n instead of one for each metric: losses are columns beside the accuracy."""
    key = [name for name in ("effect", "split_type", "n", EXAMPLES) if name in effects]
    wide = effects[~effects["metric"].isin(LOSSES)]
    for loss in LOSSES:
        names = {"mean": loss, "low": f"{loss}_low", "high": f"{loss}_high"}
        of_loss = effects[effects["metric"] == loss].rename(columns=names)
        wide = wide.merge(of_loss[[*key, *names.values()]], on=key, how="left")
    return wide


def _as_drop(table: pd.DataFrame, difference: str) -> pd.DataFrame:
    """The table with a difference from base turned into a drop below base, the sign that drops have everywhere."""
    return table.assign(**{_BELOW_BASE: 0 - table[difference]}) if difference in table else table


def _networks(accuracies: pd.DataFrame, difference: str) -> pd.DataFrame:
    """The accuracies with drops below base, those of random splits first."""
    in_order = accuracies.sort_values("split", key=lambda splits: splits.map(random_first), kind="stable")
    return _as_drop(in_order, difference)


def _way_of_reuse(treatment: str) -> str:
    return f"{copied_from(treatment)}, {WAYS_OF_REUSE[treatment]}"


def _without_interval(reuse: pd.DataFrame) -> pd.DataFrame:
    """The table, saying which verdicts are not conclusive because there is no interval."""
    told = reuse["conclusive"].map(_yes)
    return reuse.assign(conclusive=told.mask(reuse["low"].isna(), f"no, {NO_INTERVAL}"))


_BELOW_BASE = "below_base"
_N = Column("n", _whole)
_IMAGES = Column("images per class", _whole, nothing="all")  # in tables with several amounts
_PAIRS, _SPLITS = Column("pairs", _whole), Column("splits", _whole)
_LEFT_OUT = Column("left out", _whole, mostly_nothing=True)
_NATS = {
    column: shown
    for loss, name in LOSSES.items()
    for column, shown in {
        loss: Column(f"{name}, nats", nats),
        f"{loss}_low": Column("95 % from", nats),
        f"{loss}_high": Column("95 % to", nats),
    }.items()
}
JOBS = TableView(
    "Jobs",
    {
        "split": Column("split"),
        "seed": Column("seed"),
        "job": Column("job"),
        "networks": Column("networks", _whole),
        "device": Column("device"),
        "training_seconds": Column("training, s", _seconds),
        "last_attempt_seconds": Column("last attempt, start to end, s", _seconds),
        "peak_mb": Column("peak memory, MB", _whole),
    },
)
MAKERS = TableView(
    "What the networks were made with",
    {name: Column(name, _yes if name == "deterministic" else str) for name in MAKER_COLUMNS},
)


def _common(split_type: Column) -> dict[str, TableView]:
    return {
        "reuse": TableView(
            "Which layers can be copied",
            {
                "split_type": split_type,
                "n": _N,
                EXAMPLES: _IMAGES,
                "layer": Column("layer"),
                "treatment": Column("copied layers", _way_of_reuse),
                "drop": Column("points below base", drop_points),
                "low": Column("95 % from", drop_points),
                "high": Column("95 % to", drop_points),
                "verdict": Column("verdict"),
                "conclusive": Column("conclusive", _yes),
                "pairs": _PAIRS,
                "splits": _SPLITS,
                "left_out": _LEFT_OUT,
            },
            _without_interval,
        ),
        "effects": TableView(
            "Effects",
            {
                "effect": Column("effect"),
                "split_type": split_type,
                "n": _N,
                EXAMPLES: _IMAGES,
                "mean": Column("mean, points", points),
                "low": Column("95 % from", points),
                "high": Column("95 % to", points),
                **_NATS,
                "pairs": _PAIRS,
                "splits": _SPLITS,
                "left_out": _LEFT_OUT,
            },
            _losses_beside_accuracy,
        ),
        "summary": TableView(
            "Accuracies by treatment and depth",
            {
                "split_type": split_type,
                "treatment": Column("treatment"),
                "n": _N,
                "preserved": Column("preserved", _whole, mostly_nothing=True),
                EXAMPLES: Column("images per class", _whole),
                "networks": Column("networks", _whole),
                "mean": Column("mean, %", percent),
                "standard_deviation": Column("standard deviation, points", drop_points),
                "minimum": Column("minimum, %", percent),
                "maximum": Column("maximum, %", percent),
                _BELOW_BASE: Column("points below base", drop_points),
                "left_out": _LEFT_OUT,
                "at_chance": Column("at chance", _whole, mostly_nothing=True),
            },
            partial(_as_drop, difference="mean_difference_to_base"),
        ),
        "table1": TableView(
            "The paper's Table 1",
            {
                "layers": Column("layers"),
                "depths": Column("n tried"),
                EXAMPLES: _IMAGES,
                "networks": Column("networks", _whole),
                "over_base": Column("gain over base, flat, points", points),
                "over_selffer+": Column("over BnB⁺, flat", points),
                "over_base_paired": Column("over base, paired", points),
                "over_base_paired_low": Column("95 % from", points),
                "over_base_paired_high": Column("95 % to", points),
                "over_selffer+_paired": Column("over BnB⁺, paired", points),
                "gain_over_selffer+": Column("gain beyond that of BnB⁺", points),
                "left_out": _LEFT_OUT,
            },
        ),
        "drops": TableView(
            "The drop of frozen transfer",
            {
                "split_type": split_type,
                "n": _N,
                EXAMPLES: _IMAGES,
                "networks": Column("networks", _whole),
                "base": Column("base, %", percent),
                "transfer": Column("AnB, %", percent),
                "drop": Column("drop, points", drop_points),
                "relative": Column("drop, % of base", percent),
                "paired": Column("drop, paired, points", drop_points),
                "left_out": _LEFT_OUT,
            },
        ),
    }


_HALVES = partial(halves_in_words, groups={})  # by their type only


def table_views(metric: str, halves: Callable[[str], str] = _HALVES) -> dict[str, TableView]:
    """The tables that are shown, in order, by name; balanced accuracy is shown beside top-1, and vice versa.

    Args:
        metric: the accuracy that the study compares.
        halves: returns the halves of a split type in words.
    """
    accuracy, which = parts_of(metric)
    other, heading = ("balanced", "balanced, %") if accuracy == "top1" else ("top1", "top-1, %")
    compared = {
        "split": Column("split"),
        "seed": Column("seed"),
        "network": Column("network"),
        "treatment": Column("treatment"),
        "n": _N,
        "layer": Column("layer"),
        metric: Column("accuracy, %", percent),
        f"{other}_{which}": Column(heading, percent),
        "base": Column("base network"),
        _BELOW_BASE: Column("points below base", drop_points),
        VALIDATION_CROSS_ENTROPY: Column("cross-entropy, validation, nats", _cross_entropy),
        TRAINING_CROSS_ENTROPY: Column("training, nats", _cross_entropy),
        GENERALIZATION_GAP: Column("generalization gap, nats", _cross_entropy),
        TRAINING_TOP1: Column("training top-1, %", percent),
        "at_chance": Column("at chance", _yes, mostly_nothing=True),
        "flag": Column("flag"),
    }
    of_all = TableView("All networks", compared, partial(_networks, difference=f"difference_{metric}"))
    return {**_common(Column("halves", halves)), "accuracies": of_all}
