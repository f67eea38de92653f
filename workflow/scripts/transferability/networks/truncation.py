"""Networks that end at a cut: what crosses it is averaged over places, and a linear layer tells the classes."""

from collections.abc import Sequence

import torch
from torch import nn

from transferability.networks.build import ARCHITECTURES
from transferability.networks.layered import Layered
from transferability.networks.operations import run_layers

READOUT = "readout"  # the layer's name, unless the network has one of that name


class Readout(nn.Module):
    """The mean over an image's places, or its tokens, and a linear layer.

    Args:
        shape: of an image's features, without the batch: C, T x C, C x H x W, or H x W x C where only so height equals
            width, as those of windowed transformers lie.
        classes: of the logits.
    """

    def __init__(self, shape: Sequence[int], classes: int) -> None:
        super().__init__()
        match [*shape]:
            case [channels]:
                self._places: tuple[int, ...] = ()
            case [_, channels]:
                self._places = (1,)
            case [height, width, channels] if height == width != channels:
                self._places = (1, 2)
            case [channels, _, _]:
                self._places = (2, 3)
            case _:
                raise ValueError(f"features of shape {' x '.join(map(str, shape))} have no places to average over")
        self.truncated_readout = nn.Linear(channels, classes)  # a name that no other network has

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features of a batch to logits, B x classes."""
        pooled = features.mean(self._places) if self._places else features
        return self.truncated_readout(pooled)  # type: ignore[no-any-return]


def truncated(
    network: nn.Sequential, n: int, image_shape: tuple[int, int, int], architecture: str, seed: int
) -> nn.Sequential:
    """The lowest n layers of a network, and a `Readout` of what these give.

    Args:
        network: on the CPU.
        n: how many layers are kept.
        image_shape: height, width and channels of the images.
        architecture: by which the readout is drawn as its head is; other models' as torch draws a linear layer.
        seed: of that draw.
    """
    kept, shapes = network[:n], run_layers(network, image_shape)[1]
    torch.manual_seed(seed)
    readout = Readout(shapes[n - 1], *shapes[-1])
    layers = dict(kept.named_children())
    name = READOUT
    while name in layers:
        name += "_"
    if isinstance(kept, Layered):
        return Layered({**layers, name: readout}, kept.random_layers)
    ARCHITECTURES[architecture].initialize(list(dict(network.named_children()))[-1], readout)
    kept.add_module(name, readout)
    return kept
