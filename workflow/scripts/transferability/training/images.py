"""The images that a network is trained and validated on, and how often a guess at their class is right."""

import numpy as np
import torch
from numpy.typing import NDArray

from transferability.data.splits import first_of_each_class, samples_of
from transferability.data.stream import ImageLoader, TrainingStream, ValidationSet, mean_image
from transferability.study.names import Network
from transferability.training.recipe import Recipe, Running

VALIDATION_BATCH = 400


def data_for(recipe: Recipe, network: Network, running: Running) -> tuple[TrainingStream, ValidationSet]:
    """The batches that a network is trained on, and the images that it is validated on."""
    positions, targets = training_images(recipe, network)
    # Validation images have no part in the mean that is subtracted from them.
    mean = mean_image(recipe.store, positions, recipe.settings.preprocessing.mean)
    device, resident = torch.device(running.device), running.resident_bytes
    loader = ImageLoader(recipe.store, positions, mean, recipe.settings.preprocessing, device, resident_bytes=resident)
    # The stream belongs to the half, not to the network: comparisons between networks of a half are paired.
    stream = TrainingStream(
        loader, targets, recipe.hyperparameters.batch_size, recipe.seed, recipe.split.name, network.target
    )
    return stream, validation_set(recipe, network, mean, running.device, resident)


def training_images(recipe: Recipe, network: Network) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions in the store of the images a network is trained on, and their targets."""
    positions, targets = samples_of(recipe.store, recipe.split.halves[network.target], recipe.store.training)
    if network.examples_per_class is None:
        return positions, targets
    kept = first_of_each_class(targets, network.examples_per_class)
    return positions[kept], targets[kept]


def validation_set(
    recipe: Recipe, network: Network, mean: NDArray[np.float32], device: str, resident_bytes: float
) -> ValidationSet:
    """The validation images of a network's half, less the mean of its training images."""
    positions, targets = samples_of(recipe.store, recipe.split.halves[network.target], recipe.store.validation)
    about = (mean, recipe.settings.preprocessing, torch.device(device))
    loader = ImageLoader(recipe.store, positions, *about, resident_bytes=resident_bytes)
    return ValidationSet(loader, targets, VALIDATION_BATCH)


def guessing_facts(recipe: Recipe, network: Network) -> dict[str, int | float]:
    """What it takes to tell an accuracy from guessing.

    ``chance`` is the accuracy of always naming the class of most validation images: 1 / classes where they are
    balanced.
    """
    classes = recipe.split.halves[network.target]
    _, targets = samples_of(recipe.store, classes, recipe.store.validation)
    chance = np.bincount(targets).max() / len(targets)
    return {"classes": len(classes), "validation_images": len(targets), "chance": float(chance)}
