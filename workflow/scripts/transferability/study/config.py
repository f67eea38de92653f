"""A config, read once: plain values, paths in one spelling, and what no schema can say checked."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transferability.files import PROJECT
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
from transferability.study.groups import read_groups
from transferability.study.image_keys import preprocessing_problems
from transferability.study.names import HALVES, IMAGES, RANDOM, WHOLE, seed_of_split, source_of, split_type_of
from transferability.study.schema import (
    ConfigError,
    config_schema,
    dotted,
    in_yaml,
    on_one_line,
    schema_problems,
    with_integers,
)
from transferability.study.settings import FEW_IMAGES, SOURCE, Hyperparameters, Preprocessing, Settings
from transferability.study.training_keys import training_problems
from transferability.words import enumerated

STAGES = ("base", "reduced", "frozen", "fine_tuned")

# What the classes of an embedded data set are grouped by, and the setting that says how many classes a group has; other
# data sets have a file of groups.
EMBEDDED_GROUPS = {"glyphs": {"letter": "letters", "symbol": "symbols"}}

_OF_NAME = {RANDOM: "random split", IMAGES: "split by images"}
_MOST_SEED = 2**32 - 1  # of numpy's legacy generator, which draws halves


def read_config(config: Mapping[str, Any], beside: Sequence[Path] = ()) -> dict[str, Any]:
    """The config as it is used: plain Python values, paths in one spelling, and depths as numbers.

    Args:
        config: as it was read.
        beside: folders in which the file of a network is looked for first.

    Raises:
        ConfigError: with all that is wrong.
    """
    schema = config_schema()
    try:
        plain = with_integers(_plain(config), schema)
    except RecursionError:
        raise ConfigError("config: it holds itself, or is nested too deeply") from None
    _raise(_text_problems(plain, ()))
    _raise(schema_problems(plain, schema))
    _raise(_data_set_problems(plain, schema))
    plain["datasets"] |= {plain["dataset"]: with_integers(data_set_of(plain), _kind_schema(plain, schema))}
    _raise(path_problems(plain, data_set_of(plain)))
    located = with_paths(plain)
    _raise(place_problems(located))
    _raise(iter(architecture_problems(located["networks"], beside)))
    located = with_network(located, beside)
    _raise(_study_problems(located))
    return located


def _raise(problems: Iterator[str]) -> None:
    if found := dict.fromkeys(problems):
        raise ConfigError("\n".join(f"config: {problem}" for problem in found))


def data_set_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of the chosen data set."""
    settings: Mapping[str, Any] = config["datasets"][config["dataset"]]
    return settings


def groups_file_of(config: Mapping[str, Any]) -> Path | None:
    """The data set's file of groups, if it has one.

    Paths are relative to where Snakemake runs; the project's own resources are found from anywhere.
    """
    given = data_set_of(config).get("groups")
    if given is None:
        return None
    return Path(given) if Path(given).exists() else PROJECT / given if (PROJECT / given).exists() else Path(given)


