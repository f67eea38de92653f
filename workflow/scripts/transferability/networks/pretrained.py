"""Published weights as the source of a network's layers: whether they fit, and what images they were made for.

Run as a separate process, ``python -m transferability.networks.pretrained``, like `transferability.networks.describe`,
with the request as JSON on standard input.
"""

import difflib
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from transferability.networks.build import build_network
from transferability.networks.describe import CLASSES, IMAGE_CHANNELS, OF_CONVOLUTION
from transferability.networks.published import Published, published
from transferability.networks.tracing import CutError
from transferability.networks.weight_files import WeightsError, about_weights, read_weights
from transferability.words import counted

_COUNTS = "num_batches_tracked"  # batch norm's, which older files lack and no network here uses
_TOLD = 3  # problems listed in a message


def describe_weights(
    source: str,
    architecture: str,
    image_shape: Sequence[int],
    cuts: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    **_further: object,
) -> dict[str, Any]:
    """What a study must know about weights before it trains.

    Args:
        source: the path of a file, or a name that `transferability.networks.published` downloads.
        architecture: the architecture of the network whose layers they become.
        image_shape: height, width and channels of the images that it sees.
        cuts: the network's cuts, if it is not this project's own.
        options: further arguments for its builder.

    Returns:
        ``preprocessing``, how the images they were trained on were preprocessed, as in a config, None if unknown;
        ``unused``, the names of tensors that belong neither to the network nor to its head.

    Raises:
        WeightsError: they cannot be read, or do not fit.
    """
    height, width, channels = image_shape
    network = build_network(architecture, (height, width, channels), CLASSES, 0, cuts=cuts, options=options)
    found = published(source, architecture, options or {}, (height, width, channels))
    if found is None:
        weights: Mapping[str, torch.Tensor] = without_wrapper(read_weights(Path(source)), network)
        preprocessing = about_weights(Path(source)).get("preprocessing")
    else:
        weights, preprocessing = found.shapes(), found.preprocessing
    fitting(weights, network)
    return {"preprocessing": _of_images(preprocessing), "unused": sorted(_unused(weights, network))}


