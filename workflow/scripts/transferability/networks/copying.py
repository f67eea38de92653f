"""Layers that a network takes over from another: copied, or drawn alike, and held as they are if they are frozen."""

from collections import OrderedDict
from collections.abc import Collection, Mapping

import torch
from torch import nn

from transferability.networks.architecture import DROPOUT
from transferability.networks.layer_plan import LayerPlan
from transferability.networks.layered import Layered


def some_layers(network: nn.Sequential, layers: Collection[int]) -> nn.Sequential:
    """A network of only those layers, counted from 0, whose weights have the names that they have in the whole one."""
    chosen = OrderedDict((name, layer) for k, (name, layer) in enumerate(network.named_children()) if k in layers)
    return Layered(chosen, network.random_layers) if isinstance(network, Layered) else nn.Sequential(chosen)


def copy_layers(weights: Mapping[str, torch.Tensor], network: nn.Sequential, layers: Collection[int]) -> None:
    """Copy some layers of a source's weights, counted from 0, into a network, bit for bit."""
    copies = some_layers(network, layers)
    copies.load_state_dict({name: weights[name] for name in copies.state_dict()})


def draw_like(weights: Mapping[str, torch.Tensor], network: nn.Sequential, layers: Collection[int], seed: int) -> None:
    """Draw the parameters of some layers, each with the mean and the standard deviation of the source's of its name.

    They are normal, and every number is drawn on its own; statistics of batch norm, which the layers will have anew,
    are not touched.

    Args:
        weights: of the source.
        network: on the CPU.
        layers: counted from 0.
        seed: of a generator that draws them all, one tensor after the other.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = some_layers(network, layers).state_dict(keep_vars=True)
    with torch.no_grad():
        for name, parameter in drawn.items():
            if isinstance(parameter, nn.Parameter):
                source = weights[name].double()
                mean, deviation = source.mean().item(), source.std(correction=0).item()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * deviation + mean)


def freeze_layers(network: nn.Sequential, plan: LayerPlan) -> None:
    """Let frozen layers have no gradients."""
    for k in plan.frozen:
        network[k].requires_grad_(False)


def training_mode(network: nn.Sequential, plan: LayerPlan) -> None:
    """Dropout and batch statistics where the network learns.

    Frozen layers compute as in evaluation; those of this project's own networks keep their dropout, as in Caffe, up to
    the first layer that learns.
    """
    network.train()
    for k in plan.frozen:
        keeps_dropout = k < plan.trunk and not isinstance(network, Layered)
        for module in network[k].modules():
            module.train(isinstance(module, DROPOUT) and keeps_dropout)


def buffers_that_move(network: nn.Sequential, plan: LayerPlan) -> dict[str, torch.Tensor]:
    """Such as batch norm's running statistics; those of frozen layers never change and are left out."""
    return dict(some_layers(network, plan.learning).named_buffers())
