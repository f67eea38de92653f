"""What a study must know of a network that is not this project's own, found out once by building and running it.

Run as a process of its own, ``python -m transferability.networks.describe`` with what is asked as JSON in the standard
input, since it needs torch, which takes seconds to load and which Snakemake's start can do without.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from transferability.networks.build import build_network, shape_seen_by_model
from transferability.networks.cut_points import CutPoint, chosen_cuts, explore
from transferability.networks.cuts import CutError
from transferability.networks.library import build_model
from transferability.networks.self_check import check_cuts

CLASSES = 10  # any number does


def describe(
    architecture: str, options: Mapping[str, Any], cuts: str | list[str], image_shape: tuple[int, int, int]
) -> dict[str, Any]:
    """A network's cut points and its layers, checked; CutError if it has none or some that are not safe.

    Args:
        architecture: as `transferability.networks.library` names them.
        options: further arguments of what builds it.
        cuts: ``stages``, ``blocks`` or names of modules.
        image_shape: height, width and channels of the images.
    """
    shape = shape_seen_by_model(architecture, image_shape)
    model = build_model(architecture, options, shape, CLASSES, 0)
    _require_repeatable(model, build_model(architecture, options, shape, CLASSES, 0))
    points: list[CutPoint] = []
    if isinstance(cuts, str):
        _, points = explore(model, shape)
        cuts = chosen_cuts(architecture, model, points, cuts)
    network = build_network(architecture, image_shape, CLASSES, 0, cuts=cuts, options=options)
    color = build_network(architecture, shape, CLASSES, 0, cuts=cuts, options=options)
    check_cuts(build_model(architecture, options, shape, CLASSES, 0), color, cuts, shape)
    return {
        "cuts": list(cuts),
        "layers": [name.replace("/", ".") for name, _ in network.named_children()],
        "parameters": [sum(p.numel() for p in layer.parameters()) for layer in network],
        **_run(network, image_shape),
    }


def _require_repeatable(model: nn.Module, again: nn.Module) -> None:
    others = again.state_dict()
    for name, tensor in model.state_dict().items():
        if not torch.equal(tensor, others[name]):
            raise CutError(f"{name} is drawn anew each time; let its code draw weights from torch's generator")


def _run(network: nn.Sequential, image_shape: tuple[int, int, int]) -> dict[str, Any]:
    """Operations an image of each layer's forward pass, and the shape of what it returns."""
    height, width, channels = image_shape
    features = torch.zeros(1, channels, height, width)
    flops, shapes = [], []
    network.eval()
    for layer in network:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            features = layer(features)
        flops.append(counter.get_total_flops())
        shapes.append(list(features.shape[1:]))
    return {"flops": flops, "shapes": shapes}


def main() -> None:
    """Answer the standard input's question in the standard output: what `describe` returns, or its error."""
    asked = json.load(sys.stdin)
    try:
        found = describe(**{**asked, "image_shape": tuple(asked["image_shape"])})
    except CutError as error:
        found = {"error": str(error)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
