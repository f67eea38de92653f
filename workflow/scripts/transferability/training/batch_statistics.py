"""Batch norm's running statistics, measured anew on the images of a task."""

from collections.abc import Mapping

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from transferability.networks.copying import copy_layers
from transferability.networks.forward import features_at
from transferability.networks.precision import use_precision
from transferability.study.names import Network
from transferability.training.images import training_stream
from transferability.training.recipe import Recipe

MOST_BATCHES = 100


def measured(
    recipe: Recipe, network: Network, weights: Mapping[str, torch.Tensor], device: str
) -> dict[str, torch.Tensor]:
    """The same weights, with batch norm's statistics as they are on training images of a network's task.

    Each is the mean over the first batches that its networks are trained on, an epoch at most. A layer's statistics
    depend on the layers below it only, so that they are the same for all depths.

    Args:
        recipe: how the networks are built, and the images.
        network: whose task it is.
        weights: of the layers that it copies, by name.
        device: that the images run through the layers on.
    """
    model = recipe.build(2)
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not norms:
        return dict(weights)
    layers = model[:-1]
    copy_layers(weights, layers, len(layers))
    layers.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
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
    found = {name: tensor.cpu() for name, tensor in layers.state_dict().items()}
    return {**weights, **found}