def _of_images(preprocessing: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The part of a preprocessing that applies to pixel values."""
    return (
        {key: preprocessing[key] for key in ("mean", "std", "scale") if key in preprocessing} if preprocessing else None
    )


def pretrained_weights(path: Path, network: nn.Sequential) -> dict[str, torch.Tensor]:
    """A file's weights for all layers of a network but the last; WeightsError with its name if they do not fit."""
    try:
        return fitting(without_wrapper(read_weights(path), network), network)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def without_wrapper(weights: Mapping[str, torch.Tensor], network: nn.Sequential) -> Mapping[str, torch.Tensor]:
    """The weights without the name of a module around the network that all of them begin with, like Lightning's model.

    Names stay as they are if the network has a module of that name.
    """
    own = {name.partition(".")[0] for name in network.state_dict()}
    while len(outer := {name.partition(".")[0] for name in weights}) == 1 and outer.isdisjoint(own):
        if not all("." in name for name in weights):
            break
        weights = {name.partition(".")[2]: tensor for name, tensor in weights.items()}
    return weights


def fitting(weights: Mapping[str, torch.Tensor], network: nn.Sequential) -> dict[str, torch.Tensor]:
    """The weights for all layers of a network but the last, which depends on the classes and is drawn anew.

    WeightsError with the names or shapes of what does not fit.
    """
    wanted = network[:-1].state_dict()
    if problems := list(_problems(weights, network)):
        more = f"; and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
        raise WeightsError(f"it does not fit the network: {'; '.join(problems[:_TOLD])}{more}")
    return {name: weights.get(name, torch.zeros_like(tensor)).to(tensor.dtype) for name, tensor in wanted.items()}


def _problems(weights: Mapping[str, torch.Tensor], network: nn.Sequential) -> Iterator[str]:
    wanted = network[:-1].state_dict()
    others = sorted(weights.keys() - wanted.keys())
    if wanted.keys().isdisjoint(weights):
        yield (
            f"none of its names is one of the network's: they are {_some(weights)}, and the network's {_some(wanted)}; "
            "another architecture has these, or its modules have other names"
        )
        return
    for name, tensor in wanted.items():
        if name not in weights:
            if not name.endswith(_COUNTS):
                near = difflib.get_close_matches(name, others, n=_TOLD) or difflib.get_close_matches(name, weights)
                nearest = f", and the nearest names are {', '.join(near)}" if near else ", and no name is similar"
                yield f"it lacks {name}{nearest}"
        elif weights[name].shape != tensor.shape:
            yield _other_shape(name, weights[name], tensor)
    modules = {name.partition(".")[0] for name in wanted}
    for name in _beside(weights, network):
        if name.partition(".")[0] in modules:
            near = difflib.get_close_matches(name, wanted, n=1)
            yield f"its {name} is in no layer of the network{f', whose nearest name is {near[0]}' if near else ''}"


def _other_shape(name: str, given: torch.Tensor, wanted: torch.Tensor) -> str:
    """The problem of a tensor of another shape than the network's; of filters of images, that of other channels."""
    shapes = f"its {name} is {_shape(given)}, the network's {_shape(wanted)}"
    if given.dim() != OF_CONVOLUTION or not _differ_in_channels(given.shape, wanted.shape):
        return shapes
    channels, seen = given.shape[1], wanted.shape[1]
    return (
        f"{shapes}: it is for images of {counted(channels, 'channel')}, and the network is for {seen}; give weights "
        f"for {seen}, or a network and images of {channels} (channels: {channels}, for a data set of image files)"
    )


def _differ_in_channels(given: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether filters differ in their channels alone, which are those of gray images and of color images."""
    return {given[1], wanted[1]} == set(IMAGE_CHANNELS) and (given[0], *given[2:]) == (wanted[0], *wanted[2:])


def _unused(weights: Mapping[str, torch.Tensor], network: nn.Sequential) -> list[str]:
    """Names of tensors that do no harm, from modules that the network does not have."""
    modules = {name.partition(".")[0] for name in network[:-1].state_dict()}
    return [name for name in _beside(weights, network) if name.partition(".")[0] not in modules]


def _beside(weights: Collection[str], network: nn.Sequential) -> list[str]:
    """Names that belong neither to a network's layers nor to its head, whatever the head consists of in the weights."""
    lower, everything = network[:-1].state_dict().keys(), network.state_dict().keys()
    heads = tuple({f"{parent}." for name in everything - lower if (parent := name.rpartition(".")[0])})
    return sorted(name for name in weights if name not in everything and not name.startswith(heads))


def _some(names: Collection[str]) -> str:
    first = list(names)[:_TOLD]
    return f"{', '.join(first)}{' and so on' if len(names) > len(first) else ''}"


def _shape(tensor: torch.Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"


def download(source: str, path: Path, network: Mapping[str, Any], image_shape: tuple[int, int, int]) -> Published:
    """Download weights into a file that says what images they are for; WeightsError if they cannot be obtained.

    Args:
        source: as for `transferability.networks.published.published`.
        path: where to write the file.
        network: the config's architecture, cuts and options.
        image_shape: height, width and channels of the images that it sees.
    """
    found = published(source, network["architecture"], network["options"], image_shape)
    if found is None:
        raise WeightsError(f"{source} is not something that can be downloaded")
    found.save(path)
    build = {"cuts": network["cuts"], "options": network["options"]}
    pretrained_weights(path, build_network(network["architecture"], image_shape, CLASSES, 0, **build))
    return found


def main() -> None:
    """Answer a request from standard input on standard output: with what `describe_weights` returns, or its error."""
    asked = json.load(sys.stdin)
    try:
        found = describe_weights(**asked)
    except (WeightsError, CutError) as error:
        found = {"error": str(error)}
    except OSError as error:
        found = {"error": f"it cannot be read ({error.strerror or error})"}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
