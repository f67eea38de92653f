"""The batches that networks of a task are trained on, and the images that they are evaluated on."""

import numpy as np
import torch
from numpy.typing import NDArray

from transferability.data.resized_crops import ResizedCropLoader
from transferability.data.stream import EVALUATION_BATCH, EvaluationSet, ImageLoader, TrainingStream
from transferability.data.tasks import Task
from transferability.study.settings import Preprocessing, Settings
from transferability.training.recipe import Running


def data_for(task: Task, settings: Settings, seed: int, running: Running) -> tuple[TrainingStream, EvaluationSet]:
    """The training batches and the validation images of a task."""
    device, cached = running.device, running.cache_bytes
    mean = task.mean_image(settings.preprocessing.mean)
    stream = training_stream(task, settings, seed, device, cache_bytes=cached)
    return stream, validation_set(task, mean, settings.preprocessing, device, cached)


def training_stream(task: Task, settings: Settings, seed: int, device: str, *, cache_bytes: float) -> TrainingStream:
    """A task's batches, which are the same for all of its networks, so comparisons between these are paired."""
    preprocessing = settings.preprocessing
    positions, targets = task.training()
    mean = task.mean_image(preprocessing.mean)
    loader: type[ImageLoader | ResizedCropLoader] = ImageLoader
    if preprocessing.random_resized_crop:
        loader = ResizedCropLoader
    about = (task.store, positions, mean, preprocessing, torch.device(device))
    training = loader(*about, cache_bytes=cache_bytes, channels=task.channels)
    return TrainingStream(training, targets, settings.hyperparameters.batch_size, seed, task.split, task.target)


def validation_set(
    task: Task, mean: NDArray[np.float32], preprocessing: Preprocessing, device: str, cache_bytes: float
) -> EvaluationSet:
    """The validation images of a task, minus a mean image."""
    return evaluation_set(task, task.validation(), mean, preprocessing, device, cache_bytes=cache_bytes)


def training_sample(task: Task, preprocessing: Preprocessing, seed: int, device: str) -> EvaluationSet:
    """The training images on which a task's finished networks are evaluated, minus the mean image as in training."""
    mean = task.mean_image(preprocessing.mean)
    sample = task.training_sample(seed)
    return evaluation_set(task, sample, mean, preprocessing, device, cache_bytes=0)  # every image is read once


def evaluation_set(
    task: Task,
    images: tuple[NDArray[np.int64], NDArray[np.int64]],
    mean: NDArray[np.float32],
    preprocessing: Preprocessing,
    device: str,
    *,
    cache_bytes: float,
) -> EvaluationSet:
    """An evaluation set of images, given by their positions in the task's store, and their targets."""
    positions, targets = images
    about = (task.store, positions, mean, preprocessing, torch.device(device))
    loader = ImageLoader(*about, cache_bytes=cache_bytes, channels=task.channels)
    return EvaluationSet(loader, targets, EVALUATION_BATCH)
