"""A study: one config, checked before anything runs, and the networks it asks for.

Light on purpose: Snakemake reads it on every start, so nothing here imports torch or pandas.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from transferability.hyperparameters import Hyperparameters
from transferability.names import DEEPEST_CUT, HALVES, RANDOM_SOURCE, Network, Series

SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
STAGES = ("base", "frozen", "fine_tuned")

# What the classes of an embedded data set are grouped by; other data sets tell once they are in their store.
EMBEDDED_GROUPS = {"glyphs": ("letter", "symbol")}

_RANDOM_SPLIT = re.compile(r"random(0|[1-9]\d*)")


class ConfigError(ValueError):
    """The config asks for something that cannot be; the message has a line for each reason."""


@dataclass(frozen=True)
class SplitPlan:
    """A split to be made: at random by ``seed``, or by ``groups``, the group of each half."""

    name: str
    seed: int | None
    groups: Mapping[str, str] | None


@dataclass(frozen=True)
class Study:
    """A checked config.

    Attributes:
        hyperparameters: by stage, `STAGES`.
        chunks: the depths of each job that trains a part of a series.
    """

    config: Mapping[str, Any]
    splits: Mapping[str, SplitPlan]
    seeds: tuple[int, ...]
    series: tuple[Series, ...]
    chunks: tuple[tuple[int, ...], ...]
    hyperparameters: Mapping[str, Hyperparameters]

    @property
    def folder(self) -> Path:
        return study_folder(self.config)

    @property
    def data_set(self) -> Mapping[str, Any]:
        """The settings of the chosen data set."""
        settings: Mapping[str, Any] = self.config["datasets"][self.config["dataset"]]
        return settings

    def networks(self) -> Iterator[tuple[str, int, Network]]:
        """Every network of the study, with its split and seed."""
        for split in self.splits:
            for seed in self.seeds:
                for half in HALVES:
                    yield split, seed, Network(half)
                for series in self.series:
                    for chunk in self.chunks:
                        for n in chunk:
                            yield split, seed, series.at(n)


def study_folder(config: Mapping[str, Any]) -> Path:
    """Where all outputs of a study are."""
    return Path(config["results"], config["study"])


def states_folder(config: Mapping[str, Any], split: str, seed: str | int) -> Path:
    """Where the training states of a split and seed are, outside of the outputs of any rule."""
    return study_folder(config) / "states" / split / f"seed{seed}"


def read_study(config: Mapping[str, Any]) -> Study:
    """Check a config and say what it asks for; ConfigError with everything that is wrong."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    problems = (
        list(_schema_problems(config, schema))
        or list(_data_set_problems(config, schema))
        or list(_study_problems(config))
    )
    if problems:
        raise ConfigError("\n".join(f"config: {problem}" for problem in problems))
    networks = config["networks"]
    depths, per_job = sorted(networks["depths"]), config["running"]["networks_per_job"]
    return Study(
        config=config,
        splits={plan.name: plan for plan in map(_split_plan, config["splits"])},
        seeds=tuple(config["seeds"]),
        series=tuple(_series_of(networks["treatments"])),
        chunks=tuple(tuple(depths[start : start + per_job]) for start in range(0, len(depths), per_job)),
        hyperparameters={stage: _hyperparameters(config["training"], stage) for stage in STAGES},
    )


def _hyperparameters(training: Mapping[str, Any], stage: str) -> Hyperparameters:
    common = {key: value for key, value in training.items() if key not in STAGES}
    return Hyperparameters(**{**common, **training[stage]})


def _series_of(treatments: Sequence[str]) -> Iterator[Series]:
    for treatment in treatments:
        for target in HALVES:
            other = HALVES[1 - HALVES.index(target)]
            kind = treatment.removesuffix("+")
            source = {"selffer": target, "transfer": other, "random": RANDOM_SOURCE}[kind]
            yield Series(source, target, fine_tuned=treatment.endswith("+"))


def _split_plan(entry: str | Mapping[str, str]) -> SplitPlan:
    if isinstance(entry, str):
        return SplitPlan(entry, int(entry.removeprefix("random")), None)
    return SplitPlan(entry["name"], None, {half: entry[half] for half in HALVES})


