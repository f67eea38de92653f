"""Networks of every architecture, with weights drawn layer by layer.

A network is an `nn.Sequential` of named layers, so that ``network[:n]`` is what is copied at depth n and
``network[n:]`` what is drawn at random. A layer is one learned operation with the nonlinearity, pooling and
normalization that follow it; dropout and flattening belong to the layer they feed. Where a maximum is pooled, ReLU
comes after it and not before: the same to the bit, gradients too, for a fraction of the work.
"""

from importlib import import_module

import torch
from torch import nn

from transferability.networks.architecture import DROPOUT, Architecture
from transferability.networks.architectures import architecture_names
from transferability.seeding import seed_for

ARCHITECTURES: dict[str, Architecture] = {
    name: import_module(f"transferability.networks.architectures.{name}").ARCHITECTURE for name in architecture_names()
}


def build_network(
    architecture: str, image_shape: tuple[int, int, int], classes: int, *seed: str | int
) -> nn.Sequential:
    """A network with freshly drawn weights, on the CPU.

    Every layer draws from a generator of its own, made from the words of ``seed`` and the layer's name, so that a
    layer's weights do not depend on the shapes of the others.

    Raises:
        ValueError: the images are too small for the network.
    """
    recipe = ARCHITECTURES[architecture]
    height, width, _ = image_shape
    if min(height, width) < recipe.smallest_side:
        raise ValueError(
            f"networks.architecture: {architecture} sees images of at least {recipe.smallest_side} pixels a side; "
            f"these are {height} x {width}"
        )
    network = recipe.build(image_shape, classes)
    for name, layer in network.named_children():
        torch.manual_seed(seed_for(*seed, "weights", name))
        recipe.initialize(name, layer)
    return network


def first_stochastic_layer(network: nn.Sequential) -> int:
    """How many of the lowest layers contain no dropout."""
    for depth, layer in enumerate(network):
        if any(isinstance(module, DROPOUT) and module.p > 0 for module in layer.modules()):
            return depth
    return len(network)
