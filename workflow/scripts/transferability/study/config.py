"""A config, read once: plain values, normalized paths, and the checks that no schema can express."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transferability.networks.layer_plan import PROBE_THEN_TUNE, STATISTICS
from transferability.study.amounts import amount_problems
from transferability.study.config_paths import path_problems, place_problems, with_paths
from transferability.study.folder_keys import FolderKeys, contradictions
from transferability.study.foreign_networks import (
    architecture_problems,
    foreign_settings,
    is_foreign,
    network_layers,
    with_network,
)
from transferability.study.image_keys import preprocessing_problems
from transferability.study.names import WHOLE, source_of
from transferability.study.network_options import channel_problems, option_problems
from transferability.study.plan_keys import plan_problems
from transferability.study.planned_treatments import plan_of
from transferability.study.pretrained_weights import source_problems, with_pretrained
from transferability.study.schema import (
    ConfigError,
    config_schema,
    dotted,
    kind_schema,
    on_one_line,
    schema_problems,
    with_integers,
)
from transferability.study.settings import FEW_IMAGES, SOURCE, Hyperparameters, Preprocessing, Settings
from transferability.study.split_keys import split_problems
from transferability.study.split_plan import data_sets_of_splits, data_sets_together
from transferability.study.training_keys import training_problems
from transferability.words import enumerated

STAGES = ("base", "reduced", "frozen", "fine_tuned")


def read_config(config: Mapping[str, Any], beside: Sequence[Path] = ()) -> dict[str, Any]:
    """The config as it is used: plain Python values, normalized paths, and depths as numbers.

    Args:
        config: as it was read.
        beside: folders that are searched first for the file of a network.

    Raises:
        ConfigError: something is wrong; the message has a line for each problem.
    """
    schema = config_schema()
    try:
        plain = with_integers(_plain(config), schema)
    except RecursionError:
        raise ConfigError("config: it contains itself, or is nested too deeply") from None
    _raise(_text_problems(plain, ()))
    _raise(_defaults_problems(plain, schema))
    _raise(option_problems(plain))
    _raise(schema_problems(plain, schema))
    _raise(_data_set_problems(plain, schema))
    used = data_sets_of_splits(plain)
    for name in used:
        plain["datasets"] |= {
            name: with_integers(plain["datasets"][name], kind_schema(plain["datasets"][name]["kind"]))
        }
    _raise(path_problems(plain, used))
    located = with_paths(plain, used)
    _raise(place_problems(located))
    _raise(iter(architecture_problems(located["networks"], beside)))
    _raise(channel_problems(located))
    located = with_network(located, beside)
    _raise(source_problems(located["networks"], beside))
    located = with_pretrained(located, beside)
    _raise(_study_problems(located))
    return located


def _raise(problems: Iterator[str]) -> None:
    if found := dict.fromkeys(problems):
        raise ConfigError("\n".join(f"config: {problem}" for problem in found))


def settings_of(config: Mapping[str, Any], stage: str) -> Settings:
    """The settings that determine a stage's networks."""
    return Settings(
        architecture=config["networks"]["architecture"],
        preprocessing=Preprocessing.from_json(config["preprocessing"]),
        hyperparameters=_hyperparameters_of(config, stage),
        foreign=foreign_settings(config, stage),
    )


def _hyperparameters_of(config: Mapping[str, Any], stage: str) -> Hyperparameters:
    training = config["training"]
    common = {key: value for key, value in training.items() if key not in (*STAGES, FEW_IMAGES)}
    return Hyperparameters(**{**common, **training[stage]})


