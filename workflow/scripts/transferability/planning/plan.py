"""What a study takes, reported before it starts: jobs, device time, wall-clock time, disk and memory.

A training job consists of starting its process, its iterations and its evaluations; the time for each of these is
measured on this device (`calibration`), for each kind of job that the study has.
"""

import heapq
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from transferability.data.kind import DataSize
from transferability.planning.calibration import SECONDS, Cost, Workload, calibrate, start_seconds
from transferability.planning.data_size import HalfSize, half_sizes
from transferability.planning.needs import state_bytes, weight_bytes
from transferability.results.sampling import error_of_difference
from transferability.study.config import STAGES
from transferability.study.design import Study
from transferability.study.names import Network
from transferability.study.settings import Hyperparameters
from transferability.training.recipe import Running
from transferability.words import amount, counted, duration

# Seconds of timed training for the calibration of all kinds of jobs together, not counting repetitions.
ALL_SECONDS = 2.0
# Jobs at a time.
DEVICES = (1, 2, 4, 8, 16, 32, 64)
# Bytes on disk besides weights and images: per network, per class in its files and per evaluation in its history; per
# job, for its logs; per image, for its label and its line in samples.csv.
NETWORK_BYTES, CLASS_BYTES, EVALUATION_BYTES, JOB_BYTES, SAMPLE_BYTES = 5000, 50, 85, 1500, 60
# And for tables and figures: per study, per class in its contact sheet, per split and seed for learning curves.
FIGURES_BYTES, CONTACT_SHEET_BYTES, LEARNING_CURVES_BYTES = 800_000, 20_000, 360_000

_ROW = "{:<12}{:>8}{:>10}{:>12}{:>18}{:>16}"


@dataclass(frozen=True)
class PlannedJob:
    """A training job: networks of one split and seed that are trained in lock-step."""

    split: str
    seed: int
    networks: tuple[Network, ...]

    @property
    def stage(self) -> str:
        return self.networks[0].stage

    @property
    def is_trained(self) -> bool:
        return self.networks[0].is_trained

    @property
    def half(self) -> tuple[str, str]:
        """Split and target."""
        return self.split, self.networks[0].target

    @property
    def source(self) -> Self | None:
        """The job whose network these copy from, and so wait for."""
        base = self.networks[0].base
        return None if base is None else type(self)(self.split, self.seed, (base,))


@dataclass(frozen=True)
class Plan:
    """A study's training jobs, and what each of them takes.

    Attributes:
        sizes: those of its data sets, by name.
        halves: sizes of the halves, by split and target.
        seconds: device time, by job.
        images_per_second: rate at which a base network is trained alone.
        start: seconds of these that a job takes before it trains.
        spread: that of repeated timings, as a fraction of the time of all jobs; None if it is not known.
    """

    study: Study
    sizes: Mapping[str, DataSize]
    halves: Mapping[tuple[str, str], HalfSize]
    seconds: Mapping[PlannedJob, float]
    images_per_second: float
    start: float = 0.0
    spread: float | None = None

    def wall_seconds(self, devices: float) -> float:
        """Time until the last job is done, one job per device: first those that others wait for, then the longest.

        Without a limit (``math.inf``) this is the critical path, a base and then its longest series.
        """
        waiting: dict[PlannedJob | None, list[PlannedJob]] = defaultdict(list)
        for job in self.seconds:
            waiting[job.source].append(job)
        order = {job: (not waiting.get(job), -self.seconds[job], i) for i, job in enumerate(self.seconds)}
        ready = [(order[job], job) for job in waiting[None]]
        heapq.heapify(ready)
        training: list[tuple[float, tuple[bool, float, int], PlannedJob]] = []
        now = 0.0
        while ready or training:
            while ready and len(training) < devices:
                place, job = heapq.heappop(ready)
                heapq.heappush(training, (now + self.seconds[job], place, job))
            now, _, done = heapq.heappop(training)
            for job in waiting.get(done, ()):
                heapq.heappush(ready, (order[job], job))
        return now

    def disk(self) -> dict[str, int]:
        """Bytes that stay on disk, by what they are for."""
        curves = len(self.study.splits) * len(self.study.seeds)
        shown = sum(min(len(size.classes), 200) for size in self.sizes.values())
        figures = FIGURES_BYTES + CONTACT_SHEET_BYTES * shown + LEARNING_CURVES_BYTES * curves
        return {
            "store": sum(map(_store_bytes, self.sizes.values())),
            "networks": sum(len(job.networks) * self._network_bytes(job) + JOB_BYTES for job in self.seconds),
            "figures": figures,
        }

    def held_bytes(self) -> int:
        """The most bytes of images that a job keeps in memory, instead of reading them for every batch."""
        limit = self.study.running.cache_bytes
        parts = [
            images * math.prod(half.image_shape)
            for half in self.halves.values()
            for images in (half.training, half.validation)
        ]
        return max((part for part in parts if part <= limit), default=0)

    def state_bytes(self) -> int:
        """Bytes on disk for the states of one job, the largest, while it runs."""

        def of_job(job: PlannedJob) -> int:
            kept = self.study.settings(job.stage).hyperparameters.kept_per_parameter
            return len(job.networks) * state_bytes(self._weights[job.half], kept)

        return max(map(of_job, self.seconds))

    @cached_property
    def _weights(self) -> dict[tuple[str, str], int]:
        """Bytes of a network's weights, by split and target."""
        kinds = {(half.image_shape, half.classes) for half in self.halves.values()}
        of_kind = {kind: weight_bytes(self.study, *kind) for kind in kinds}
        return {key: of_kind[half.image_shape, half.classes] for key, half in self.halves.items()}

    def _network_bytes(self, job: PlannedJob) -> int:
        text = NETWORK_BYTES + CLASS_BYTES * self.halves[job.half].classes
        return self._weights[job.half] + text + EVALUATION_BYTES * self.hyperparameters(job).evaluations

    def hyperparameters(self, job: PlannedJob) -> Hyperparameters:
        """The hyperparameters of a job's networks, with their iterations."""
        return _hyperparameters(self.study, job, self.halves)


