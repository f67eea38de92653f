"""Networks of every architecture, with weights drawn layer by layer.

A network is an `nn.Sequential` of named layers, so that ``network[:n]`` is what is copied at depth n and
``network[n:]`` what is drawn at random. A layer is one learned operation with the nonlinearity, pooling and
normalization that follow it; dropout and flattening belong to the layer they feed. ReLU comes after max pooling,
not before: the same to the bit, gradients too, for a fraction of the work.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import nn

from transferability.networks.architecture import DROPOUT, Architecture
from transferability.networks.architectures import architecture_names
from transferability.networks.layer_plan import LayerPlan
from transferability.networks.layered import Layered, layered
from transferability.networks.library import build_model, sees_color_only
from transferability.seeding import seed_for

ARCHITECTURES: dict[str, Architecture] = {
    name: import_module(f"transferability.networks.architectures.{name}").ARCHITECTURE for name in architecture_names()
}


def build_network(
    architecture: str,
    image_shape: tuple[int, int, int],
    classes: int,
    *seed: str | int,
    cuts: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> nn.Sequential:
    """A network with freshly drawn weights, on the CPU.

    Every layer of this project's own networks draws from its own generator, seeded with the words of ``seed`` and the
    layer's name, so that a layer's weights do not depend on the shapes of the others. In other models, the model's own
    code draws all weights, from one generator seeded with ``seed``.

    Args:
        architecture: one of `ARCHITECTURES`, or a name of `transferability.networks.library`.
        image_shape: height, width and channels of the images.
        classes: number of logits.
        seed: words.
        cuts: names of the modules after which another model is cut into layers.
        options: further arguments for another model's builder.

    Raises:
        ValueError: the images are too small for the network, or the model cannot be cut.
    """
    if cuts:
        shape = shape_seen_by_model(architecture, image_shape)
        model = build_model(architecture, options or {}, shape, classes, *seed)
        return layered(model, cuts, shape, classes, gray=shape != image_shape)
    recipe = ARCHITECTURES[architecture]
    height, width, _ = image_shape
    if min(height, width) < recipe.smallest_side:
        raise ValueError(
            f"networks.architecture: {architecture} needs images of at least {recipe.smallest_side} pixels a side; "
            f"these are {height} x {width}"
        )
    network = recipe.build(image_shape, classes)
    for name, layer in network.named_children():
        torch.manual_seed(seed_for(*seed, "weights", name))
        recipe.initialize(name, layer)
    return network


def shape_seen_by_model(architecture: str, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The image shape that another model is built for: three channels for gray images if it sees color only."""
    height, width, channels = image_shape
    return (height, width, 3) if channels == 1 and sees_color_only(architecture) else image_shape


def random_layers(network: nn.Sequential) -> set[str]:
    """Names of the layers that draw random numbers in training: those with dropout, or found by trying."""
    if isinstance(network, Layered):
        return set(network.random_layers)
    return {
        name
        for name, layer in network.named_children()
        if any(isinstance(module, DROPOUT) and module.p > 0 for module in layer.modules())
    }


def shareable_layers(network: nn.Sequential, plan: LayerPlan) -> int:
    """How many of the lowest layers compute the same in all networks that have them frozen from the same source.

    Frozen layers of this project's own networks keep their dropout, as in Caffe; others are in evaluation mode.
    """
    if isinstance(network, Layered):
        return plan.trunk
    names = [name for name, _ in network.named_children()]
    return min([plan.trunk, *map(names.index, random_layers(network))])


def draws_in_training(network: nn.Sequential, plan: LayerPlan) -> bool:
    """Whether an iteration of a network draws random numbers."""
    names = [name for name, _ in network.named_children()]
    active = [*plan.learning, *(() if isinstance(network, Layered) else range(plan.trunk))]
    return not random_layers(network).isdisjoint(names[k] for k in active)
