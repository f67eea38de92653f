"""Published weights as a study knows them: where they are, whether they fit its network, what images they are for.

What only torch can find out is asked of `transferability.networks.pretrained`, in a separate process, and cached.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from transferability.files import sha256_of
from transferability.study.asking import FOLDER, AskingError, ask, remember, remembered, short_digest
from transferability.study.config_paths import found_beside, one_spelling, places_in_words
from transferability.study.foreign_networks import LIBRARIES, foreign_settings, seen_shape
from transferability.study.names import HALVES, OTHER_SOURCES, PRETRAINED_SOURCE
from transferability.study.planned_treatments import kind_of
from transferability.study.schema import ConfigError, in_yaml, on_one_line

DOWNLOADS = "pretrained"  # the folder of downloads, in the folder of all results
AS_PRETRAINED = "pretrained"  # value of preprocessing.mean: what the weights say about their images
_EXAMPLES = "weights.safetensors, weights.pth, torchvision:IMAGENET1K_V1 or timm:pretrained"
_DESCRIPTION_VERSION = 1  # raised when weights would be described differently


@dataclass(frozen=True)
class Weights:
    """Published weights that layers are copied from.

    Attributes:
        source: what the config calls them: a path, or the name of a download.
        file: where they are, or will be once they are downloaded.
        preprocessing: what was done to the pixels that they were trained on, in the form of the config's section; None
            if they do not say.
        unused: names of their tensors that the network does not use, apart from its head's.
    """

    source: str
    file: Path
    preprocessing: Mapping[str, Any] | None
    unused: tuple[str, ...]

    @property
    def is_downloaded(self) -> bool:
        return _is_name(self.source)

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the file; None if it does not exist yet."""
        return _sha256(self.file, self.file.stat().st_mtime_ns) if self.file.is_file() else None


@lru_cache
def _sha256(file: Path, _changed: int) -> str:
    """SHA-256 of a file, which is read only once unless it changes, because it may be large."""
    return sha256_of(file)


def is_copied_from_weights(treatment: str) -> bool:
    """Whether networks of a treatment copy layers from published weights."""
    return kind_of(treatment) == OTHER_SOURCES[PRETRAINED_SOURCE]


def source_problems(networks: Mapping[str, Any], beside: Sequence[Path]) -> Iterator[str]:
    """What is wrong with the key ``pretrained`` of the section ``networks``, checked before any weights are read."""
    source, key = networks["pretrained"], "networks.pretrained"
    wanted = [treatment for treatment in networks["treatments"] if is_copied_from_weights(treatment)]
    if wanted and not source:
        yield f"{key}: is empty, but networks.treatments has {wanted[0]}; give the weights: {_EXAMPLES}"
    elif source and not wanted:
        yield f"{key}: is {source!r}, but no treatment copies from it; add pretrained to networks.treatments"
    elif _is_name(source):
        yield from _name_problems(source, networks["architecture"])
    elif source and not found_beside(source, beside):
        yield f"{key}: there is no file {places_in_words(source, beside)}"
    elif any(sign in source for sign in "{}"):
        yield f"{key}: is {source!r}; it must be a path without braces, which Snakemake fills in"


def _is_name(source: str) -> bool:
    library, colon, _ = source.partition(":")
    return bool(colon) and library in LIBRARIES


def _name_problems(source: str, architecture: str) -> Iterator[str]:
    library, _, name = source.partition(":")
    if not architecture.startswith(f"{library}/"):
        yield (
            f"networks.pretrained: {source} are weights of {library}'s networks, but networks.architecture is "
            f"{on_one_line(architecture)}; give a file of its weights"
        )
    elif library == "timm" and name != "pretrained":
        yield f"networks.pretrained: is {source!r}; for timm it is timm:pretrained, and the architecture says which"
    elif not name:
        yield f"networks.pretrained: is {source!r}; it needs a name, such as torchvision:IMAGENET1K_V1"


def with_pretrained(config: Mapping[str, Any], beside: Sequence[Path]) -> dict[str, Any]:
    """The config with its weights' path normalized and, if it asks for that, with the mean that the weights give.

    Args:
        config: one whose network is described, and whose weights have no `source_problems`.
        beside: folders that are searched first for a file, those of config files.

    Raises:
        ConfigError: the weights do not fit the network, or do not say how their images were prepared.
    """
    networks, preprocessing = dict(config["networks"]), config["preprocessing"]
    if networks["pretrained"] and not _is_name(networks["pretrained"]):
        networks["pretrained"] = one_spelling(str(found_beside(networks["pretrained"], beside)))
    located = {**config, "networks": networks}
    weights = weights_of(located)
    if preprocessing["mean"] != AS_PRETRAINED:
        return located
    if weights is None:
        raise ConfigError("config: preprocessing.mean: is pretrained, but networks.pretrained names no weights")
    if weights.preprocessing is None:
        raise ConfigError(
            f"config: preprocessing.mean: is pretrained, but {on_one_line(weights.source)} does not say how its images "
            "were prepared; give mean and std as lists, those with which the weights were trained"
        )
    if weights.preprocessing["mean"] in HALVES:
        raise ConfigError(
            f"config: preprocessing.mean: is pretrained, but {on_one_line(weights.source)} was trained on images "
            f"{_prepared(weights.preprocessing)}, and that image is not known here; give mean and std as lists, or "
            "mean: own"
        )
    if preprocessing["std"]:
        raise ConfigError(
            f"config: preprocessing.std: is {in_yaml(preprocessing['std'])}, but mean is pretrained, which comes with "
            "std; set std to []"
        )
    return {**located, "preprocessing": {**preprocessing, **weights.preprocessing}}


