"""Layers that a network takes from another: copied, or drawn with its statistics, and kept unchanged if frozen."""

from collections import OrderedDict
from collections.abc import Collection, Mapping

import torch
from torch import nn

from transferability.networks.architecture import DROPOUT
from transferability.networks.layer_plan import LayerPlan
from transferability.networks.layered import Layered


def some_layers(network: nn.Sequential, layers: Collection[int]) -> nn.Sequential:
    """A network of only these layers, counted from 0, with weights named as in the whole network."""
    chosen = OrderedDict((name, layer) for k, (name, layer) in enumerate(network.named_children()) if k in layers)
    return Layered(chosen, network.random_layers) if isinstance(network, Layered) else nn.Sequential(chosen)


def copy_layers(weights: Mapping[str, torch.Tensor], network: nn.Sequential, layers: Collection[int]) -> None:
    """Copy the weights of some layers, counted from 0, from a source into a network, bit for bit."""
    copies = some_layers(network, layers)
    copies.load_state_dict({name: weights[name] for name in copies.state_dict()})


def draw_like(weights: Mapping[str, torch.Tensor], network: nn.Sequential, layers: Collection[int], seed: int) -> None:
    """Draw parameters of some layers, each with the mean and standard deviation of the source's of the same name.

    Values are independent and normal. Batch norm statistics are not touched, because these layers will get new ones.

    Args:
        weights: the source's weights.
        network: on the CPU.
        layers: which ones, counted from 0.
        seed: seed of the generator that draws all of them, one tensor after the other.
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
    """Turn off gradients for frozen layers."""
    for k in plan.frozen:
        network[k].requires_grad_(False)


def training_mode(network: nn.Sequential, plan: LayerPlan) -> None:
    """Put a network in training mode: dropout and batch statistics where it learns.

    Frozen layers compute as in evaluation, except that those in the trunk of this project's own networks keep their
    dropout, as in Caffe.
    """
    network.train()
    for k in plan.frozen:
        keeps_dropout = k < plan.trunk and not isinstance(network, Layered)
        for module in network[k].modules():
            module.train(isinstance(module, DROPOUT) and keeps_dropout)


def buffers_that_move(network: nn.Sequential, plan: LayerPlan) -> dict[str, torch.Tensor]:
    """Buffers that training changes, such as batch norm's running statistics; those of frozen layers never change."""
    return dict(some_layers(network, plan.learning).named_buffers())
