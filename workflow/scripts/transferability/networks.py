"""The network architectures: eight learned layers each, as in the paper.

A network is an `nn.Sequential` of named layers, so that ``network[:n]`` is what is copied at depth n and
``network[n:]`` what is drawn at random. A layer is one learned operation with the nonlinearity, pooling and
normalisation that follow it; dropout and flattening belong to the layer they feed. Where a maximum is pooled, ReLU
comes after it and not before: the same to the bit, gradients too, for a fraction of the work.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from transferability.names import LAYER_NAMES
from transferability.seeding import seed_for

# Also in the authors' files; Krizhevsky et al. (2012) give the reason: ReLUs get positive inputs from the start.
CAFFENET_BIAS_ONE = ("conv2", "conv4", "conv5", "fc6", "fc7")


@dataclass(frozen=True)
class Architecture:
    """How to build a network and how to draw the weights of one of its layers.

    Attributes:
        build: from (height, width, channels) of the images it sees and a number of classes to a network with
            layers named `LAYER_NAMES`.
        initialise: draws a layer's weights from torch's global generator.
        smallest_side: of the images that leave its pooling something to pool, in pixels.
    """

    build: Callable[[tuple[int, int, int], int], nn.Sequential]
    initialise: Callable[[str, nn.Module], None]
    smallest_side: int


class CrossChannelNormalisation(nn.Module):
    """Caffe's LRN over five channels, x / (1 + alpha / 5 * sum of squares) ^ beta, as `torch.nn.LocalResponseNorm`.

    The sum over neighbouring channels is a product with a band matrix, a quarter of that module's time.
    """

    def __init__(self, channels: int, size: int = 5, alpha: float = 1e-4, beta: float = 0.75) -> None:
        super().__init__()
        self._beta = beta
        number = torch.arange(channels)
        band = (number[:, None] - number).abs() <= size // 2
        self.register_buffer("band", (band * (alpha / size))[:, :, None, None].float(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From and to B x C x H x W."""
        scale = nn.functional.conv2d(x * x, self.get_buffer("band")) + 1
        return x * scale.pow(-self._beta)


def mini_caffenet(image_shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """The paper's network scaled to images of 24 to 32 pixels: same order of layers, no batch norm, no dropout."""
    height, width, channels = image_shape
    features = 32 * (-(-height // 2) // 4) * (-(-width // 2) // 4)
    return _named(
        nn.Sequential(nn.Conv2d(channels, 16, 5, stride=2, padding=2), nn.MaxPool2d(2), _relu()),
        nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.MaxPool2d(2), _relu()),
        nn.Sequential(nn.Conv2d(32, 48, 3, padding=1), _relu()),
        nn.Sequential(nn.Conv2d(48, 48, 3, padding=1), _relu()),
        nn.Sequential(nn.Conv2d(48, 32, 3, padding=1), _relu()),
        nn.Sequential(nn.Flatten(), nn.Linear(features, 128), _relu()),
        nn.Sequential(nn.Linear(128, 128), _relu()),
        nn.Sequential(nn.Linear(128, classes)),
    )


def caffenet(image_shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """The network of Yosinski et al., Caffe's reference network: its 1000-class form sees 227 x 227 x 3 pixels.

    Taken layer by layer from the authors' imagenet_train.prototxt. Pooling sizes round up, as in Caffe. Other image
    sizes change only what fc6 sees.
    """
    height, width, channels = image_shape
    features = 256 * _caffenet_pooled(height) * _caffenet_pooled(width)
    return _named(
        nn.Sequential(nn.Conv2d(channels, 96, 11, stride=4), _caffe_pool(), _relu(), CrossChannelNormalisation(96)),
        nn.Sequential(
            nn.Conv2d(96, 256, 5, padding=2, groups=2), _caffe_pool(), _relu(), CrossChannelNormalisation(256)
        ),
        nn.Sequential(nn.Conv2d(256, 384, 3, padding=1), _relu()),
        nn.Sequential(nn.Conv2d(384, 384, 3, padding=1, groups=2), _relu()),
        nn.Sequential(nn.Conv2d(384, 256, 3, padding=1, groups=2), _caffe_pool(), _relu()),
        nn.Sequential(nn.Flatten(), nn.Linear(features, 4096), _relu()),
        nn.Sequential(nn.Dropout(0.5), nn.Linear(4096, 4096), _relu()),
        nn.Sequential(nn.Dropout(0.5), nn.Linear(4096, classes)),
    )


def caffe_gaussian(layer_name: str, layer: nn.Module) -> None:
    """The authors' fillers: Gaussian weights, biases 0, or 1 where Caffe's reference network has it so."""
    for module in layer.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.005 if layer_name in ("fc6", "fc7") else 0.01)
            nn.init.constant_(_bias(module), 1.0 if layer_name in CAFFENET_BIAS_ONE else 0.0)


def he_normal(_layer_name: str, layer: nn.Module) -> None:
    """Gaussian weights of variance 2 / inputs (He et al., ICCV 2015), biases 0."""
    for module in layer.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(_bias(module))


ARCHITECTURES = {
    "mini_caffenet": Architecture(mini_caffenet, he_normal, smallest_side=7),
    "caffenet": Architecture(caffenet, caffe_gaussian, smallest_side=67),
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
        recipe.initialise(name, layer)
    return network


def first_stochastic_layer(network: nn.Sequential) -> int:
    """How many of the lowest layers contain no dropout."""
    for depth, layer in enumerate(network):
        if any(isinstance(module, nn.Dropout) and module.p > 0 for module in layer.modules()):
            return depth
    return len(network)


def _caffe_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _relu() -> nn.ReLU:
    """In place: its input is a layer's own result, which nothing else reads."""
    return nn.ReLU(inplace=True)


def _caffenet_pooled(side: int) -> int:
    """Side of what conv5 hands to fc6 for images of this side: 6 for 227."""
    side = (side - 11) // 4 + 1
    for _ in range(3):
        side = -(-(side - 3) // 2) + 1
    return side


def _bias(module: nn.Conv2d | nn.Linear) -> torch.Tensor:
    if module.bias is None:
        raise ValueError(f"{module}: every learned layer has a bias")
    return module.bias


def _named(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(zip(LAYER_NAMES, layers, strict=True)))
