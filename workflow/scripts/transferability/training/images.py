"""The batches that networks of a task are trained on, and the images that they are validated on."""

import numpy as np
import torch
from numpy.typing import NDArray

from transferability.data.stream import VALIDATION_BATCH, ImageLoader, TrainingStream, ValidationSet
from transferability.data.tasks import Task
from transferability.study.settings import Preprocessing, Settings
from transferability.training.recipe import Running


def data_for(
    task: Task, examples_per_class: int | None, settings: Settings, seed: int, running: Running
) -> tuple[TrainingStream, ValidationSet]:
    """What networks of a task see that are trained on so many images of each class (None: all)."""
    preprocessing, device, cached = settings.preprocessing, torch.device(running.device), running.cache_bytes
    positions, targets = task.training(examples_per_class)
    mean = task.mean_image(preprocessing.mean, examples_per_class)
    loader = ImageLoader(task.store, positions, mean, preprocessing, device, cache_bytes=cached)
    # The stream belongs to the task, not to a network: comparisons between networks of a task are paired.
    stream = TrainingStream(loader, targets, settings.hyperparameters.batch_size, seed, task.split, task.target)
    return stream, validation_set(task, mean, preprocessing, running.device, cached)


def validation_set(
    task: Task, mean: NDArray[np.float32], preprocessing: Preprocessing, device: str, cache_bytes: float
) -> ValidationSet:
    """The validation images of a task, less a mean image."""
    positions, targets = task.validation()
    about = (mean, preprocessing, torch.device(device))
    loader = ImageLoader(task.store, positions, *about, cache_bytes=cache_bytes)
    return ValidationSet(loader, targets, VALIDATION_BATCH)
