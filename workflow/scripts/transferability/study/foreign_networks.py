"""Networks that are not this project's own, as a study knows them: by their layers, described once and then cached.

Describing a network builds and runs it, in a separate process, because Snakemake otherwise starts without torch.
"""

import ast
import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from transferability.networks.architectures import architecture_layers, architecture_names
from transferability.networks.local_imports import CodeError, imported_files, parsed
from transferability.study.asking import FOLDER, AskingError, ask, remember, remembered, short_digest, versions_of
from transferability.study.config_paths import found_beside, one_spelling, places_in_words
from transferability.study.image_keys import image_channels, image_side
from transferability.study.schema import ConfigError, on_one_line
from transferability.study.settings import SOURCE, Foreign
from transferability.study.split_plan import data_sets_of_splits

LIBRARIES = ("torchvision", "timm")
_DESCRIPTION_VERSION = 4  # raised when networks would be described differently
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_UNKNOWN_SIDE, _UNKNOWN_CHANNELS = 224, 3


@dataclass(frozen=True)
class Description:
    """What is known of a network.

    Attributes:
        cuts: the names of the modules after which it is cut, lowest first.
        layers: the names of its layers, one more than cuts.
        parameters: how many each layer has.
        operations: floating-point operations per image of each layer's forward pass.
        shapes: those of the features that each layer returns, without the batch dimension.
        filters: name of the weights of the lowest convolution, if it is of gray or color images; otherwise empty.
        points: the modules at which it can or cannot be cut, lowest first, as `networks.describe` gives them.
    """

    cuts: tuple[str, ...]
    layers: tuple[str, ...]
    parameters: tuple[int, ...]
    operations: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    filters: str
    points: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Question:
    """What `networks.describe` is asked."""

    architecture: str
    options: tuple[tuple[str, Any], ...]
    cuts: str | tuple[str, ...]
    image_shape: tuple[int, int, int]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "options": dict(self.options)}


def is_foreign(networks: Mapping[str, Any]) -> bool:
    """Whether the config's section ``networks`` has an architecture that is not this project's own."""
    return networks["architecture"] not in architecture_names()


