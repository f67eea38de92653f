"""A finished network, evaluated again."""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from transferability.networks.build import build_network
from transferability.networks.forward import logits_of
from transferability.networks.precision import use_precision
from transferability.results.scores import balanced_accuracy, loss_and_hits
from transferability.study.names import Network
from transferability.training.images import validation_set
from transferability.training.recipe import Recipe


class Evaluation(NamedTuple):
    """Of a network on the validation images of its task: mean loss, and accuracies from 0 to 1."""

    loss: float
    top1: float
    top5: float
    balanced: float


def evaluate(recipe: Recipe, network: Network, weights: Mapping[str, torch.Tensor], device: str) -> Evaluation:
    """Evaluate a trained network."""
    task, preprocessing = recipe.task(network.target), recipe.settings.preprocessing
    model = build_network(recipe.settings.architecture, recipe.seen_shape, len(task.classes))
    model.load_state_dict(weights)
    model.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    mean = task.mean_image(preprocessing.mean, network.examples_per_class)
    validation = validation_set(task, mean, preprocessing, device, cache_bytes=0)  # every image is read once
    use_precision(recipe.hyperparameters.precision)
    with torch.no_grad():
        counted = [
            loss_and_hits(logits_of(model, images, recipe.hyperparameters.precision), targets)
            for images, targets in validation.batches()
        ]
    loss, top1, top5 = (torch.stack([sums for sums, _ in counted]).sum(0) / len(validation)).tolist()
    right = torch.cat([of_batch for _, of_batch in counted]).cpu().numpy()
    return Evaluation(loss, top1, top5, balanced_accuracy(right, validation.targets))
