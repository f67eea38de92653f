"""Where the layers that a network copies come from."""

from collections.abc import Mapping
from pathlib import Path

import torch

from transferability.networks.pretrained import pretrained_weights
from transferability.records.checkpoints import load_weights, read_about
from transferability.study.names import PRETRAINED_SOURCE, RANDOM_SOURCE, Network
from transferability.study.settings import ADAPT
from transferability.training.batch_statistics import Measure, has_measured_statistics, measured
from transferability.training.recipe import Recipe


def source_weights(recipe: Recipe, network: Network, source: Path | None) -> dict[str, torch.Tensor]:
    """The weights that a network copies layers from: a base's, published or random ones; none for a base.

    CheckpointError if the checkpoint is damaged or not the source's, WeightsError if published weights do not fit.
    """
    if network.source is None:
        return {}
    if network.source == RANDOM_SOURCE:
        # One untrained network per split and seed: its layers serve all depths, so they can be shared.
        return dict(recipe.build(2, recipe.seed, recipe.split.name, RANDOM_SOURCE).state_dict())
    if network.source == PRETRAINED_SOURCE and source is not None:
        return pretrained_weights(source, recipe.build(2))
    if source is None or network.base is None:
        raise ValueError(f"{network.name} copies layers of a base network or of published weights, which are not given")
    return load_weights(
        source,
        network=network.base.name,
        split=recipe.split.name,
        seed=recipe.seed,
        store_checksum=recipe.task(network.base.target).store.checksum,
        architecture=recipe.settings.architecture,
    )


def frozen_weights(
    recipe: Recipe,
    network: Network,
    weights: Mapping[str, torch.Tensor],
    device: str,
    measure: Measure = measured,
) -> Mapping[str, torch.Tensor]:
    """The weights of a network's frozen layers: its source's, including batch norm's statistics.

    If it `has_measured_statistics`, these statistics are measured on the training images of the network's task, on a
    device.
    """
    foreign = recipe.settings.foreign
    is_measured = has_measured_statistics(network, adapts=foreign is not None and foreign.frozen_batch_norm == ADAPT)
    return {**weights, **measure(recipe, network, weights, device)} if is_measured else weights


def why_large(network: Network, source: Path | None) -> str:
    """What explains a network's large loss before its first update, and what to do about it."""
    if network.base is None or source is None:
        key = "preprocessing.std (if mean is a list) or preprocessing.scale"
        return f"the images or the initial weights are too large; raise {key}, or lower a learning rate"
    rate = read_about(source)["hyperparameters"]["learning_rate"]
    base = network.base.name
    return f"the features of {base}'s layers are too large; lower the learning rate of base networks ({rate:g})"