def settings_of(config: Mapping[str, Any], stage: str) -> Settings:
    """What shapes a stage's networks."""
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
    """Mappings and lists of any type, such as a JSON config's, as Python's own, so that all can be printed as YAML."""
    match value:
        case Mapping():
            return {str(key) if isinstance(key, str) else key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case str():
            return str(value)
    return value


def _text_problems(value: Any, place: tuple[object, ...]) -> Iterator[str]:
    """Text that is none: no file and no page can hold it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _text_problems(key, place)
            yield from _text_problems(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _text_problems(inner, (*place, index))
    elif isinstance(value, str) and any("\ud800" <= sign <= "\udfff" or sign == "\0" for sign in value):
        yield f"{dotted('', place) or 'top level'}: {value!r} has characters that are not Unicode text"


def _kind_schema(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    kind: Mapping[str, Any] = schema["$defs"]["data_sets"][data_set_of(config)["kind"]]
    return kind


def _data_set_problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    chosen, data_sets = config["dataset"], config["datasets"]
    if chosen not in data_sets:
        yield f"dataset: {chosen!r} is not one of datasets: {', '.join(sorted(map(str, data_sets)))}"
        return
    settings, path, kinds = data_sets[chosen], f"datasets.{chosen}", list(schema["$defs"]["data_sets"])
    if settings.get("kind") not in kinds:
        yield f"{path}.kind: is {settings.get('kind')!r}; it must be one of {', '.join(kinds)}"
    else:
        kind = _kind_schema(config, schema)
        problems = list(schema_problems(with_integers(settings, kind), kind, path))
        if settings["kind"] == "folder" and not problems:
            problems = list(contradictions(chosen, FolderKeys.of(settings)))
        yield from problems


def _study_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """What a schema cannot say of networks, splits, images and training."""
    yield from _depth_problems(config["networks"], network_layers(config))
    yield from _own_network_problems(config["networks"])
    yield from _duplicates(config)
    yield from _treatment_problems(config)
    yield from preprocessing_problems(config["preprocessing"], config["dataset"], data_set_of(config))
    yield from _half_problems(config)
    yield from amount_problems(config, data_set_of(config).get("training_per_class"))
    trained = [stage for stage in STAGES if stage != "reduced" or config["networks"]["reduced"]]
    yield from training_problems(config["training"], {stage: _hyperparameters_of(config, stage) for stage in trained})


def fine_tuned_depths(networks: Mapping[str, Any]) -> list[int]:
    """The depths at which there are + networks, by the config's section ``networks``."""
    return sorted(set(networks["depths"]).intersection(networks["fine_tuned_depths"] or networks["depths"]))


def _own_network_problems(networks: Mapping[str, Any]) -> Iterator[str]:
    """Keys that are for other networks than this project's own, which have their layers in their files."""
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
            f"networks.depths: {architecture} has no cut at {', '.join(outside)}; they are n = 1 to {deepest_cut}, "
            f"{layers[0]} to {layers[-2]}"
        )
    if any(treatment.endswith("+") for treatment in treatments) and not fine_tuned_depths(networks):
        yield (
            f"networks.fine_tuned_depths: none of {enumerated(networks['fine_tuned_depths'])} is in networks.depths, "
            f"{enumerated(depths)}; give some that are, or [] for all of them"
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
    """Transfer is from a half to the other."""
    if config["splits"] != [WHOLE]:
        return
    for treatment in config["networks"]["treatments"]:
        if not source_of(treatment.removesuffix("+"), WHOLE):
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
            yield f"{key}: {on_one_line(str(value))} is there twice"
    for lower, count in Counter(name.lower() for name in dict.fromkeys(names)).items():
        if count > 1:
            alike = " and ".join(sorted({name for name in names if name.lower() == lower}))
            yield f"splits: {alike} differ only in case, and some file systems take them for one; rename one"


def _half_problems(config: Mapping[str, Any]) -> Iterator[str]:
    key = f"datasets.{config['dataset']}.groups"
    try:
        groups = _classes_by_group(config)
    except OSError as error:
        yield f"{key}: {groups_file_of(config)}: cannot be read ({error.strerror})"
        return
    except ValueError as error:
        yield f"{key}: {error}"
        return
    for entry in config["splits"]:
        yield from _split_problems(entry, groups)


def _classes_by_group(config: Mapping[str, Any]) -> Mapping[str, int]:
    """How many classes each group has, as far as that is known; of a file of groups, at most."""
    settings, file = data_set_of(config), groups_file_of(config)
    if file is None:
        embedded = EMBEDDED_GROUPS.get(settings["kind"], {})
        return {group: settings[count] for group, count in embedded.items()}
    if file.is_dir():
        raise ValueError(f"{file}: is a folder; it takes a CSV file with the columns class and group")
    return dict(sorted(Counter(read_groups(file).values()).items()))


def _split_problems(entry: str | Mapping[str, str], groups: Mapping[str, int]) -> Iterator[str]:
    name = entry if isinstance(entry, str) else entry["name"]
    split_type, seed = split_type_of(name), seed_of_split(name)
    if seed is not None and seed > _MOST_SEED:
        yield f"splits: {name} has a seed above {_MOST_SEED}, the highest there is"
    elif isinstance(entry, str):
        yield from _random_split_problems(name, split_type, sum(groups.values()))
    elif "by" in entry:
        yield from _images_split_problems(entry, split_type)
    elif split_type == WHOLE:
        yield f"splits: {WHOLE} is the name of the split of all classes; give the split by group another"
    elif seed is not None:
        yield f"splits: {name} is the name of a {_OF_NAME[split_type]}; give the split by group another"
    else:
        yield from _semantic_split_problems(entry, groups)


def _images_split_problems(entry: Mapping[str, str], split_type: str) -> Iterator[str]:
    name = entry["name"]
    if also := [half for half in HALVES if half in entry]:
        yield f"splits: {name} has by and {' and '.join(also)}; a split by images has name and by, one by group A and B"
    if split_type != IMAGES:
        yield f"splits: {name} is by images, whose name is images and a seed, such as images0"


def _random_split_problems(name: str, split_type: str, classes: int) -> Iterator[str]:
    if split_type == IMAGES:
        yield f"splits: {name} is the name of a split by images; write it as {{name: {name}, by: images}}"
    elif split_type == WHOLE:
        return
    elif split_type != RANDOM:
        yield f"splits: {name!r} is not whole, or random and a seed, such as random0; a split by group has name, A, B"
    elif 0 < classes < 2 * len(HALVES):
        yield f"splits: {name} cuts {classes} classes into halves; it takes at least 4, 2 for each half to tell apart"


def _semantic_split_problems(entry: Mapping[str, str], groups: Mapping[str, int]) -> Iterator[str]:
    name = entry["name"]
    if entry["A"] == entry["B"]:
        yield f"splits: {name} has the group {entry['A']!r} on both sides; A and B must differ"
    for half in HALVES:
        if entry[half] not in groups:
            known = f"its groups are {' and '.join(map(in_yaml, groups))}"
            yield (
                f"splits: {name} asks for the group {entry[half]!r} in {half}, which the data set lacks; "
                f"{known if groups else 'name a file of groups in datasets'}"
            )
        elif groups[entry[half]] < 2:
            yield (
                f"splits: {name} asks for the group {entry[half]!r} in {half}, which has 1 class; "
                "it takes at least 2 to tell apart"
            )
