"""Train a job of this project for some seconds, as its workflow does.

    python benchmarks/lock_step.py SETUP FOLDER JOB THREADS PRECISION GRAPHS SECONDS

JOB is base, frozen or fine_tuned (series of seven), or one that trains nothing: loader, or pixels, which is just the
part that the host does if a GPU does the rest: cropping, reading and copying bytes. With the prefix stored_, as in
stored_base, images are not held in memory but read from the store. GRAPHS is 1 for updates that a GPU captures and
replays, otherwise 0. Prints images per second, summed over the job's networks, as JSON.
"""

import json
import sys
import time
from dataclasses import replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
from memory import peak_memory
from setups import SETUPS, STORED, Setup, default_settings, networks_of

from transferability.data.build import build_store
from transferability.data.folders.source import image_folders
from transferability.data.splits import whole_split
from transferability.data.stream import Crops, ImageLoader, TrainingStream
from transferability.files import read_json
from transferability.process.determinism import use_threads
from transferability.store.reading import open_store
from transferability.study.folder_keys import FolderKeys
from transferability.study.layout import NetworkFiles
from transferability.study.names import WHOLE
from transferability.study.settings import Preprocessing, Settings
from transferability.training.graphs import CALLS_BEFORE_CAPTURE
from transferability.training.recipe import Recipe, Running
from transferability.training.train import train

FEW = CALLS_BEFORE_CAPTURE + 2  # iterations that include everything that happens only once


def main(setup: Setup, folder: Path, job: str, threads: int, precision: str, *, graphs: bool, seconds: float) -> None:
    use_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = recipe_of(setup, folder, device, precision)
    if (loader := job.removeprefix(STORED)) in LOADERS:
        rate = loader_rate(recipe, device, LOADERS[loader], held_bytes(job), seconds)
    else:
        rate = job_rate(recipe, job, device, seconds, graphs=graphs)
    print(json.dumps({"images_per_second": rate, **peak_memory()}))


def recipe_of(setup: Setup, folder: Path, device: str, precision: str) -> Recipe:
    store_folder = folder / "store"
    if not store_folder.exists():
        keys = FolderKeys(root=str(folder), size=setup.stored, channels=setup.channels)
        with image_folders("benchmark", keys) as source:
            build_store(source, store_folder)
    store = open_store(store_folder)
    return Recipe(
        store=store,
        split=whole_split(store.classes),
        seed=0,
        settings=Settings(
            architecture=setup.architecture,
            preprocessing=Preprocessing(setup.crop, setup.mirror, "whole", 64.0),
            hyperparameters=replace(
                default_settings(),
                batch_size=setup.batch_on(device),
                learning_rate=1e-4,
                precision=precision,
                evaluate_every=10**9,
            ),
        ),
    )


def held_bytes(job: str) -> float:
    """How many bytes of a job's images may be held in memory."""
    return 0.0 if job.startswith(STORED) else float("inf")


def job_rate(recipe: Recipe, job: str, device: str, seconds: float, *, graphs: bool) -> float:
    """The `training_rate` of a job, whose name may have the prefix stored_."""
    running = Running(Path(), device, 1e9, 1e9, lambda _line: None, held_bytes(job), graphs)
    return training_rate(recipe, job.removeprefix(STORED), running, seconds)


def training_rate(recipe: Recipe, job: str, running: Running, seconds: float) -> float:
    """Images per second, summed over the job's networks, including everything that a job does at each iteration.

    It comes from two training runs, one longer than the other by at least this many seconds: what both do once, such as
    capturing a CUDA graph and evaluating, cancels. A run before them chooses kernels and is not counted.
    """
    training_seconds(recipe, job, running, FEW)
    iterations, few = FEW, training_seconds(recipe, job, running, FEW)
    many = few
    while many - few < seconds:
        # As many as the last run suggests, and a few more; but a short run is not extrapolated too far.
        wanted = 1.2 * seconds * (iterations - FEW) / max(many - few, 1e-9)
        iterations = FEW + ceil(min(max(wanted, 4 * (iterations - FEW), 3 * FEW), 20 * iterations))
        many = training_seconds(recipe, job, running, iterations)
    return (iterations - FEW) * recipe.hyperparameters.batch_size * len(networks_of(job)) / (many - few)


def training_seconds(recipe: Recipe, job: str, running: Running, iterations: int) -> float:
    recipe = recipe.with_hyperparameters(iterations=iterations)
    with TemporaryDirectory() as folder:
        files = [NetworkFiles.beside(Path(folder, f"{name}.safetensors")) for name in networks_of(job)]
        train(recipe, {one.network: one for one in files}, None, replace(running, states=Path(folder, "states")))
        return sum(float(read_json(one.metrics)["seconds"]) for one in files)


class Pixels(ImageLoader):
    """Leaves out what is computed from the bytes of a batch once they are on the device."""

    def _normalized(self, crops: Crops, pixels: torch.Tensor) -> torch.Tensor:
        return pixels


LOADERS = {"loader": ImageLoader, "pixels": Pixels}


def loader_rate(recipe: Recipe, device: str, loading: type[ImageLoader], cache_bytes: float, seconds: float) -> float:
    task, preprocessing = recipe.task(WHOLE), recipe.settings.preprocessing
    positions, targets = task.training()
    about = (task.mean_image(preprocessing.mean), preprocessing, torch.device(device))
    loader = loading(task.store, positions, *about, cache_bytes=cache_bytes)
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
    _, setup, folder, job, threads, precision, graphs, seconds = sys.argv
    about = (SETUPS[setup], Path(folder), job, int(threads), precision)
    main(*about, graphs=graphs == "1", seconds=float(seconds))
