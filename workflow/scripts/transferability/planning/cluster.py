"""What a job requests from a cluster: generous time and memory, based on the size of its data and its work."""

import math
from collections.abc import Mapping
from typing import Any

from transferability.study.settings import Hyperparameters

START_MINUTES = 10
# Python, torch and CUDA's host side, before any images or weights.
START_MB = 4000
# For the largest features that are probed: two float64 matrices of their dimension, and room to compute with them.
PROBE_MB = 500
# For states, and for a node slower than the one on which the rate was measured.
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
    """A time limit in minutes for training a number of networks in lock-step.

    Args:
        settings: those of the stage.
        networks: how many the job trains.
        manifest: the store's; its validation images count too.
        images_per_second: the minimum rate at which the device trains one network.
        longest: the most minutes that any job requests; the next attempt resumes with what is left.
        attempt: counted from 1; each gets more time, although it resumes from the state of the one before.
    """
    evaluations = settings.evaluations + 1  # the last one is on training images, no more than these
    images: int = settings.iterations * settings.batch_size + evaluations * manifest["validation"]
    minutes = START_MINUTES + math.ceil(MARGIN * attempt * networks * images / images_per_second / 60)
    return min(minutes, longest)


def training_mb(manifest: Mapping[str, Any], cache_gb: float, networks: int, attempt: int = 1) -> int:
    """Main memory in MB for a training job: the images it holds, and room for each network."""
    images: float = (manifest["training"] + manifest["validation"]) * math.prod(manifest["image_shape"])
    return networks_mb(networks, attempt) + attempt * math.ceil(2 * min(images, cache_gb * 1e9) / 1e6)


def networks_mb(networks: int, attempt: int = 1) -> int:
    """Main memory in MB for a number of networks, without the images that they are trained on."""
    return attempt * (START_MB + 1000 * networks)


def probing_mb(depths: int, cache_gb: float, attempt: int = 1) -> int:
    """Main memory in MB for probing at several depths: sums of products, their eigenvectors, and the features kept."""
    return attempt * (START_MB + PROBE_MB * depths + math.ceil(1000 * cache_gb))


def store_mb(threads: int, attempt: int = 1) -> int:
    """Main memory in MB for building a store; the system can drop pages of the store itself."""
    return attempt * (START_MB + 250 * threads)
