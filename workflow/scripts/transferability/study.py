"""A study: one config, checked before anything runs, and the networks it asks for.

Light on purpose: Snakemake reads it on every start, so nothing here imports torch or pandas.
"""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from transferability.architectures import architecture_names
from transferability.groups import read_groups
from transferability.hyperparameters import ENGINE_VERSION, Hyperparameters
from transferability.names import COPYING, DEEPEST_CUT, HALVES, RANDOM_SOURCE, WHOLE, Network, Series, source_of
from transferability.same_images import REFUSE
from transferability.store_folder import DUPLICATES, shaping_settings, store_folder

PROJECT = Path(__file__).parents[3]
SCHEMA = PROJECT / "workflow" / "schemas" / "config.schema.yaml"
MOST_DRAWN_BASES = 12
STAGES = ("base", "reduced", "frozen", "fine_tuned")

# What the classes of an embedded data set are grouped by; other data sets have a file of groups.
EMBEDDED_GROUPS = {"glyphs": ("letter", "symbol")}

_RANDOM_SPLIT = re.compile(r"random(0|[1-9][0-9]*)")
_MOST_SEED = 2**32 - 1  # of numpy's legacy generator, which draws random halves

Key = tuple[str, int, str]  # split, seed and name of a network


class ConfigError(ValueError):
    """The config asks for something that cannot be; the message has a line for each reason."""


@dataclass(frozen=True)
class SplitPlan:
    """A split to be made: at random by ``seed``, by ``groups``, the group of each half, or else of all classes."""

    name: str
    seed: int | None
    groups: Mapping[str, str] | None


