"""Batch norm's running statistics, measured anew on the images of a task."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from transferability.networks.copying import copy_layers, some_layers
from transferability.networks.forward import features_at
from transferability.networks.layer_plan import REINITIALIZED
from transferability.networks.precision import use_precision
from transferability.study.names import RANDOM_SOURCE, Network
from transferability.study.settings import ADAPT, FROZEN_BATCH_NORM, SOURCE
from transferability.training.images import training_stream
from transferability.training.recipe import Recipe

MOST_BATCHES = 100
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

# What `measured` is, or what gives the same.
Measure = Callable[[Recipe, Network, Mapping[str, torch.Tensor], str], dict[str, torch.Tensor]]


def measured(
    recipe: Recipe, network: Network, weights: Mapping[str, torch.Tensor], device: str
) -> dict[str, torch.Tensor]:
    """Batch norm's statistics of layers, by name, as they are on training images of a network's task.

    Each is the mean over the first batches that its networks are trained on, an epoch at most. A layer's statistics
    depend on the layers below it only, so that they are the same for all depths.

    Args:
        recipe: how the networks are built, and the images.
        network: whose task it is.
        weights: of the layers that it copies, by name.
        device: that the images run through the layers on.
    """
    layers = recipe.build(2)[:-1]
    norms = _batch_norms(layers)
    if not norms:
        return {}
    copy_layers(weights, layers, range(len(layers)))
    layers.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    _measure(recipe, network, layers, norms, device)
    return {name: tensor.cpu() for name, tensor in layers.state_dict().items() if name.endswith(STATISTICS)}


def measure_drawn_layer(recipe: Recipe, network: Network, model: nn.Sequential, device: str) -> None:
    """Give batch norm in a network's n-th layer, drawn anew, statistics as `measured`; none has them of its source.

    The layers below it keep theirs, and compute with these, as they do in the network.

    Args:
        recipe: how the network is built, and the images.
        network: whose n-th layer is drawn anew.
        model: it, on the device.
        device: that the images run through the layers on.
    """
    layers = model[: network.n]
    norms = _batch_norms(layers[-1])
    momenta = [norm.momentum for norm in norms]
    if norms:
        _measure(recipe, network, layers, norms, device)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _measure(
    recipe: Recipe, network: Network, layers: nn.Sequential, norms: Collection[_BatchNorm], device: str
) -> None:
    """Let these batch norms have the statistics of training images; others compute with those that they have."""
    layers.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # so that every batch counts alike
        norm.train()
    precision = recipe.hyperparameters.precision
    use_precision(precision)
    task = recipe.task_of(network)
    stream = training_stream(task, recipe.settings, recipe.seed, device, cache_bytes=0)
    batches = min(MOST_BATCHES, -(-len(task.training()[0]) // recipe.hyperparameters.batch_size))
    with torch.no_grad():
        for iteration in range(batches):
            images, _ = stream.batch(iteration)
            features_at((), layers, images, precision)


def frozen_batch_norm(model: nn.Sequential, network: Network, identity: Mapping[str, Any]) -> dict[str, str]:
    """For a network's metrics, whose statistics its frozen layers have; nothing where these have no batch norm.

    `SOURCE` if they are its source's, `ADAPT` if they are measured on the target's images.

    Args:
        model: the network's.
        network: its design.
        identity: what it is made from.
    """
    if not _batch_norms(some_layers(model, network.layer_plans(len(model))[-1].held)):
        return {}
    is_measured = has_measured_statistics(network, adapts=identity.get(FROZEN_BATCH_NORM) == ADAPT)
    return {FROZEN_BATCH_NORM: ADAPT if is_measured else SOURCE}


def has_measured_statistics(network: Network, adapts: bool) -> bool:
    """Whether batch norm in a network's frozen copies has measured statistics, and not those of their source.

    Of untrained layers always, and never around a layer that is drawn anew: the network is its base in all else.

    Args:
        network: its design.
        adapts: whether frozen copies of a learned source are to have measured ones.
    """
    if not network.frozen or network.plan == REINITIALIZED:
        return False
    return adapts or network.source == RANDOM_SOURCE


def _batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Those that have running statistics."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
