"""Layers that a network takes over from another: copied, and held as they are if they are frozen."""

from collections.abc import Mapping

import torch
from torch import nn

from transferability.networks.architecture import DROPOUT


def copy_layers(weights: Mapping[str, torch.Tensor], network: nn.Sequential, layers: int) -> None:
    """Copy the lowest layers of a source's weights into a network, bit for bit."""
    for name, layer in list(network.named_children())[:layers]:
        prefix = f"{name}."
        layer.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})


def freeze_layers(network: nn.Sequential, layers: int) -> None:
    """Let the lowest layers have no gradients."""
    for layer in network[:layers]:
        layer.requires_grad_(False)


def training_mode(network: nn.Sequential, frozen: int) -> None:
    """Dropout and batch statistics where the network learns; what is frozen keeps only its dropout, as in Caffe."""
    network.train()
    for layer in network[:frozen]:
        for module in layer.modules():
            module.train(isinstance(module, DROPOUT))


def buffers_that_move(network: nn.Sequential, frozen: int) -> dict[str, torch.Tensor]:
    """Such as batch norm's running statistics; those of frozen layers never change and are left out."""
    return dict(network[frozen:].named_buffers())
