"""Where the layers that a network copies come from."""

from pathlib import Path

import torch

from transferability.networks.build import build_network
from transferability.records.checkpoints import load_weights, read_about
from transferability.study.names import RANDOM_SOURCE, Network
from transferability.training.recipe import Recipe


def source_weights(recipe: Recipe, network: Network, source: Path | None) -> dict[str, torch.Tensor]:
    """The weights that a network copies layers from, of a base's checkpoint or drawn; none for a base.

    CheckpointError if the checkpoint is damaged or not that of the source.
    """
    if network.source is None:
        return {}
    if network.source == RANDOM_SOURCE:
        # One untrained network a split and seed: its layers serve all depths, so that they can be shared.
        untrained = build_network(
            recipe.settings.architecture, recipe.seen_shape, 2, recipe.seed, recipe.split.name, RANDOM_SOURCE
        )
        return dict(untrained.state_dict())
    if source is None:
        raise ValueError(f"{network.name} copies layers from base{network.base}, whose checkpoint is not given")
    return load_weights(
        source,
        network=f"base{network.base}",
        split=recipe.split.name,
        seed=recipe.seed,
        store_checksum=recipe.store.checksum,
        architecture=recipe.settings.architecture,
    )


def why_large(network: Network, source: Path | None) -> str:
    """What a network's large loss before its first update comes from, and what to do about it."""
    if network.base is None or source is None:
        key = "preprocessing.std, where mean is a list, or preprocessing.scale"
        return f"the images or the weights as drawn are too large; raise {key}, or lower a learning rate"
    rate = read_about(source)["hyperparameters"]["learning_rate"]
    base = f"base{network.base}"
    return f"the features of {base}'s layers are too large; lower the learning rate of base networks ({rate:g})"