def _study_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """What a schema cannot say."""
    depths = config["networks"]["depths"]
    for n in depths:
        if not 1 <= n <= DEEPEST_CUT:
            yield (
                f"networks.depths: {n} is outside the network; it has {DEEPEST_CUT + 1} learned layers, "
                f"so n goes from 1 to {DEEPEST_CUT}"
            )
    names = [entry if isinstance(entry, str) else entry["name"] for entry in config["splits"]]
    for key, values in (("networks.depths", depths), ("seeds", config["seeds"]), ("splits", names)):
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield f"{key}: {value} is there twice"
    groups = EMBEDDED_GROUPS.get(config["datasets"][config["dataset"]]["kind"])
    for entry in config["splits"]:
        yield from _split_problems(entry, groups)
    settings = {stage: _hyperparameters(config["training"], stage) for stage in STAGES}
    stages = [stage for stage in STAGES if settings[stage].evaluate_every > settings[stage].iterations]
    if stages:
        worst = settings[stages[0]]
        yield (
            f"training: evaluate_every is {worst.evaluate_every}, more than the {worst.iterations} iterations of "
            f"{' and '.join(stages)} networks"
        )


def _split_problems(entry: str | Mapping[str, str], groups: tuple[str, ...] | None) -> Iterator[str]:
    if isinstance(entry, str):
        if not _RANDOM_SPLIT.fullmatch(entry):
            yield f"splits: {entry!r} is not random and a seed, such as random0; a split by group has name, A and B"
    elif _RANDOM_SPLIT.fullmatch(entry["name"]):
        yield f"splits: {entry['name']} is the name of a random split; give the split by group another"
    else:
        if entry["A"] == entry["B"]:
            yield f"splits: {entry['name']} has the group {entry['A']!r} on both sides; A and B must differ"
        for half in HALVES:
            if groups is not None and entry[half] not in groups:
                yield (
                    f"splits: {entry['name']} asks for the group {entry[half]!r} in {half}, which the data set lacks; "
                    f"its groups are {' and '.join(groups)}"
                )


def _data_set_problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    chosen, data_sets = config["dataset"], config["datasets"]
    if chosen not in data_sets:
        yield f"dataset: {chosen!r} is not one of datasets: {', '.join(sorted(data_sets))}"
        return
    settings, path = data_sets[chosen], f"datasets.{chosen}"
    kinds = schema["$defs"]["data_sets"]
    if settings.get("kind") not in list(kinds):
        yield f"{path}.kind: is {settings.get('kind')!r}; it must be one of {', '.join(kinds)}"
    else:
        yield from _schema_problems(settings, kinds[settings["kind"]], path)


def _schema_problems(content: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    validator = jsonschema.Draft202012Validator(schema)
    for error in sorted(validator.iter_errors(content), key=lambda error: [str(part) for part in error.absolute_path]):
        where = _dotted(path, error.absolute_path)
        match error.validator:
            case "additionalProperties":
                known = list(error.schema["properties"])
                for key in sorted(set(error.instance) - set(known), key=str):
                    yield f"{_dotted(where, [key])}: unknown key{_nearest(key, known)}"
            case "required":
                missing = [key for key in error.validator_value if key not in error.instance]
                yield f"{where or 'top level'}: {' and '.join(missing)} is missing"
            case "type":
                wanted = error.validator_value
                kinds = " or ".join([wanted] if isinstance(wanted, str) else wanted)
                yield f"{where}: is {error.instance!r}; it must be of type {kinds}{_number_hint(error.instance)}"
            case "enum":
                near = _nearest(error.instance, error.validator_value)
                yield f"{where}: is {error.instance!r}; it must be one of {', '.join(error.validator_value)}{near}"
            case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
                bound = {
                    "minimum": "at least",
                    "exclusiveMinimum": "more than",
                    "maximum": "at most",
                    "exclusiveMaximum": "less than",
                }[error.validator]
                yield f"{where}: is {error.instance}; it must be {bound} {error.validator_value}"
            case "minItems":
                yield f"{where}: is empty; give at least one"
            case _:
                yield f"{where}: {error.message}"


def _number_hint(value: object) -> str:
    """YAML 1.1 reads 5e-4 as text."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", value):
        return f"; write it as {float(value)!r} or with a point and a sign, as in 1.0e-3"
    return ""


def _dotted(path: str, parts: Sequence[str | int]) -> str:
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _nearest(key: object, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(key), known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"
