"""How much disk and memory a study needs, reported before it starts."""

import math
from collections.abc import Sequence

import torch

from transferability.networks.build import build_network
from transferability.store.source import ImageSource
from transferability.study.config import STAGES
from transferability.study.design import Study
from transferability.study.names import WHOLE
from transferability.words import amount, counted

WEIGHT_BYTES = 4


def needs(study: Study, source: ImageSource) -> Sequence[str]:
    """A line for the disk and one for memory, in GB (10^9 bytes) or less, of images, weights and training states.

    A network's activations in training come on top, and depend on the device.
    """
    image_bytes = math.prod(source.image_shape)
    store = (len(source.training) + len(source.validation)) * image_bytes
    weights = weight_bytes(study, _seen_beside_others(study, source.image_shape), len(source.classes))
    networks = len(list(study.networks()))
    per_job = min(study.running.networks_per_job, len(study.config["networks"]["depths"]))
    uncut = any(plan.tasks or name == WHOLE for name, plan in study.splits.items())
    largest_part = len(source.training) * image_bytes // (1 if uncut else 2)
    held = min(largest_part, study.running.cache_bytes)
    reading = "" if held == largest_part else ", the others read from the disk"
    of_networks = f"{amount(networks * weights)} for {counted(networks, 'network')}"
    kept = max(study.settings(stage).hyperparameters.kept_per_parameter for stage in STAGES)
    in_memory = f"{amount((2 + kept) * weights * per_job)} for {counted(per_job, 'network')}"
    states = amount(state_bytes(weights, kept))
    return (
        f"disk: {amount(store)} for the store, up to {of_networks}, and up to {states} for the "
        "states of each network in training",
        f"memory of a training job: up to {in_memory}, {amount(held)} for images{reading}",
    )


def _seen_beside_others(study: Study, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """An image's shape, in color if the mean implies that gray images are used with another data set's color ones."""
    height, width, channels = image_shape
    mean = study.settings("base").preprocessing.mean
    beside = len(study.data_sets) > 1 and not isinstance(mean, str)
    return height, width, max(channels, len(mean)) if beside else channels


def weight_bytes(study: Study, image_shape: tuple[int, int, int], classes: int) -> int:
    """Bytes of the weights of a network for a number of classes and images of this height, width and channels."""
    settings = study.settings("base")  # all stages share one architecture
    seen = settings.preprocessing.seen_shape(image_shape)
    with torch.device("cpu" if settings.foreign else "meta"):  # other models are run while they are built
        network = build_network(settings.architecture, seen, classes, 0, **settings.building)
    return WEIGHT_BYTES * sum(parameter.numel() for parameter in network.parameters())


def state_bytes(weights: int, kept: int) -> int:
    """Bytes of a network's newest state and the one before, each with the weights and ``kept`` numbers per weight."""
    return 2 * (1 + kept) * weights