@dataclass(frozen=True)
class Study:
    """A checked config.

    Attributes:
        splits: the config's, and the split of all classes, ``whole``, if any network is trained on it.
        halves_series: the series trained for the halves of each split.
        whole_series: the series trained for the whole set.
        reduced: images a class of each base of the whole set that is trained on fewer.
        hyperparameters: by stage, `STAGES`.
    """

    config: Mapping[str, Any]
    splits: Mapping[str, SplitPlan]
    seeds: tuple[int, ...]
    halves_series: tuple[Series, ...]
    whole_series: tuple[Series, ...]
    reduced: tuple[int, ...]
    hyperparameters: Mapping[str, Hyperparameters]

    @property
    def folder(self) -> Path:
        return study_folder(self.config)

    @property
    def data_set(self) -> Mapping[str, Any]:
        """The settings of the chosen data set."""
        return _data_set(self.config)

    @property
    def store_settings(self) -> dict[str, Any]:
        """What shapes the store: a grouping of the classes is none of it, so that a change costs no images."""
        return shaping_settings(self.data_set, self._data_set_schema)

    @property
    def store_folder(self) -> Path:
        """Where the store is; another for whatever would give other images."""
        return store_folder(Path(self.config["stores"]), self.config["dataset"], self.store_settings)

    @property
    def duplicates(self) -> str:
        """Whether validation images may be training images too, ``allow`` or ``refuse``."""
        default = self._data_set_schema.get("properties", {}).get(DUPLICATES, {}).get("default", REFUSE)
        return str(self.data_set.get(DUPLICATES, default))

    @property
    def _data_set_schema(self) -> Mapping[str, Any]:
        schema: Mapping[str, Any] = config_schema()["$defs"]["data_sets"].get(self.data_set["kind"], {})
        return schema

    def require_images(self) -> None:
        """ConfigError if the image files that a store would be made of are not there."""
        if self.data_set["kind"] == "folder" and not Path(self.data_set["root"]).exists():
            raise ConfigError(
                f"config: datasets.{self.config['dataset']}.root: there is no {self.data_set['root']}; "
                "it is a folder, or an archive (tar, zip) of one"
            )

    @property
    def groups_file(self) -> Path | None:
        """The file that says the group of each class, if the data set has one."""
        return _groups_file(self.config)

    @property
    def copying_jobs(self) -> tuple[tuple[bool, int, tuple[int, ...]], ...]:
        """Each kind of job that trains copies: whether they are fine-tuned, how many layers preserved, which depths."""
        every = {(series.fine_tuned, series.preserved) for series in (*self.halves_series, *self.whole_series)}
        return tuple((fine_tuned, kept, chunk) for fine_tuned, kept in sorted(every) for chunk in self.chunks(kept))

    def chunks(self, preserved: int = 0) -> tuple[tuple[int, ...], ...]:
        """The depths of each job that trains a part of a series that preserves so many layers."""
        networks, per_job = self.config["networks"], self.config["running"]["networks_per_job"]
        depths = [n for n in sorted(networks["depths"]) if n + preserved <= DEEPEST_CUT]
        return tuple(tuple(depths[start : start + per_job]) for start in range(0, len(depths), per_job))

    def networks(self) -> Iterator[tuple[str, int, Network]]:
        """Every network of the study, with its split and seed."""
        for split, seed, job in self.jobs():
            for network in job:
                yield split, seed, network

    def files_of_networks(self, paths: Iterable[str]) -> dict[Key, Path]:
        """By split, seed and name of the network, a file of each, given in the order of `networks`."""
        keys = ((split, seed, network.name) for split, seed, network in self.networks())
        return {key: Path(path) for key, path in zip(keys, paths, strict=True)}

    def networks_of(self, split: str) -> Iterator[Network]:
        """The networks of one split, the same for each seed."""
        for job in self._jobs_of(split):
            yield from job

    def asked_of(self, network: Network, store_checksum: str | None = None) -> dict[str, Any]:
        """What a network would be made from today; of the store only if its checksum is known."""
        return {
            "engine_version": ENGINE_VERSION,
            "data_set": self.config["dataset"],
            **({"store_checksum": store_checksum} if store_checksum else {}),
            "architecture": self.config["networks"]["architecture"],
            "preprocessing": self.config["preprocessing"],
            "hyperparameters": self.hyperparameters[network.stage].to_json(),
        }

    def is_current(self, network: Network, made_from: Mapping[str, Any], store_checksum: str | None = None) -> bool:
        """Whether a network, which says what it was made from, has the settings that it would be trained with today."""
        return all(made_from.get(key) == value for key, value in self.asked_of(network, store_checksum).items())

    def current(self, metrics: Mapping[Key, Mapping[str, Any]], store_checksum: str | None = None) -> set[Key]:
        """Of finished networks, by what their metrics say, those that the config asks for as they are.

        A copy is one only if the base that it was copied from is, and is the one that is there; of a base that is not
        there nothing is known.
        """
        current = {
            key
            for key, made in metrics.items()
            if self.is_current(Network.parse(key[2]), made["made_from"], store_checksum)
        }

        def of_todays_base(key: Key) -> bool:
            split, seed, name = key
            source = Network.parse(name).base
            base = (split, seed, Network(source).name) if source else None
            if base is None or base not in metrics:
                return True
            copied, there = metrics[key]["made_from"].get("source_sha256"), metrics[base].get("sha256")
            return base in current and there in {copied, None}  # None: made before it was noted

        return {key for key in current if of_todays_base(key)}

    def drawn_bases(self) -> list[tuple[str, int, Network]]:
        """The bases whose first-layer filters are drawn: of the first seed, as many as fit a picture."""
        seed = self.seeds[0]
        bases = ((split, seed, n) for split in self.splits for n in self.networks_of(split) if n.treatment == "base")
        return list(islice(bases, MOST_DRAWN_BASES))

    def jobs(self) -> Iterator[tuple[str, int, tuple[Network, ...]]]:
        """The networks of every training job, with their split and seed."""
        for split in self.splits:
            jobs = tuple(self._jobs_of(split))
            for seed in self.seeds:
                for job in jobs:
                    yield split, seed, job

    def _jobs_of(self, split: str) -> Iterator[tuple[Network, ...]]:
        targets, every_series = ((WHOLE,), self.whole_series) if split == WHOLE else (HALVES, self.halves_series)
        yield from ((Network(target),) for target in targets)
        if split == WHOLE:
            yield from ((Network(WHOLE, examples_per_class=examples),) for examples in self.reduced)
        for series in every_series:
            for chunk in self.chunks(series.preserved):
                yield tuple(map(series.at, chunk))


def without_running(config: Mapping[str, Any]) -> dict[str, Any]:
    """All that a config says of what is studied, and not how it is run, which changes no result."""
    return {key: value for key, value in config.items() if key != "running"}


def study_folder(config: Mapping[str, Any]) -> Path:
    """Where all outputs of a study are."""
    return Path(config["results"], config["study"])


def states_folder(config: Mapping[str, Any], split: str, seed: str | int) -> Path:
    """Where the training states of a split and seed are, outside of the outputs of any rule."""
    return study_folder(config) / "states" / split / f"seed{seed}"


