"""What a study must know about a network that is not this project's own, found once by building and running it.

Run as a separate process, ``python -m transferability.networks.describe`` with the request as JSON on standard input,
because it needs torch, which takes seconds to load and which Snakemake can start without.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import accumulate
from typing import Any

import torch
from torch import nn

from transferability.networks.build import build_network, shape_seen_by_model
from transferability.networks.cut_points import CutPoint, blocks, chosen_cuts, explore
from transferability.networks.generators import generators_as_they_were
from transferability.networks.layered import layered
from transferability.networks.library import build_model
from transferability.networks.operations import run_layers
from transferability.networks.self_check import check_cuts
from transferability.networks.tracing import CutError, no_logits
from transferability.words import counted

CLASSES = 10  # any number will do
OF_CONVOLUTION = 4  # dimensions of its weights: filters x channels x height x width
IMAGE_CHANNELS = (1, 3)  # of gray images and of color images


def describe(
    architecture: str, options: Mapping[str, Any], cuts: str | list[str], image_shape: tuple[int, int, int]
) -> dict[str, Any]:
    """A network's cut points and layers, checked; CutError if it has none, or some that are not safe.

    Args:
        architecture: as `transferability.networks.library` names them.
        options: further arguments for its builder.
        cuts: ``stages``, ``blocks`` or names of modules.
        image_shape: height, width and channels of the images.
    """
    shape = shape_seen_by_model(architecture, image_shape)
    model = build_model(architecture, options, shape, CLASSES, 0)
    again, other = (build_model(architecture, options, shape, CLASSES, seed) for seed in (0, 1))
    _require_drawn_by_seed(model, again, other, shape)
    _, points = explore(model, shape)
    if isinstance(cuts, str):
        cuts = chosen_cuts(architecture, model, points, cuts)
    network = build_network(architecture, image_shape, CLASSES, 0, cuts=cuts, options=options)
    color = network
    if shape != image_shape:
        color = build_network(architecture, shape, CLASSES, 0, cuts=cuts, options=options)
    check_cuts(again, color, cuts, shape)
    operations, shapes = run_layers(network, image_shape)
    return {
        "cuts": list(cuts),
        "layers": [name.replace("/", ".") for name, _ in network.named_children()],
        "parameters": [sum(p.numel() for p in layer.parameters()) for layer in network],
        "operations": operations,
        "filters": _filters(model, points),
        "points": _shown(model, points, shape),
        "shapes": [list(shape) for shape in shapes],
    }


def _filters(model: nn.Module, points: Sequence[CutPoint]) -> str:
    """The name of the first learned weights, if they are those of a convolution of images; otherwise empty."""
    lowest = min((point for point in points if point.learned), key=lambda point: len(point.learned), default=None)
    for name in sorted(lowest.learned) if lowest else ():
        weights = model.get_parameter(name)
        if weights.dim() == OF_CONVOLUTION and weights.shape[1] in IMAGE_CHANNELS:
            return name
    return ""


def _shown(model: nn.Module, points: Sequence[CutPoint], image_shape: tuple[int, int, int]) -> list[dict[str, Any]]:
    """For modules that end blocks, and those with weights that are not cut points: what is below, and why not."""
    ends = blocks(model, points)
    operations, shapes = run_layers(layered(model, ends, image_shape, CLASSES), image_shape)
    below = dict(zip(ends, zip(accumulate(operations), shapes, strict=True), strict=False))
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    return [
        {
            "name": point.name,
            "same": [other.name for other in points if other.node is point.node],
            "parameters_below": sum(sizes[name] for name in point.parameters),
            "operations_below": below[point.name][0] if point.name in below else None,
            "shape": list(below[point.name][1]) if point.name in below else None,
            "why_not": point.why_not,
        }
        for point in points
        if point.name in ends
        or (point.why_not and any(p.dim() > 1 for p in model.get_submodule(point.name).parameters()))
    ]


def _require_drawn_by_seed(
    model: nn.Module, again: nn.Module, other: nn.Module, image_shape: tuple[int, int, int]
) -> None:
    """CutError unless all of a model is determined by its seed and is in its weights.

    Args:
        model: built with a seed.
        again: built with the same seed.
        other: built with another seed; it gets the model's weights.
        image_shape: height, width and channels of the images that they see.
    """
    weights, repeated, others = (one.state_dict() for one in (model, again, other))
    for name, tensor in weights.items():
        if not torch.equal(tensor, repeated[name]):
            raise CutError(f"{name} is drawn anew each time; let its code draw weights from torch's generator")
        if tensor.numel() and tensor.data_ptr() in (repeated[name].data_ptr(), others[name].data_ptr()):
            raise CutError("what builds it returns the same module again; let it build a new one each time")
    for name, parameter in model.named_parameters():
        drawn = parameter.dim() > 1 and not torch.equal(parameter, parameter.flatten()[0].expand_as(parameter))
        if drawn and parameter.requires_grad and torch.equal(parameter, others[name]):
            raise CutError(f"{name} is the same whatever the seed; let its code draw weights, and set no seed itself")
    other.load_state_dict(weights)
    height, width, channels = image_shape
    images = torch.linspace(-1, 1, channels * height * width).reshape(1, channels, height, width)
    logits = []
    with torch.no_grad(), generators_as_they_were():
        for built in (model, other):
            torch.manual_seed(0)
            logits.append(_run(built.eval(), images))
        if not torch.equal(*logits):
            raise CutError("with the same weights it gives other logits: it has drawn something that is not a buffer")


def _run(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """A model's logits for images; CutError if it has none, or naming the innermost module that fails on them."""
    running: list[str] = []
    with ExitStack() as stack:
        for name, module in model.named_modules():
            begins = module.register_forward_pre_hook(lambda *_, name=name: running.append(name))
            ends = module.register_forward_hook(lambda *_: (running.pop(), None)[1])
            stack.callback(begins.remove)
            stack.callback(ends.remove)
        try:
            result = model(images)
        except Exception as error:  # whatever the model's own code raises
            where = running[-1] or "it"
            if channels := _channels_seen(model, images):
                raise CutError(_other_channels(where, channels, images.shape[1])) from error
            height, width = images.shape[2:]
            first_line = (str(error).splitlines() or [""])[0]
            raise CutError(f"{where} fails on images of {height} x {width} pixels: {first_line}") from error
    if not isinstance(result, torch.Tensor):
        raise no_logits(result)
    return result


def _channels_seen(model: nn.Module, images: torch.Tensor) -> int | None:
    """The other number of channels that images have, if the model runs on those, though not on these images."""
    for channels in {*IMAGE_CHANNELS} - {images.shape[1]}:
        with suppress(Exception):  # whatever the model's own code raises
            model(images[:, :1].expand(-1, channels, -1, -1))
            return channels
    return None


def _other_channels(where: str, channels: int, given: int) -> str:
    """The problem of a model that sees images of so many channels, and is given images of others."""
    return (
        f"{where} takes images of {counted(channels, 'channel')}, but those of this study have {given}; let the "
        f"network take image_shape, whose last number they are, or set channels: {channels}, for a data set of image "
        "files"
    )


def main() -> None:
    """Answer a request from standard input on standard output: with what `describe` returns, or its error."""
    asked = json.load(sys.stdin)
    try:
        found = describe(**{**asked, "image_shape": tuple(asked["image_shape"])})
    except CutError as error:
        found = {"error": str(error)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