def _plain(value: Any) -> Any:
    """Mappings and lists of any type, such as a JSON config's, as Python's own, which can be printed as YAML."""
    match value:
        case Mapping():
            return {str(key) if isinstance(key, str) else key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case str():
            return str(value)
    return value


def _defaults_problems(config: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """A run in a folder without config.yaml: better one sentence than all of the keys that are missing."""
    missing = [key for key in schema["required"] if key not in config] if isinstance(config, dict) else []
    if len(missing) > len(schema["required"]) / 2:
        yield (
            f"{', '.join(missing[:3])} and others are missing: the defaults, in config.yaml of the folder that "
            "Snakemake runs in; run it in the project's folder, and give only what differs by --configfile"
        )


def _text_problems(value: Any, place: tuple[object, ...]) -> Iterator[str]:
    """Text that is not valid Unicode, which no file or page can hold."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _text_problems(key, place)
            yield from _text_problems(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _text_problems(inner, (*place, index))
    elif isinstance(value, str) and any("\ud800" <= sign <= "\udfff" or sign == "\0" for sign in value):
        yield f"{dotted('', place) or 'top level'}: {value!r} has characters that are not Unicode text"


def _data_set_problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    data_sets, kinds = config["datasets"], list(schema["$defs"]["data_sets"])
    for chosen in data_sets_of_splits(config):
        if chosen not in data_sets:
            place = "dataset" if chosen == config["dataset"] else "splits"
            yield f"{place}: {chosen!r} is not one of datasets: {', '.join(sorted(map(str, data_sets)))}"
            continue
        settings, path = data_sets[chosen], f"datasets.{chosen}"
        if settings.get("kind") not in kinds:
            yield f"{path}.kind: is {settings.get('kind')!r}; it must be one of {', '.join(kinds)}"
            continue
        kind = kind_schema(settings["kind"])
        problems = list(schema_problems(with_integers(settings, kind), kind, path))
        if settings["kind"] == "folder" and not problems:
            problems = list(contradictions(chosen, FolderKeys.of(settings)))
        yield from problems


def _study_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Problems with networks, splits, images and training that a schema cannot express."""
    networks, layers = config["networks"], network_layers(config)
    yield from _depth_problems(networks, layers)
    iterations = _hyperparameters_of(config, "fine_tuned").iterations
    yield from plan_problems(networks["treatments"], networks["depths"], len(layers) - 1, iterations)
    yield from _own_network_problems(config["networks"])
    yield from _duplicates(config)
    yield from _treatment_problems(config)
    for names in data_sets_together(config):
        yield from preprocessing_problems(config["preprocessing"], {name: config["datasets"][name] for name in names})
    yield from split_problems(config)
    yield from amount_problems(config)
    trained = [stage for stage in STAGES if stage != "reduced" or config["networks"]["reduced"]]
    yield from training_problems(config["training"], {stage: _hyperparameters_of(config, stage) for stage in trained})


def fine_tuned_depths(networks: Mapping[str, Any]) -> list[int]:
    """The depths of + networks, according to the config's section ``networks``."""
    return sorted(set(networks["depths"]).intersection(networks["fine_tuned_depths"] or networks["depths"]))


def planned_depths(networks: Mapping[str, Any], plan: str, layers: int) -> list[int]:
    """The depths of networks with a plan, given how many layers the networks have.

    `PROBE_THEN_TUNE` has the depths of + networks, with which it is compared; `STATISTICS` needs a layer between the
    n-th and the head.
    """
    chosen = fine_tuned_depths(networks) if plan == PROBE_THEN_TUNE else sorted(networks["depths"])
    return [n for n in chosen if n < layers - (plan == STATISTICS)]


def _own_network_problems(networks: Mapping[str, Any]) -> Iterator[str]:
    """Keys that do not apply to this project's own networks, whose layers are defined in their files."""
    if is_foreign(networks):
        return
    architecture = networks["architecture"]
    if networks["options"]:
        yield f"networks.options: {architecture} takes none; they are for networks of torchvision, timm or a file"
    if networks["batch_norm"]["frozen"] != SOURCE:
        yield f"networks.batch_norm.frozen: {architecture} has no batch norm; set it to {SOURCE}"
    if not isinstance(networks["cuts"], str):
        yield f"networks.cuts: {architecture} has its own layers; remove it, or set it to stages"


def _depth_problems(networks: Mapping[str, Any], layers: Sequence[str]) -> Iterator[str]:
    depths, treatments, architecture = networks["depths"], networks["treatments"], networks["architecture"]
    deepest_cut = len(layers) - 1
    if outside := [str(n) for n in depths if not 1 <= n <= deepest_cut]:
        yield (
            f"networks.depths: {architecture} has no cut at {', '.join(outside)}; its cuts are n = 1 to {deepest_cut}, "
            f"{layers[0]} to {layers[-2]}"
        )
    fine_tuned = any(treatment.endswith("+") or plan_of(treatment) == PROBE_THEN_TUNE for treatment in treatments)
    if fine_tuned and not fine_tuned_depths(networks):
        yield (
            f"networks.fine_tuned_depths: none of {enumerated(networks['fine_tuned_depths'])} is in networks.depths, "
            f"{enumerated(depths)}; give some that are, or all"
        )
    for preserved in networks["preserve"]:
        if not any(1 <= n <= deepest_cut - preserved for n in depths):
            yield (
                f"networks.preserve: {preserved} more layers than n = {min(depths)}, the least of networks.depths, "
                f"are more than the {deepest_cut} of {architecture} that can be copied"
            )
    if networks["preserve"] and not {"selffer", "transfer"} & set(treatments):
        yield (
            "networks.preserve: is for frozen selffer and transfer networks, but networks.treatments has neither; "
            "add one, or set it to []"
        )


def _treatment_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Treatments that transfer from the other half, if there is none."""
    if config["splits"] != [WHOLE]:
        return
    for treatment in config["networks"]["treatments"]:
        if not source_of(treatment, WHOLE):
            yield (
                f"networks.treatments: {treatment} copies from another half, but splits has none, only {WHOLE}; remove "
                "it, or add a split such as random0"
            )


def _duplicates(config: Mapping[str, Any]) -> Iterator[str]:
    names = [entry if isinstance(entry, str) else entry["name"] for entry in config["splits"]]
    for key, values in (
        ("networks.depths", config["networks"]["depths"]),
        ("networks.fine_tuned_depths", config["networks"]["fine_tuned_depths"]),
        ("networks.preserve", config["networks"]["preserve"]),
        ("networks.reduced", config["networks"]["reduced"]),
        ("networks.examples_per_class", list(map(str, config["networks"]["examples_per_class"]))),
        ("seeds", config["seeds"]),
        ("splits", names),
    ):
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield f"{key}: {on_one_line(str(value))} appears twice"
    for lower, count in Counter(name.lower() for name in dict.fromkeys(names)).items():
        if count > 1:
            alike = " and ".join(sorted({name for name in names if name.lower() == lower}))
            yield f"splits: {alike} differ only in case, and some file systems treat them as one; rename one"