def event_folder(config: Mapping[str, Any], split: str, seed: str | int) -> Path:
    """Where TensorBoard finds the learning curves of a split and seed."""
    return study_folder(config) / "tensorboard" / split / f"seed{seed}"


def read_study(config: Mapping[str, Any]) -> Study:
    """Check a config and say what it asks for; ConfigError with everything that is wrong."""
    schema = config_schema()
    problems = dict.fromkeys(
        list(_schema_problems(config, schema))
        or list(_data_set_problems(config, schema))
        or list(_study_problems(config))
    )
    if problems:
        raise ConfigError("\n".join(f"config: {problem}" for problem in problems))
    halves_series, whole_series = _series_of(config["networks"])
    plans = [*map(_split_plan, config["splits"])]
    if whole_series or config["networks"]["reduced"]:
        plans.append(SplitPlan(WHOLE, None, None))
    return Study(
        config=config,
        splits={plan.name: plan for plan in plans},
        seeds=tuple(config["seeds"]),
        halves_series=halves_series,
        whole_series=whole_series,
        reduced=tuple(sorted(config["networks"]["reduced"])),
        hyperparameters={stage: _hyperparameters(config["training"], stage) for stage in STAGES},
    )


@cache
def config_schema() -> Mapping[str, Any]:
    """The file's schema, and in it the names that the library defines, so that they are said in one place."""
    schema: Mapping[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    networks = schema["properties"]["networks"]["properties"]
    networks["architecture"]["enum"] = architecture_names()
    networks["treatments"]["items"]["enum"] = COPYING
    colours = schema["properties"]["figures"]["properties"]["colours"]
    colours["properties"] = {
        treatment: {"type": "string", "description": f"Of {treatment} networks."} for treatment in ("base", *COPYING)
    }
    return schema


def _hyperparameters(training: Mapping[str, Any], stage: str) -> Hyperparameters:
    common = {key: value for key, value in training.items() if key not in STAGES}
    return Hyperparameters(**{**common, **training[stage]})


def _series_of(networks: Mapping[str, Any]) -> tuple[tuple[Series, ...], tuple[Series, ...]]:
    """The series trained for halves, and those trained for the whole set."""
    halves, whole = [], []
    for treatment in networks["treatments"]:
        kind, fine_tuned = treatment.removesuffix("+"), treatment.endswith("+")
        if kind == "random" and networks["random_for"] == WHOLE:
            whole.append(Series(RANDOM_SOURCE, WHOLE, fine_tuned))
            continue
        for target in HALVES:
            source = source_of(kind, target)
            halves.append(Series(source, target, fine_tuned))
            if source in HALVES and not fine_tuned:
                halves += [Series(source, target, preserved=layers) for layers in sorted(networks["preserve"])]
    return tuple(halves), tuple(whole)


def _split_plan(entry: str | Mapping[str, str]) -> SplitPlan:
    if isinstance(entry, str):
        return SplitPlan(entry, int(entry.removeprefix("random")), None)
    return SplitPlan(entry["name"], None, {half: entry[half] for half in HALVES})


def _data_set(config: Mapping[str, Any]) -> Mapping[str, Any]:
    settings: Mapping[str, Any] = config["datasets"][config["dataset"]]
    return settings


def _groups_file(config: Mapping[str, Any]) -> Path | None:
    """Paths are relative to where Snakemake runs; the project's own resources are found from anywhere."""
    given = _data_set(config).get("groups")
    if given is None:
        return None
    return Path(given) if Path(given).exists() else PROJECT / given if (PROJECT / given).exists() else Path(given)


def _study_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """What a schema cannot say."""
    depths = config["networks"]["depths"]
    for n in depths:
        if not 1 <= n <= DEEPEST_CUT:
            yield (
                f"networks.depths: {n} is outside the network; it has {DEEPEST_CUT + 1} learned layers, "
                f"so n goes from 1 to {DEEPEST_CUT}"
            )
    for preserved in config["networks"]["preserve"]:
        if not any(1 <= n <= DEEPEST_CUT - preserved for n in depths):
            yield (
                f"networks.preserve: {preserved} more layers than n = {min(depths)}, the least of networks.depths, "
                f"are more than the {DEEPEST_CUT} that can be copied"
            )
    treatments = config["networks"]["treatments"]
    if config["networks"]["preserve"] and not {"selffer", "transfer"} & set(treatments):
        yield (
            "networks.preserve: is for frozen selffer and transfer networks, but networks.treatments has neither; "
            "add one, or set it to []"
        )
    for key in ("results", "stores"):
        if any(sign in config[key] for sign in "{}") or config[key].startswith("~"):
            yield f"{key}: is {config[key]!r}; it must be a folder's path, without braces and with ~ written out"
    names = [entry if isinstance(entry, str) else entry["name"] for entry in config["splits"]]
    for key, values in (
        ("networks.depths", depths),
        ("networks.preserve", config["networks"]["preserve"]),
        ("networks.reduced", config["networks"]["reduced"]),
        ("seeds", config["seeds"]),
        ("splits", names),
    ):
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield f"{key}: {value} is there twice"
    try:
        groups = _groups_of(config)
    except (ValueError, OSError) as error:
        yield f"datasets.{config['dataset']}.groups: {error}"
        return
    for entry in config["splits"]:
        yield from _split_problems(entry, groups)
    settings = {stage: _hyperparameters(config["training"], stage) for stage in STAGES}
    trained = [stage for stage in STAGES if stage != "reduced" or config["networks"]["reduced"]]
    stages = [stage for stage in trained if settings[stage].evaluate_every > settings[stage].iterations]
    if stages:
        worst = settings[stages[0]]
        yield (
            f"training: evaluate_every is {worst.evaluate_every}, more than the {worst.iterations} iterations of "
            f"{' and '.join(stages)} networks"
        )


def _groups_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    file = _groups_file(config)
    if file is None:
        return EMBEDDED_GROUPS.get(_data_set(config)["kind"], ())
    return tuple(sorted(set(read_groups(file).values())))


def _split_problems(entry: str | Mapping[str, str], groups: tuple[str, ...]) -> Iterator[str]:
    if isinstance(entry, str):
        if not _RANDOM_SPLIT.fullmatch(entry):
            yield f"splits: {entry!r} is not random and a seed, such as random0; a split by group has name, A and B"
        elif int(entry.removeprefix("random")) > _MOST_SEED:
            yield f"splits: {entry} has a seed above {_MOST_SEED}, the highest there is"
    elif entry["name"] == WHOLE:
        yield f"splits: {WHOLE} is the name of the split of all classes; give the split by group another"
    elif _RANDOM_SPLIT.fullmatch(entry["name"]):
        yield f"splits: {entry['name']} is the name of a random split; give the split by group another"
    else:
        if entry["A"] == entry["B"]:
            yield f"splits: {entry['name']} has the group {entry['A']!r} on both sides; A and B must differ"
        for half in HALVES:
            if entry[half] not in groups:
                yield (
                    f"splits: {entry['name']} asks for the group {entry[half]!r} in {half}, which the data set lacks; "
                    f"{'its groups are ' + ' and '.join(groups) if groups else 'name a file of groups in datasets'}"
                )


def _data_set_problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    chosen, data_sets = config["dataset"], config["datasets"]
    if chosen not in data_sets:
        yield f"dataset: {chosen!r} is not one of datasets: {', '.join(sorted(map(str, data_sets)))}"
        return
    settings, path = data_sets[chosen], f"datasets.{chosen}"
    kinds = schema["$defs"]["data_sets"]
    if settings.get("kind") not in list(kinds):
        yield f"{path}.kind: is {settings.get('kind')!r}; it must be one of {', '.join(kinds)}"
    else:
        yield from _schema_problems(settings, kinds[settings["kind"]], path)


def _is_integer(_checker: object, value: object) -> bool:
    """JSON knows no difference between 7 and 7.0, and no bounds; the code that counts with them does."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**53


def _is_number(checker: object, value: object) -> bool:
    """YAML also has .inf and .nan."""
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def _schema_problems(content: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    validator = _Validator(schema)
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
                allowed = ", ".join(map(str, error.validator_value))
                yield f"{where}: is {error.instance!r}; it must be one of {allowed}{near}"
            case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
                bound = {
                    "minimum": "at least",
                    "exclusiveMinimum": "more than",
                    "maximum": "at most",
                    "exclusiveMaximum": "less than",
                }[error.validator]
                yield f"{where}: is {error.instance}; it must be {bound} {error.validator_value}"
            case "uniqueItems":
                yield f"{where}: something is there twice"
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
        key = str(part) if str(part).isprintable() else repr(part)
        path += f"[{part}]" if isinstance(part, int) else f".{key}" if path else key
    return path


def _nearest(key: object, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(key), list(map(str, known)), n=1)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(map(str, known))}"
