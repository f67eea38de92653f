"""What training costs on this device, measured by short trainings of the real networks on random images."""

import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np
import torch

from transferability.data.splits import Split
from transferability.data.stream import EVALUATION_BATCH
from transferability.planning.flops import flops_per_image
from transferability.store.reading import Store
from transferability.store.source import ImageClass
from transferability.study.layout import NetworkFiles
from transferability.study.names import HALVES, RANDOM_SOURCE, Network, Series
from transferability.study.settings import Settings
from transferability.training.graphs import CALLS_BEFORE_CAPTURE
from transferability.training.recipe import Recipe, Running
from transferability.training.train import train

# Once warm, a calibration trains for about SECONDS at a time, REPEATS times; on a device so slow that one iteration
# takes more than SLOW_SECONDS, it trains for no more than that one.
SECONDS = 0.6
REPEATS = 3
SLOW_SECONDS = 8.0
EVALUATIONS = 4  # in the training that measures their cost
GREY = 128  # mean pixel of a calibration's images
# Loads what a training job loads before it trains: Snakemake's side of a script, torch, and CUDA.
START = "import sys; import snakemake.script, transferability.training.train, torch; torch.zeros(1, device=sys.argv[1])"


@dataclass(frozen=True)
class Workload:
    """What the cost of a training job depends on, apart from the length of the training.

    Attributes:
        frozen: for each network, how many of its lowest layers are frozen; with a plan, n.
        classes: how many their half has.
        cached: whether the images are kept in the device's memory.
        plan: the networks' plan, if they have one.
    """

    frozen: tuple[int, ...]
    image_shape: tuple[int, int, int]
    classes: int
    settings: Settings
    cached: bool
    plan: str | None = None

    def __str__(self) -> str:
        count = f"{len(self.frozen)} network{'s' * (len(self.frozen) > 1)}"
        if self.plan:
            return f"{count}, {self.plan.replace('_', ' ')}, at n = {', '.join(map(str, self.frozen))}"
        return f"{count}, frozen up to layer {', '.join(map(str, self.frozen))}" if any(self.frozen) else count

    @property
    def networks(self) -> tuple[Network, ...]:
        """Networks of the same cost; random layers cost the same as copied ones and need no checkpoint."""
        if self.frozen == (0,):
            return (Network("B"),)
        if self.plan:
            return tuple(map(Series(RANDOM_SOURCE, "B", plan=self.plan).at, self.frozen))
        tuned, frozen = Series(RANDOM_SOURCE, "B", fine_tuned=True), Series(RANDOM_SOURCE, "B")
        return tuple(frozen.at(n) if n else tuned.at(position) for position, n in enumerate(self.frozen, start=1))


@dataclass(frozen=True)
class Cost:
    """Device time in seconds for the networks of one job together.

    Attributes:
        fixed: before and after the training, within the process: networks are initialized, files are written.
        iteration: one iteration of all networks.
        evaluated_image: one validation image, evaluated by all networks.
        spread: half the range of repeated timings of ``iteration``, as a fraction of it; None if it was timed once.
    """

    fixed: float
    iteration: float
    evaluated_image: float
    spread: float | None = None

    def seconds(self, iterations: int, evaluated_images: int) -> float:
        return self.fixed + iterations * self.iteration + evaluated_images * self.evaluated_image