def _store_bytes(size: DataSize) -> int:
    pixels = math.prod(size.image_shape)
    return size.images * (pixels + SAMPLE_BYTES) + 4 * len(size.classes) * pixels


def plan_study(study: Study, sizes: Mapping[str, DataSize], running: Running) -> Plan:
    """Calibrate every kind of job that a study has, and plan it.

    Args:
        study: the checked config.
        sizes: those of its data sets, by name.
        running: how to train for the calibration; its states folder must exist, and is left as it was.
    """
    jobs = [PlannedJob(*job) for job in study.jobs()]
    halves = half_sizes(study, sizes)
    workloads = {job: _workload(study, job, halves) for job in jobs}
    start = start_seconds(running.device)
    costs: dict[Workload, Cost] = {}
    kinds = list(dict.fromkeys(workloads.values()))
    for workload in kinds:
        running.say(f"calibrating a job of {workload}")
        costs[workload] = calibrate(workload, running, min(SECONDS, ALL_SECONDS / len(kinds)))
    training = {}
    for job in jobs:
        settings, half = _hyperparameters(study, job, halves), halves[job.half]
        evaluations = settings.evaluations if job.is_trained else 1
        evaluated = evaluations * half.validation + min(half.trained_on(job.networks[0]), half.validation)
        training[job] = costs[workloads[job]].seconds(settings.iterations * job.is_trained, evaluated)
    base = workloads[jobs[0]]
    return Plan(
        study,
        sizes,
        halves,
        {job: start + seconds for job, seconds in training.items()},
        base.settings.hyperparameters.batch_size / costs[base].iteration,
        start,
        _spread_of_all(training, {job: costs[workloads[job]].spread for job in jobs}),
    )


def _hyperparameters(study: Study, job: PlannedJob, halves: Mapping[tuple[str, str], HalfSize]) -> Hyperparameters:
    network, half = job.networks[0], halves[job.half]
    return study.settings_of(network).hyperparameters.on_share(half.trained_on(network), half.training)


def _spread_of_all(training: Mapping[PlannedJob, float], spreads: Mapping[PlannedJob, float | None]) -> float | None:
    """The spread of the time of all jobs; jobs of one kind are off by the same amount, so errors do not cancel out."""
    known = [seconds * spread for job, seconds in training.items() if (spread := spreads[job]) is not None]
    return sum(known) / sum(training.values()) if len(known) == len(training) else None


def _workload(study: Study, job: PlannedJob, halves: Mapping[tuple[str, str], HalfSize]) -> Workload:
    """A job's workload; jobs that differ only in length and a few classes share one, which is calibrated once."""
    settings = study.settings(job.stage)
    of_any_length = replace(
        settings.hyperparameters,
        iterations=1,
        evaluate_every=1,
        learning_rate=1e-5,
        warmup_iterations=0,
        schedule="constant",
        step_every=1,
    )
    half = halves[job.half]
    images = half.trained_on(job.networks[0]) * math.prod(half.image_shape)
    plan = job.networks[0].plan if job.is_trained else None  # an evaluation costs the same with any plan
    return Workload(
        frozen=tuple(network.n if plan else network.frozen for network in job.networks),
        image_shape=half.image_shape,
        classes=max(half.classes for half in halves.values()),
        settings=replace(settings, hyperparameters=of_any_length),
        cached=images <= study.running.cache_bytes,
        plan=plan,
    )


