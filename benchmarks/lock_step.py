"""Train a job of this project, as its workflow does, for some seconds.

    python benchmarks/lock_step.py SETUP FOLDER JOB THREADS PRECISION SECONDS

JOB is base, frozen or fine_tuned (series of seven), or one that trains nothing: loader, with the images held in memory,
stored_loader, with the images read from the store, or stored_pixels, the part of it that is the host's where a GPU does
the rest: crops of bytes, read and copied. Prints images a second, summed over the job's networks, as JSON.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
from memory import peak_memory
from setups import SETUPS, Setup, default_settings, networks_of

from transferability.files import read_json
from transferability.graphs import CALLS_BEFORE_RECORDING
from transferability.image_folders import image_folders
from transferability.names import WHOLE
from transferability.series import NetworkFiles, Recipe, Running, train, use_threads
from transferability.splits import samples_of, whole_split
from transferability.store import build_store, open_store
from transferability.stream import Crops, ImageLoader, Preprocessing, TrainingStream, mean_image

FEW = CALLS_BEFORE_RECORDING + 2  # iterations after which nothing happens for the first time


def main(setup: Setup, folder: Path, job: str, threads: int, precision: str, *, seconds: float) -> None:
    use_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = recipe_of(setup, folder, device, precision)
    if job in LOADERS:
        rate = loader_rate(recipe, device, *LOADERS[job], seconds)
    else:
        rate = training_rate(recipe, job, device, seconds)
    print(json.dumps({"images_per_second": rate, **peak_memory()}))


def recipe_of(setup: Setup, folder: Path, device: str, precision: str) -> Recipe:
    store_folder = folder / "store"
    if not store_folder.exists():
        with image_folders("benchmark", root=str(folder), size=setup.stored, channels=setup.channels) as source:
            build_store(source, store_folder)
    store = open_store(store_folder)
    return Recipe(
        store=store,
        split=whole_split(store.classes),
        seed=0,
        architecture=setup.architecture,
        preprocessing=Preprocessing(setup.crop, setup.mirror, "whole", 64.0),
        hyperparameters=replace(
            default_settings(),
            batch_size=setup.batch_on(device),
            learning_rate=1e-4,
            precision=precision,
            evaluate_every=10**9,
        ),
    )


def training_rate(recipe: Recipe, job: str, device: str, seconds: float) -> float:
    """Images a second of all the job's networks, with what a job does at each iteration.

    From two trainings of which one is longer by as many seconds: what both do once, such as the choice of kernels, the
    recording of a CUDA graph and the evaluation, is in neither the images nor the time.
    """
    iterations, few = FEW, training_seconds(recipe, job, device, FEW)
    many = few
    while many - few < seconds:
        iterations *= 4
        many = training_seconds(recipe, job, device, iterations)
    return (iterations - FEW) * recipe.hyperparameters.batch_size * len(networks_of(job)) / (many - few)


def training_seconds(recipe: Recipe, job: str, device: str, iterations: int) -> float:
    recipe = replace(recipe, hyperparameters=replace(recipe.hyperparameters, iterations=iterations))
    with TemporaryDirectory() as folder:
        files = [NetworkFiles.beside(Path(folder, f"{name}.safetensors")) for name in networks_of(job)]
        running = Running(Path(folder, "states"), device, 1e9, 1e9, lambda line: None, cuda_graphs=True)
        train(recipe, {one.network: one for one in files}, None, running)
        return sum(float(read_json(one.metrics)["seconds"]) for one in files)


class Pixels(ImageLoader):
    """Leaves away what is computed with the bytes of a batch once they are on the device."""

    def _normalised(self, crops: Crops, pixels: torch.Tensor) -> torch.Tensor:
        return pixels


# How they load, and how many bytes of images may be held in memory.
LOADERS = {
    "loader": (ImageLoader, float("inf")),
    "stored_loader": (ImageLoader, 0.0),
    "stored_pixels": (Pixels, 0.0),
}


def loader_rate(
    recipe: Recipe, device: str, loading: type[ImageLoader], resident_bytes: float, seconds: float
) -> float:
    positions, targets = samples_of(recipe.store, recipe.split.halves[WHOLE], recipe.store.training)
    mean = mean_image(recipe.store, positions, recipe.preprocessing.mean)
    about = (mean, recipe.preprocessing, torch.device(device))
    loader = loading(recipe.store, positions, *about, resident_bytes=resident_bytes)
    stream = TrainingStream(loader, targets, recipe.hyperparameters.batch_size, "benchmark")
    stream.batch(0)
    started, batches = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        batches += 1
        stream.batch(batches)
        if device == "cuda":
            torch.cuda.synchronize()
    return batches * recipe.hyperparameters.batch_size / (time.perf_counter() - started)


if __name__ == "__main__":
    main(SETUPS[sys.argv[1]], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5], seconds=float(sys.argv[6]))
