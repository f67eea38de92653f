"""What a job asks of a cluster: time and memory, generous, from the size of its data and its work."""

import math
from collections.abc import Mapping
from typing import Any

from transferability.study.settings import Hyperparameters

START_MINUTES = 10
# Python, torch and CUDA's host side, before any image or weight.
START_MB = 4000
# Of the largest features that are probed: two matrices of float64 of their dimension, and room to compute with them.
PROBE_MB = 500
# Evaluations, states, and a node that is slower than the one the rate was seen on.
MARGIN = 2.0


def training_minutes(
    settings: Hyperparameters,
    networks: int,
    manifest: Mapping[str, Any],
    images_per_second: float,
    *,
    longest: int,
    attempt: int = 1,
) -> int:
    """A time limit for training so many networks in lock-step.

    Args:
        settings: of the stage.
        networks: how many the job trains.
        manifest: of the store, whose validation images count too.
        images_per_second: what the device trains of one network, at least.
        longest: minutes that no job asks for more than; the next attempt resumes with what is left.
        attempt: from 1; each gets more time, though it resumes from the state of the one before.
    """
    evaluations = settings.evaluations + 1  # the last on training images, of which no more are taken
    images: int = settings.iterations * settings.batch_size + evaluations * manifest["validation"]
    minutes = START_MINUTES + math.ceil(MARGIN * attempt * networks * images / images_per_second / 60)
    return min(minutes, longest)


def training_mb(manifest: Mapping[str, Any], cache_gb: float, networks: int, attempt: int = 1) -> int:
    """Main memory for a training job: the images it holds, and room for each network."""
    images: float = (manifest["training"] + manifest["validation"]) * math.prod(manifest["image_shape"])
    return networks_mb(networks, attempt) + attempt * math.ceil(2 * min(images, cache_gb * 1e9) / 1e6)


def networks_mb(networks: int, attempt: int = 1) -> int:
    """Main memory for so many networks, without the images that they are trained on."""
    return attempt * (START_MB + 1000 * networks)


def probing_mb(depths: int, cache_gb: float, attempt: int = 1) -> int:
    """Main memory for probing at so many depths: sums of products and their eigenvectors, and the features kept."""
    return attempt * (START_MB + PROBE_MB * depths + math.ceil(1000 * cache_gb))


def store_mb(threads: int, attempt: int = 1) -> int:
    """Main memory for building a store; pages of the store itself are the system's to drop."""
    return attempt * (START_MB + 250 * threads)