def weights_of(config: Mapping[str, Any]) -> Weights | None:
    """The published weights of a config, if it has any; ConfigError if they do not fit its network."""
    networks = config["networks"]
    source = networks["pretrained"]
    if not source:
        return None
    foreign = foreign_settings(config, "base")
    asked = {
        "source": source,
        "architecture": networks["architecture"],
        **(foreign.to_json() if foreign else {}),
        "image_shape": seen_shape(config),
    }
    results = Path(config["results"])
    downloaded = results / DOWNLOADS / f"{_slug(networks['architecture'], source)}-{short_digest(asked)}.safetensors"
    file = downloaded if _is_name(source) else Path(source)
    digest = "" if _is_name(source) else _sha256(file, file.stat().st_mtime_ns)
    found = _described(json.dumps(asked), results / FOLDER, digest)
    return Weights(
        source=source,
        file=file,
        preprocessing=_of_channels(found["preprocessing"], seen_shape(config)[2]),
        unused=tuple(found["unused"]),
    )


@lru_cache
def _described(asked: str, folder: Path, digest: str) -> dict[str, Any]:
    question = json.loads(asked)
    file = folder / f"weights-{short_digest([_DESCRIPTION_VERSION, question, digest])}.json"
    found = remembered(file)
    if found is None:
        found = _ask(question)
        remember(file, found)
    return found


def _ask(question: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return ask("networks.pretrained", question)
    except AskingError as error:
        raise refusal(question["source"], str(error)) from error


def refusal(source: str, why: str) -> ConfigError:
    """The error for weights that cannot be copied from."""
    return ConfigError(f"config: networks.pretrained: {on_one_line(source)}: {on_one_line(why)}")


def _of_channels(preprocessing: Mapping[str, Any] | None, channels: int) -> Mapping[str, Any] | None:
    """The preprocessing for images with these channels; for gray ones, the mean over the channels of color ones."""
    if preprocessing is None or isinstance(preprocessing["mean"], str) or channels != 1:
        return preprocessing
    return {key: [sum(values) / len(values)] for key, values in preprocessing.items() if key in {"mean", "std"}}


def _slug(architecture: str, source: str) -> str:
    return f"{architecture}-{source.partition(':')[2]}".replace("/", "-")


def notes_on(weights: Weights, preprocessing: Mapping[str, Any]) -> Iterator[str]:
    """What to know about weights before a study trains, one line each: their images, and what is not used.

    Args:
        weights: the study's.
        preprocessing: the config's section.
    """
    name = f"networks.pretrained: {on_one_line(weights.source)}"
    yield f"{name}: {images_in_words(weights, preprocessing)}"
    if weights.unused:
        more = f" and {len(weights.unused) - 1} more" if len(weights.unused) > 1 else ""
        yield f"{name}: the network has no {weights.unused[0]}{more}, which is not used"


def images_in_words(weights: Weights, preprocessing: Mapping[str, Any]) -> str:
    """How the weights' own images were prepared, and whether the study's are prepared in the same way."""
    own = {key: preprocessing[key] for key in ("mean", "std", "scale")}
    if weights.preprocessing is None:
        return f"does not say how its images were prepared; those of this study: {_prepared(own)}"
    prepared = _prepared(weights.preprocessing)
    if prepared == _prepared(own) and isinstance(own["mean"], str):
        return (
            f"its images and those of this study: each {prepared.replace('the mean image (', 'their own mean image (')}"
        )
    if prepared == _prepared(own):
        return f"its images and those of this study: {prepared}"
    return (
        f"its images: {prepared}; those of this study DIFFER: {_prepared(own)}; preprocessing.mean: pretrained would "
        "prepare them like the weights'"
    )


def _prepared(preprocessing: Mapping[str, Any]) -> str:
    mean = preprocessing["mean"]
    if mean in HALVES:
        return f"minus the mean image of half {mean} of their split, divided by {preprocessing['scale']:g}"
    if isinstance(mean, str):
        return f"minus the mean image ({mean}), divided by {preprocessing['scale']:g}"
    mean, std = (", ".join(f"{value:g}" for value in preprocessing[key]) for key in ("mean", "std"))
    return f"pixels from 0 to 1, minus {mean}, divided by {std}"
