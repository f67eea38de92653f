"""Batch norm's running statistics, measured on the images of a task."""

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

# `measured`, or any function that returns the same.
Measure = Callable[[Recipe, Network, Mapping[str, torch.Tensor], str], dict[str, torch.Tensor]]


def measured(
    recipe: Recipe, network: Network, weights: Mapping[str, torch.Tensor], device: str
) -> dict[str, torch.Tensor]:
    """Measure batch norm's statistics, by name, on training images of a network's task.

    Each is the mean over the first batches that the task's networks are trained on, at most `MOST_BATCHES` or an epoch.
    A layer's statistics depend only on the layers below it, so they are the same for all depths.

    Args:
        recipe: how the networks are built, and the images.
        network: the network whose task it is.
        weights: those of the layers that it copies, by name.
        device: where the images are run through the layers.
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
    """Measure batch norm's statistics in a network's n-th layer, which is reinitialized and so has none from a source.

    The layers below it keep their own and compute with them, as they do in the network.

    Args:
        recipe: how the network is built, and the images.
        network: the network whose n-th layer is reinitialized.
        model: its layers, on the device.
        device: where the images are run through the layers.
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
    """Give these batch norms the statistics of training images; all others compute with the ones they have."""
    layers.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average, so that every batch counts the same
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
    """Which statistics a network's frozen layers have, for its metrics; empty if they have no batch norm.

    `SOURCE` if they are the source's, `ADAPT` if they are measured on the target's images.

    Args:
        model: the network's layers.
        network: its design.
        identity: what it is made from.
    """
    if not _batch_norms(some_layers(model, network.layer_plans(len(model))[-1].held)):
        return {}
    is_measured = has_measured_statistics(network, adapts=identity.get(FROZEN_BATCH_NORM) == ADAPT)
    return {FROZEN_BATCH_NORM: ADAPT if is_measured else SOURCE}


def has_measured_statistics(network: Network, adapts: bool) -> bool:
    """Whether batch norm in a network's frozen copies has measured statistics instead of the source's.

    Always for untrained layers; never around a reinitialized layer, because the network is otherwise its base.

    Args:
        network: its design.
        adapts: whether frozen copies of a trained source are to have measured statistics.
    """
    if not network.frozen or network.plan == REINITIALIZED:
        return False
    return adapts or network.source == RANDOM_SOURCE


def _batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch norms that keep running statistics."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
