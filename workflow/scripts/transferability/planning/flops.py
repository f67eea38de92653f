"""Floating-point operations of training, counted from the shapes of the layers as they actually run.

Every use of a weight in a convolution or linear layer counts as two operations, a multiplication and an addition.
Biases, ReLUs, pooling, normalization and the optimizer's update are not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from transferability.networks.build import build_network, shareable_layers
from transferability.networks.layer_plan import layer_plans
from transferability.networks.operations import run_layers
from transferability.study.names import RANDOM_SOURCE


@dataclass(frozen=True)
class Flops:
    """Operations per image: of the forward pass, which is all that an evaluation takes, and of the backward pass."""

    forward: int
    backward: int

    @property
    def training(self) -> int:
        return self.forward + self.backward


def flops_per_image(
    architecture: str,
    image_shape: tuple[int, int, int],
    classes: int,
    frozen: Sequence[int] = (0,),
    **building: Any,
) -> Flops:
    """Operations per image of all networks of one job, which are trained in lock-step.

    Frozen layers run forward only, and those below the first dropout only once for all networks that share them.
    Layers that learn compute the gradients of their weights and, above the lowest of them, of their inputs.

    Args:
        architecture: the networks' architecture.
        image_shape: height, width and channels of what the networks see.
        classes: how many their half has.
        frozen: for each network of the job, how many of its lowest layers are frozen: ``(0,)`` for a base,
            ``(0,) * 7`` for a fine-tuned series of seven, ``range(1, 8)`` for a frozen one.
        building: further arguments of `build_network`, for a network that is not this project's own.
    """
    layers, shareable = _layers(architecture, image_shape, classes, building)
    shared = [min(depth, shareable) for depth in frozen]
    return Flops(
        forward=sum(layers[: max(shared)]) + sum(sum(layers[depth:]) for depth in shared),
        backward=sum(sum(layers[depth:]) + sum(layers[depth + 1 :]) for depth in frozen),
    )


def forward_flops(module: nn.Module, output: torch.Tensor) -> int:
    """Operations of a module's forward pass to this output, for a whole batch; its submodules are not counted.

    A backward pass takes as many for the gradients of the weights, and as many again for those of the inputs.
    """
    return 2 * module.weight[0].numel() * output.numel() if isinstance(module, nn.Conv2d | nn.Linear) else 0


def _layers(
    architecture: str, image_shape: tuple[int, int, int], classes: int, building: Mapping[str, Any]
) -> tuple[list[int], int]:
    """Operations per image of each layer's forward pass, and how many of the lowest can be shared once frozen."""
    if building:
        network = build_network(architecture, image_shape, classes, 0, **building)
        return run_layers(network, image_shape)[0], len(network)
    layers: list[int] = []

    def count(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        layers[-1] += forward_flops(module, output)

    with torch.device("meta"):
        network = build_network(architecture, image_shape, classes, 0).eval()  # batch norm cannot learn from one image
        height, width, channels = image_shape
        features = torch.empty(1, channels, height, width)
        for layer in network:
            layers.append(0)
            for module in layer.modules():
                module.register_forward_hook(count)
            features = layer(features)
    (all_frozen,) = layer_plans(RANDOM_SOURCE, len(network), len(network), len(network))
    return layers, shareable_layers(network, all_frozen)
