"""The network architectures: eight learned layers each, as in the paper.

A network is an `nn.Sequential` of named layers, so that ``network[:n]`` is what is copied at depth n and
``network[n:]`` what is drawn at random. A layer is one learned operation with the nonlinearity, pooling and
normalisation that follow it; dropout and flattening belong to the layer they feed.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from transferability.names import LAYER_NAMES
from transferability.seeding import seed_for


@dataclass(frozen=True)
class Architecture:
    """How to build a network and how to draw the weights of one of its layers.

    Attributes:
        build: from (height, width, channels) of the images it sees and a number of classes to a network with
            layers named `LAYER_NAMES`.
        initialise: draws a layer's weights from torch's global generator.
    """

    build: Callable[[tuple[int, int, int], int], nn.Sequential]
    initialise: Callable[[str, nn.Module], None]


def mini_caffenet(image_shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """The paper's network scaled to images of 24 to 32 pixels: same order of layers, no batch norm, no dropout."""
    height, width, channels = image_shape
    features = 32 * (-(-height // 2) // 4) * (-(-width // 2) // 4)
    return _named(
        nn.Sequential(nn.Conv2d(channels, 16, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(32, 48, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(48, 48, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(48, 32, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(features, 128), nn.ReLU()),
        nn.Sequential(nn.Linear(128, 128), nn.ReLU()),
        nn.Sequential(nn.Linear(128, classes)),
    )


def he_normal(_layer_name: str, layer: nn.Module) -> None:
    """Gaussian weights of variance 2 / inputs (He et al., ICCV 2015), biases 0."""
    for module in layer.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


ARCHITECTURES = {"mini_caffenet": Architecture(mini_caffenet, he_normal)}


def build_network(
    architecture: str, image_shape: tuple[int, int, int], classes: int, *seed: str | int
) -> nn.Sequential:
    """A network with freshly drawn weights, on the CPU.

    Every layer draws from a generator of its own, made from the words of ``seed`` and the layer's name, so that a
    layer's weights do not depend on the shapes of the others.
    """
    recipe = ARCHITECTURES[architecture]
    network = recipe.build(image_shape, classes)
    for name, layer in network.named_children():
        torch.manual_seed(seed_for(*seed, "weights", name))
        recipe.initialise(name, layer)
    return network


def first_stochastic_layer(network: nn.Sequential) -> int:
    """How many of the lowest layers contain no dropout."""
    for depth, layer in enumerate(network):
        if any(isinstance(module, nn.Dropout) and module.p > 0 for module in layer.modules()):
            return depth
    return len(network)


def _named(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(zip(LAYER_NAMES, layers, strict=True)))