def calibrate(workload: Workload, running: Running, about: float = SECONDS) -> Cost:
    """Train the workload for a few seconds and return its cost.

    Args:
        workload: what to train.
        running: as for `train`; everything is written to its states folder, which is left as it was.
        about: seconds per training, of which there are `REPEATS` and one more.
    """
    cache_bytes = float("inf") if workload.cached else 0
    quiet = replace(running, say=lambda _line: None, cache_bytes=cache_bytes)
    validation = EVALUATION_BATCH
    recipe = _recipe(workload, training=2 * workload.settings.hyperparameters.batch_size, validation=validation)
    clock = device_clock(running.device)

    def seconds(iterations: int, evaluate_every: int) -> tuple[float, float]:
        """Outside and inside the loop of iterations, which ends with an evaluation and so once the device is done."""
        marks: list[float] = []
        timed = replace(quiet, log_every_seconds=float("inf"), watchers=[lambda _progress: marks.append(clock())])
        of_this_length = recipe.with_hyperparameters(iterations=iterations, evaluate_every=evaluate_every)
        with TemporaryDirectory(dir=running.states) as folder:
            files = {n: NetworkFiles.beside(Path(folder, f"{n.name}.safetensors")) for n in workload.networks}
            started = clock()
            train(of_this_length, files, None, replace(timed, states=Path(folder)))
            training = marks[-1] - marks[0]
            return clock() - started - training, training

    if running.device == "cuda":
        seconds(1, 1)  # otherwise the search for the fastest kernels would look like a slow device
    fixed, first = seconds(1, 1)
    if first > SLOW_SECONDS:
        return _shared_out(fixed, first, workload, validation)
    few = CALLS_BEFORE_CAPTURE + 1 if running.cuda_graphs else 1  # so that both include a capture
    fixed, first = seconds(few, few)  # now warm
    iterations, many = few, first
    while many - first < about / 2:
        wanted = math.ceil(iterations * about / max(many - first, about / 27)) if iterations > few else 0
        iterations = max(3 * iterations, wanted)
        _, many = seconds(iterations, iterations)
    trainings = [many, *(seconds(iterations, iterations)[1] for _ in range(REPEATS - 1))]
    measured = [max(training - first, 0) / (iterations - few) for training in trainings]
    iteration = fmean(measured)
    evaluate_every = max(iterations // EVALUATIONS, 1)
    _, often = seconds(iterations, evaluate_every)
    evaluations = math.ceil(iterations / evaluate_every) - 1  # more than in the others
    evaluated = max(often - fmean(trainings), 0) / (evaluations * validation)
    spread = (max(measured) - min(measured)) / (2 * iteration) if iteration else None
    return Cost(fixed + max(first - few * iteration - validation * evaluated, 0), iteration, evaluated, spread)


def _shared_out(fixed: float, seconds: float, workload: Workload, validation: int) -> Cost:
    """The cost if one iteration and one evaluation took this many seconds together, shared out by operations."""
    settings = workload.settings
    seen = settings.preprocessing.seen_shape(workload.image_shape)
    flops = flops_per_image(settings.architecture, seen, workload.classes, workload.frozen, **settings.building)
    trained = settings.hyperparameters.batch_size
    per_flop = seconds / (trained * flops.training + validation * flops.forward)
    return Cost(fixed, trained * flops.training * per_flop, flops.forward * per_flop)


def start_seconds(device: str) -> float:
    """Seconds from the start of a training job's process until it can train."""
    command = [sys.executable, "-c", START, device]
    path = os.pathsep.join(sys.path)  # with what Snakemake added for its scripts
    clock = device_clock(device, of_children=True)
    started = clock()
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})
    return clock() - started


def device_clock(device: str, *, of_children: bool = False) -> Callable[[], float]:
    """A clock in seconds: with one CPU thread, CPU time, whatever else the machine does; otherwise wall-clock time."""
    if device == "cpu" and torch.get_num_threads() == 1:
        return _children_seconds if of_children else time.process_time
    return time.perf_counter


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_bytes(device: str) -> dict[str, int]:
    """This process's peak memory so far: main memory, and the GPU's if it uses one."""
    peak = {"main": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    return peak | ({"GPU": torch.cuda.max_memory_reserved()} if device == "cuda" else {})


def _recipe(workload: Workload, training: int, validation: int) -> Recipe:
    """A recipe with enough random images that consecutive batches differ."""
    random = np.random.default_rng(0)
    shape = (training + validation, *workload.image_shape)
    labels = random.integers(0, workload.classes, training + validation)
    counts = np.bincount(labels[:training], minlength=workload.classes)
    classes = tuple(ImageClass(f"{index:04}") for index in range(workload.classes))
    store = Store(
        name="calibration",
        # So close to the mean image that no loss explodes, whatever the pixels are divided by.
        images=random.integers(GREY - 2, GREY + 3, shape, dtype=np.uint8),
        labels=labels,
        classes=classes,
        class_sums=np.broadcast_to(
            (counts * GREY).astype(np.uint32)[:, None, None, None], (len(classes), *workload.image_shape)
        ),
        training_count=training,
        checksum="",
    )
    return Recipe(
        store=store,
        split=Split("calibration", "random", dict.fromkeys(HALVES, tuple(range(len(classes))))),
        seed=0,
        settings=workload.settings,
    )
