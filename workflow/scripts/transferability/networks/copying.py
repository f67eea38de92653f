"""Layers that a network takes over from another: copied, and held as they are if they are frozen."""

from collections.abc import Mapping

import torch
from torch import nn

from transferability.networks.architecture import DROPOUT
from transferability.networks.layered import Layered


def copy_layers(weights: Mapping[str, torch.Tensor], network: nn.Sequential, layers: int) -> None:
    """Copy the lowest layers of a source's weights into a network, bit for bit."""
    lowest = network[:layers]
    lowest.load_state_dict({name: weights[name] for name in lowest.state_dict()})


def freeze_layers(network: nn.Sequential, layers: int) -> None:
    """Let the lowest layers have no gradients."""
    for layer in network[:layers]:
        layer.requires_grad_(False)


def training_mode(network: nn.Sequential, frozen: int) -> None:
    """Dropout and batch statistics where the network learns.

    Frozen layers compute as in evaluation; those of this project's own networks keep their dropout, as in Caffe.
    """
    network.train()
    for layer in network[:frozen]:
        for module in layer.modules():
            module.train(isinstance(module, DROPOUT) and not isinstance(network, Layered))


def buffers_that_move(network: nn.Sequential, frozen: int) -> dict[str, torch.Tensor]:
    """Such as batch norm's running statistics; those of frozen layers never change and are left out."""
    return dict(network[frozen:].named_buffers())
