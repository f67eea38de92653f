"""Networks that end at a cut: what crosses it is averaged over positions, and a linear layer classifies it."""

from collections.abc import Sequence

import torch
from torch import nn

from transferability.networks.build import ARCHITECTURES
from transferability.networks.layered import Layered
from transferability.networks.operations import channel_axis, run_layers

READOUT = "readout"  # the layer's name, unless the network has a layer of that name


class Readout(nn.Module):
    """The mean over an image's positions or tokens, followed by a linear layer.

    Args:
        shape: shape of an image's features, without the batch; at most three axes, of which `channel_axis` is not
            averaged over.
        classes: number of logits.
    """

    def __init__(self, shape: Sequence[int], classes: int) -> None:
        super().__init__()
        if not 1 <= len(shape) <= 3:
            raise ValueError(f"features of shape {' x '.join(map(str, shape))} have no positions to average over")
        channels = channel_axis(shape)
        self._places = tuple(axis + 1 for axis in range(len(shape)) if axis != channels)  # after the batch's
        self.truncated_readout = nn.Linear(shape[channels], classes)  # a name that no other network has

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features of a batch to logits, B x classes."""
        pooled = features.mean(self._places) if self._places else features
        return self.truncated_readout(pooled)  # type: ignore[no-any-return]


def truncated(
    network: nn.Sequential, n: int, image_shape: tuple[int, int, int], architecture: str, seed: int
) -> nn.Sequential:
    """The lowest n layers of a network, followed by a `Readout` of their output.

    Args:
        network: on the CPU.
        n: how many layers are kept.
        image_shape: height, width and channels of the images.
        architecture: if it is one of this project's, the readout is drawn like its head; otherwise as torch draws a
            linear layer.
        seed: seed of that draw.
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
