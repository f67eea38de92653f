"""Evaluating networks on images: several that are trained in lock-step, or a finished one again."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import nn

from transferability.data.stream import EvaluationSet
from transferability.networks.forward import logits_of
from transferability.networks.precision import use_precision
from transferability.results.scores import balanced_accuracy
from transferability.study.names import Network
from transferability.training.images import training_sample, validation_set
from transferability.training.recipe import Recipe


class Evaluation(NamedTuple):
    """A network's mean loss (cross-entropy, in nats) and accuracies (0 to 1) on a number of images."""

    loss: float
    top1: float
    top5: float
    balanced: float
    images: int


def evaluations(
    logits_of_each: Callable[[torch.Tensor], Sequence[torch.Tensor]], on: EvaluationSet
) -> list[Evaluation]:
    """Evaluate several networks on the same images.

    Args:
        logits_of_each: from images, B x C x H x W, to the logits of each network in evaluation mode, B x classes.
        on: the images.
    """
    totals, hits = [], []
    with torch.no_grad():
        for images, targets in on.batches():
            of_each = [_loss_and_hits(logits, targets) for logits in logits_of_each(images)]
            totals.append(torch.stack([sums for sums, _ in of_each]))
            hits.append(torch.stack([right for _, right in of_each]))
    means = (torch.stack(totals).sum(0) / len(on)).tolist()
    rights = torch.cat(hits, dim=1).cpu().numpy()
    return [
        Evaluation(loss, top1, top5, balanced_accuracy(right, on.targets), len(on))
        for (loss, top1, top5), right in zip(means, rights, strict=True)
    ]


def _loss_and_hits(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of a batch: summed, float64, cross-entropy, right answers, right ones among the five best; and which are right.

    The latter are B booleans: no sum by class on a GPU, where one adds in any order.
    """
    loss = nn.functional.cross_entropy(logits, targets, reduction="sum")
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices
    hits = best == targets[:, None]
    return torch.stack([loss.double(), hits[:, 0].sum().double(), hits.sum().double()]), hits[:, 0]


def evaluate(
    recipe: Recipe, network: Network, weights: Mapping[str, torch.Tensor], device: str
) -> tuple[Evaluation, Evaluation]:
    """Evaluate a trained network on its task's validation images and on the sample of its training images."""
    task, preprocessing = recipe.task_of(network), recipe.settings.preprocessing
    model = recipe.model_of(network)
    model.load_state_dict(weights)
    model.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    precision = recipe.hyperparameters.precision
    use_precision(precision)
    mean = task.mean_image(preprocessing.mean)
    validation = validation_set(task, mean, preprocessing, device, cache_bytes=0)  # every image is read once
    sample = training_sample(task, preprocessing, recipe.seed, device)
    (on_validation,), (on_training,) = (
        evaluations(lambda images: [logits_of(model, images, precision)], on) for on in (validation, sample)
    )
    return on_validation, on_training
