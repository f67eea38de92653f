"""What the architectures are built from."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

# All kinds of dropout. Other modules that draw random numbers in training are not recognized.
DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


@dataclass(frozen=True)
class Architecture:
    """How to build a network and how to draw the weights of one of its layers.

    Attributes:
        build: takes (height, width, channels) of the images and the number of classes; returns a network whose layers
            have the names in ``LAYERS`` of its file.
        initialize: draws a layer's weights from torch's global generator.
        smallest_side: side of the smallest images that leave its pooling something to pool, in pixels.
    """

    build: Callable[[tuple[int, int, int], int], nn.Sequential]
    initialize: Callable[[str, nn.Module], None]
    smallest_side: int


class CrossChannelNormalization(nn.Module):
    """Caffe's LRN over five channels, x / (1 + alpha / 5 * sum of squares) ^ beta, like `torch.nn.LocalResponseNorm`.

    The sum over neighboring channels is a product with a band matrix, which takes a quarter of that module's time.
    """

    def __init__(self, channels: int, size: int = 5, alpha: float = 1e-4, beta: float = 0.75) -> None:
        super().__init__()
        self._beta = beta
        number = torch.arange(channels)
        band = (number[:, None] - number).abs() <= size // 2
        self.register_buffer("band", (band * (alpha / size))[:, :, None, None].float(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map B x C x H x W to the same shape."""
        scale = nn.functional.conv2d(x * x, self.get_buffer("band")) + 1
        return x * scale.pow(-self._beta)


def relu() -> nn.ReLU:
    """An in-place ReLU: its input is the layer's own result, which nothing else reads."""
    return nn.ReLU(inplace=True)


def named_layers(names: Sequence[str], *layers: nn.Module) -> nn.Sequential:
    """A network of these layers, lowest first; ValueError if there are not as many as names."""
    return nn.Sequential(OrderedDict(zip(names, layers, strict=True)))


def he_normal(_layer_name: str, layer: nn.Module) -> None:
    """Gaussian weights of variance 2 / inputs (He et al., ICCV 2015), biases 0."""
    for module in layer.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(bias_of(module))


def bias_of(module: nn.Conv2d | nn.Linear) -> torch.Tensor:
    """The bias of a learned layer; ValueError if it has none."""
    if module.bias is None:
        raise ValueError(f"{module}: every learned layer must have a bias")
    return module.bias