def network_layers(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the layers of a config's network, lowest first; ConfigError if it cannot be cut into layers."""
    networks = config["networks"]
    return description_of(config).layers if is_foreign(networks) else architecture_layers(networks["architecture"])


def network_filters(config: Mapping[str, Any]) -> str:
    """How the name of a config's first-layer filters begins; empty if its network has none that can be plotted."""
    foreign = is_foreign(config["networks"])
    return description_of(config).filters if foreign else f"{network_layers(config)[0]}."


def foreign_settings(config: Mapping[str, Any], stage: str) -> Foreign | None:
    """The settings of a config's networks of a stage if they are not this project's own."""
    networks = config["networks"]
    if not is_foreign(networks):
        return None
    return Foreign(
        cuts=description_of(config).cuts,
        options=_options(networks),
        code_sha256=_code_digest(networks["architecture"]),
        frozen_batch_norm=networks["batch_norm"]["frozen"] if stage == "frozen" else SOURCE,
    )


def description_of(config: Mapping[str, Any]) -> Description:
    """The description of a config's network, made now if it is not cached; ConfigError if it cannot be studied."""
    networks, cuts = config["networks"], config["networks"]["cuts"]
    asked = Question(
        architecture=networks["architecture"],
        options=_options(networks),
        cuts=cuts if isinstance(cuts, str) else tuple(cuts),
        image_shape=seen_shape(config),
    )
    return _description(asked, Path(config["results"], FOLDER), _code_digest(asked.architecture))


@lru_cache
def _description(asked: Question, folder: Path, code_digest: str) -> Description:
    about = short_digest([_DESCRIPTION_VERSION, asked.to_json(), code_digest])
    name = asked.architecture.replace("/", "-").replace(":", "-")
    file = folder / f"{name}-{about}.json"
    found = remembered(file)
    versions = _versions(asked.architecture)
    # Without torch it cannot be described again: another Python's description will do.
    if found is None or ("torch" in versions and found["versions"] != versions):
        found = {**_ask(asked), "versions": versions}
        remember(file, found)
    return Description(
        cuts=tuple(found["cuts"]),
        layers=tuple(found["layers"]),
        parameters=tuple(found["parameters"]),
        operations=tuple(found["operations"]),
        shapes=tuple(map(tuple, found["shapes"])),
        filters=found["filters"],
        points=tuple(found["points"]),
    )


def _ask(asked: Question) -> dict[str, Any]:
    try:
        return ask("networks.describe", asked.to_json())
    except AskingError as error:
        raise refusal(asked, str(error)) from error


def refusal(asked: Question, why: str) -> ConfigError:
    """The error for a network that cannot be studied."""
    return ConfigError(f"config: networks.architecture: {on_one_line(asked.architecture)}: {why}")


def _options(networks: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(networks["options"].items()))


def seen_shape(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """Height, width and channels of what the network sees, as far as the config says it; otherwise the usual ones."""
    data_sets = [config["datasets"][name] for name in data_sets_of_splits(config)]
    side = config["preprocessing"]["crop"] or image_side(data_sets[0]) or _UNKNOWN_SIDE
    return side, side, max(image_channels(settings) or _UNKNOWN_CHANNELS for settings in data_sets)


def _versions(architecture: str) -> dict[str, str]:
    """The versions of torch and of the library, if they are installed."""
    library = architecture.partition("/")[0]
    packages = ("torch", library) if library in LIBRARIES else ("torch",)
    return versions_of(packages)


def _file_of(architecture: str) -> str:
    """The path in the name of a network that is in a file; otherwise empty."""
    path, _, _ = architecture.rpartition(":")
    return path if path.endswith(".py") else ""


@lru_cache
def _code_digest(architecture: str) -> str:
    """SHA-256 of the code in a network's file and in those beside it that it imports; empty if it is not in a file.

    Comments, docstrings and layout do not count.
    """
    if not (path := _file_of(architecture)):
        return ""
    file = Path(path)
    try:
        own = _digest_of(file)
        beside = {name: _digest_of(file.resolve().parent / name) for name in imported_files(file)}
    except CodeError as error:
        raise ConfigError(f"config: networks.architecture: {error}") from error
    return hashlib.sha256(json.dumps([own, beside]).encode()).hexdigest() if beside else own


def _digest_of(file: Path) -> str:
    code = parsed(file)
    for node in ast.walk(code):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return hashlib.sha256(repr(_plain(code)).encode()).hexdigest()


def _plain(part: object) -> object:
    """A part of a syntax tree without empty fields, which some versions of Python lack."""
    if isinstance(part, ast.AST):
        fields = ((name, _plain(value)) for name, value in ast.iter_fields(part) if value is not None and value != [])
        return type(part).__name__, sorted(fields, key=lambda field: field[0])
    return [_plain(one) for one in part] if isinstance(part, list) else part


def architecture_problems(networks: Mapping[str, Any], beside: Sequence[Path]) -> list[str]:
    """What is wrong with an architecture's name, checked before any of its code runs."""
    name = networks["architecture"]
    library, slash, model = name.partition("/")
    path = _file_of(name)
    if name in architecture_names() or (library in LIBRARIES and slash and model and not path):
        return []
    if path:
        tried = places_in_words(path, beside)
        return [] if found_beside(path, beside) else [f"networks.architecture: there is no file {tried}"]
    own = architecture_names()
    file, colon, function = name.partition(":")
    near = difflib.get_close_matches(name, own, n=1)
    meant = f"{file}.py:{function}" if colon else near[0] if near else f"torchvision/{name}"
    return [
        f"networks.architecture: is {name!r}; it must be one of {', '.join(own)}, or torchvision/<name>, timm/<name>, "
        f"or <file>.py:<callable>; did you mean {on_one_line(meant)}?"
    ]


def with_network(config: Mapping[str, Any], beside: Sequence[Path]) -> dict[str, Any]:
    """The config with the path of its network's file normalized, and with all depths as numbers.

    Args:
        config: one whose architecture has a valid name.
        beside: folders that are searched first for a file, those of config files.
    """
    networks = dict(config["networks"])
    if (path := _file_of(networks["architecture"])) and networks["architecture"] not in architecture_names():
        _, _, function = networks["architecture"].rpartition(":")
        networks["architecture"] = f"{one_spelling(str(found_beside(path, beside)))}:{function}"
    located = {**config, "networks": networks}
    if networks["depths"] == "all":
        networks["depths"] = list(range(1, len(network_layers(located))))
    match networks["fine_tuned_depths"]:
        case "all":
            networks["fine_tuned_depths"] = []
        case "spread":
            depths = sorted(networks["depths"])
            networks["fine_tuned_depths"] = sorted({depths[0], depths[len(depths) // 2], depths[-1]})
    return located