def plan_text(plan: Plan, device: str, peak: Mapping[str, int]) -> str:
    """The plan as text for people.

    Args:
        plan: what to report.
        device: ``cpu`` or ``cuda``.
        peak: the calibration's peak memory, by kind of memory.
    """
    study = plan.study
    unit = "GPU time" if device == "cuda" else "CPU time"
    wall = {str(devices): plan.wall_seconds(devices) for devices in DEVICES if devices < len(plan.seconds)}
    wall["all"] = plan.wall_seconds(math.inf)
    disk = plan.disk()
    held = f"up to {amount(plan.held_bytes())} for its images" if plan.held_bytes() else "its images are read as needed"
    lines = [
        *(_size_line(study, name, size) for name, size in plan.sizes.items()),
        _ROW.format("training", "jobs", "networks", "iterations", "images", unit),
        *_stage_rows(plan),
        "training time by number of jobs at a time: " + ", ".join(f"{n}: {duration(t)}" for n, t in wall.items()),
        "  (no less than a base and then its longest series; the store comes before, tables and figures after)",
        *_certainty(plan, device),
        f"disk: {amount(sum(disk.values()))}, of these {', '.join(f'{k} {amount(b)}' for k, b in disk.items())}",
        f"  and up to {amount(plan.state_bytes())} for the states of each job while it runs",
        f"memory of a job: {' and '.join(f'{amount(b)} of {kind} memory' for kind, b in peak.items())}; {held}",
        f"running.images_per_second: a base trains at {plan.images_per_second:,.0f}; the config has "
        f"{study.running.images_per_second:,}, which sets the time limits on a cluster",
        *_precision(plan),
        *_hint_on_seeds(study),
    ]
    return "\n".join(lines)


def _size_line(study: Study, name: str, size: DataSize) -> str:
    what = f"study {study.config['study']}" if len(study.data_sets) == 1 else f"{study.config['study']}, {name}"
    return (
        f"{what}: {counted(len(size.classes), 'class')}, {size.training.sum():,} training and "
        f"{size.validation.sum():,} validation images of {' x '.join(map(str, size.image_shape))} ({size.origin})"
    )


def _precision(plan: Plan) -> Iterator[str]:
    """How closely the validation images can tell two networks, before any is trained and so at any accuracy."""
    fewest = min(plan.halves[job.half].validation for job in plan.seconds)
    error, max_drop = 100 * error_of_difference(0.5, fewest), 100 * plan.study.figures.max_drop
    yield f"validation: {fewest:,} images in the smallest half; from these alone, the difference between two networks"
    yield f"  has a standard error of up to {error:.1f} points, and figures.max_drop is {max_drop:g} points; how many"
    yield "  images, splits and seeds it takes to tell that is in docs/science.md"


def _hint_on_seeds(study: Study) -> Iterator[str]:
    if study.has_few and len(study.seeds) == 1:
        yield "seeds: there is only one, and so one draw of the few images per class, the largest source of chance in"
        yield "  their results; several seeds give intervals over draws"


def _certainty(plan: Plan, device: str) -> Iterator[str]:
    """What the times include, and how far they can be trusted."""
    yield f"  these include {plan.start:.1f} s to start {_each_job(len(plan.seconds))}"
    if plan.spread is None:
        yield "  only one iteration was timed, because it is slow here; its spread is not known"
    else:
        percent = max(1, math.ceil(100 * plan.spread))
        yield f"  ± {percent} %, the spread of repeated timings just now; other load, a warmer machine, a queue and"
        yield "  Snakemake's work between jobs come on top"
    cores = os.cpu_count() or 1
    if device == "cpu" and len(plan.seconds) > cores:
        yield f"  this machine has {counted(cores, 'core')}; more jobs at a time than that each take longer"


def _each_job(jobs: int) -> str:
    return f"each of {jobs:,} jobs" if jobs > 1 else "the job"


def _stage_rows(plan: Plan) -> Iterator[str]:
    total = [0, 0, 0, 0.0]
    for stage in STAGES:
        of_stage = {job: plan.hyperparameters(job) for job in plan.seconds if job.stage == stage}
        for settings in dict.fromkeys(of_stage.values()):  # one row per length of training
            jobs = [job for job, of_job in of_stage.items() if of_job == settings]
            networks = sum(len(job.networks) for job in jobs)
            trained = sum(len(job.networks) for job in jobs if job.is_trained)
            images = trained * settings.iterations * settings.batch_size
            numbers = [len(jobs), networks, images, sum(plan.seconds[job] for job in jobs)]
            total = [a + b for a, b in zip(total, numbers, strict=True)]
            yield _row(stage.replace("_", "-"), f"{settings.iterations:,}", numbers)
    yield _row("in all", "", total)


def _row(name: str, iterations: str, numbers: list[float]) -> str:
    jobs, networks, images, seconds = numbers
    return _ROW.format(name, f"{jobs:,}", f"{networks:,}", iterations, f"{images:,}", duration(seconds))
