"""Where a study stands, from its files alone: nothing is locked, written or waited for.

Finished networks have metrics files; jobs that are training, or have ended without finishing, have the files of
`progress`. Both kinds appear whole or not at all, so they can be read at any time and from any machine. On a cluster,
SLURM also says which jobs are waiting, and why.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Self

from transferability.files import read_json
from transferability.process.benchmark_files import last_attempt
from transferability.process.last_words import death_in_words, memory_sentence
from transferability.process.slurm import OUT_OF_MEMORY, Queue
from transferability.records.progress import FAILED, LESS_MEMORY, RUNNING, STOPPED, SUFFIX, JobRecord, read_job_record
from transferability.store.reading import manifest_there
from transferability.study.amounts import Amount
from transferability.study.config import STAGES
from transferability.study.data_sets import checksums_there
from transferability.study.design import Key, Study
from transferability.study.layout import benchmark_file, states_folder
from transferability.study.names import Network, job_name
from transferability.study.split_types import IMAGES

DONE, WAITING, SILENT = "done", "waiting", "silent"
# A job writes every log_every_seconds, except while it validates, saves its states or reads its images.
LEAST_SILENCE = 300
NO_QUEUE = Queue()


@dataclass(frozen=True)
class OpenJob:
    """A training job that is under way or has ended without finishing.

    Attributes:
        record: the latest record that it wrote.
        state: `RUNNING`; `SILENT`, with no sign of life for so long that it may have died; `STOPPED`; or `FAILED`.
        age: seconds since the record.
        slurm_state: how its SLURM job ended, in SLURM's terms; None if it has not ended or this is not known.
    """

    record: JobRecord
    state: str
    age: float
    slurm_state: str | None = None

    @property
    def reason(self) -> str:
        """Why it ended without finishing."""
        process = self.record.process
        if self.slurm_state == OUT_OF_MEMORY:
            return f"SLURM ended job {process.slurm_job} for want of memory: {memory_sentence(LESS_MEMORY)}"
        if self.record.outcome == RUNNING and self.slurm_state is not None:
            return f"SLURM job {process.slurm_job} has ended without a word: {self.slurm_state}"
        if self.record.outcome == RUNNING:
            words = death_in_words(self.record.peak_mb, 0, LESS_MEMORY)
            return f"process {process.pid} is gone from {process.host}, {words}"
        return self.record.reason or self.record.outcome


@dataclass(frozen=True)
class Status:
    """A study at one moment.

    Attributes:
        study: the study's folder.
        counts: the number of networks by stage and state: `DONE`, `RUNNING`, `SILENT`, `WAITING` or `FAILED`.
        outdated: how many of the waiting networks exist but were trained with settings other than the config's.
        jobs: the jobs that have not finished, with those that have the least time left first.
        spent: seconds of training, by device, over all attempts, without starting and reading images. Jobs that share
            a device are counted separately.
        queue: the cluster's queue, if there is one.
        work_left: seconds of training left, one job at a time; None if nothing is known about how long networks take.
        starts_left: how many jobs have not begun to train.
        start_seconds: the seconds that a job takes before and after training; None if no job has shown this yet.
        time_left: seconds until the last network is trained, with as many jobs at a time as now; None if no job is
            running or `work_left` is not known.
    """

    study: Path
    counts: Mapping[str, Mapping[str, int]]
    outdated: int
    jobs: Sequence[OpenJob]
    spent: Mapping[str, float]
    queue: Queue
    work_left: float | None
    starts_left: int
    start_seconds: float | None
    time_left: float | None

    def of_state(self, state: str) -> list[OpenJob]:
        return [job for job in self.jobs if job.state == state]


@dataclass(frozen=True)
class _Finished:
    """What matters here in a network's metrics."""

    device: str
    seconds: float
    content: Mapping[str, Any]


def status_of(study: Study, metrics: Mapping[Key, Path], now: float | None = None, queue: Queue = NO_QUEUE) -> Status:
    """Read where a study stands.

    Args:
        study: the study.
        metrics: the path of each network's metrics file, which exists once the network is finished.
        now: the current time in seconds since 1970; by default, that of the system clock.
        queue: the study's jobs on a cluster.
    """
    now = time.time() if now is None else now
    finished = {key: content for key, path in metrics.items() if (content := _read_metrics(path)) is not None}
    kinds = {key: _Kind.of(Network.parse(key[2])) for key in metrics}
    stages = {key: kind.stage for key, kind in kinds.items()}
    contents = {key: network.content for key, network in finished.items()}
    current = study.current(contents, checksums_there(study.data_sets))
    done = {key: network for key, network in finished.items() if key in current}
    silence = max(LEAST_SILENCE, 10 * study.running.log_every_seconds)
    jobs = [
        _job(record, now - record.time, silence, queue.end_of(record.process.slurm_job))
        for record in _records(study)
        if not all(key in done or key not in stages for key in _keys(record))
    ]
    open_jobs = {key: job for job in jobs for key in _keys(job.record) if key in stages and key not in done}
    counts = {stage: Counter[str]() for stage in STAGES if stage in stages.values()}
    for key, stage in stages.items():
        state = DONE if key in done else open_jobs[key].state if key in open_jobs else WAITING
        counts[stage][WAITING if state == STOPPED else state] += 1
    work = _work_left(study, kinds, done, open_jobs)
    starts, start = _starts_left(study, done, open_jobs), _start_seconds(study, finished, jobs)
    running = [job.record for job in jobs if job.state == RUNNING]
    longest = max((record.seconds_left or 0.0 for record in running), default=0.0)
    return Status(
        study=study.folder,
        counts=counts,
        outdated=sum(key not in open_jobs for key in finished.keys() - done.keys()),
        jobs=sorted(jobs, key=lambda job: (job.record.seconds_left is None, job.record.seconds_left)),
        spent=_spent(finished, done, jobs),
        queue=queue,
        work_left=work,
        starts_left=starts,
        start_seconds=start,
        time_left=max(longest, (work + starts * (start or 0.0)) / len(running))
        if running and work is not None
        else None,
    )


def _read_metrics(path: Path) -> _Finished | None:
    """What a network's metrics say; None if there is no such file or it is not valid."""
    try:
        metrics = read_json(path)
        return _Finished(
            metrics["device"], float(metrics["seconds"]), {**metrics, "made_from": {**metrics["made_from"]}}
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _records(study: Study) -> list[JobRecord]:
    """The records of all jobs that have not finished, oldest first, so that newer ones take precedence."""
    folders = (states_folder(study.config, split, seed) for split in study.splits for seed in study.seeds)
    records = (read_job_record(path) for folder in folders for path in folder.glob(f"*{SUFFIX}"))
    return sorted((record for record in records if record is not None), key=lambda record: record.time)


def _keys(record: JobRecord) -> Iterator[Key]:
    return ((record.split, record.seed, name) for name in record.networks)


def _job(record: JobRecord, age: float, silence: float, slurm_state: str | None) -> OpenJob:
    return OpenJob(record, _state(record, age, silence, slurm_state), max(age, 0.0), slurm_state)


def _state(record: JobRecord, age: float, silence: float, slurm_state: str | None) -> str:
    if record.outcome != RUNNING:
        return record.outcome
    if record.process.is_gone or slurm_state is not None:
        return FAILED
    return SILENT if age > silence else RUNNING


def _spent(finished: Mapping[Key, _Finished], done: Container[Key], jobs: Iterable[OpenJob]) -> dict[str, float]:
    """Seconds by device, of networks that have metrics and of those that jobs train, for the first time or again."""
    spent: defaultdict[str, float] = defaultdict(float)
    for network in finished.values():
        spent[network.device] += network.seconds
    for record in (job.record for job in jobs):
        for name, seconds in record.seconds.items():
            if record.device is not None and (record.split, record.seed, name) not in done:
                spent[record.device] += seconds
    return dict(spent)


def _starts_left(study: Study, done: Mapping[Key, _Finished], open_jobs: Mapping[Key, OpenJob]) -> int:
    """How many jobs have networks to train but are not training yet."""

    def is_to_start(split: str, seed: int, networks: Sequence[Network]) -> bool:
        keys = [(split, seed, network.name) for network in networks]
        under_way = [open_jobs[key] for key in keys if key in open_jobs]
        trains = any(job.state == RUNNING and job.record.seconds_left is not None for job in under_way)
        return not trains and not all(key in done for key in keys)

    return sum(is_to_start(*job) for job in study.jobs())


def _start_seconds(study: Study, finished: Mapping[Key, _Finished], jobs: Iterable[OpenJob]) -> float | None:
    """Mean seconds besides training: of finished jobs, in total; if there are none, of others, before training."""
    took = [seconds for job in study.jobs() if (seconds := _besides_training(study, finished, *job)) is not None]
    took = took or [job.record.start_seconds for job in jobs if job.record.start_seconds is not None]
    return fmean(took) if took else None


def _besides_training(
    study: Study, finished: Mapping[Key, _Finished], split: str, seed: int, networks: Sequence[Network]
) -> float | None:
    """Seconds that a finished job took besides training; None if it is not finished or this cannot be told.

    It cannot where networks were trained in several attempts, because only the time of the last one is known.
    """
    keys = [(split, seed, network.name) for network in networks]
    if not all(key in finished for key in keys):
        return None
    seconds, _peak = last_attempt(benchmark_file(study.config, split, seed, job_name(networks)))
    besides = (seconds or 0.0) - sum(finished[key].seconds for key in keys)
    return besides if besides > 0 else None


@dataclass(frozen=True)
class _Kind:
    """Networks that take equally long: those of a stage and, if trained on few images, of one amount of these."""

    stage: str
    few: Amount

    @classmethod
    def of(cls, network: Network) -> Self:
        return cls(network.stage, network.examples_per_class if network.is_on_few else None)


def _work_left(
    study: Study,
    kinds: Mapping[Key, _Kind],
    done: Mapping[Key, _Finished],
    open_jobs: Mapping[Key, OpenJob],
) -> float | None:
    """Seconds of training that unfinished networks will take; None if nothing is known about how long they take."""
    cost = _cost(study, kinds, done, open_jobs.values())
    if not cost:
        return None
    left = 0.0
    told = set()  # jobs that report how long they will take, each counted once for all of its networks
    for key, kind in kinds.items():
        job = open_jobs.get(key)
        if key in done or id(job) in told or not Network.parse(key[2]).is_trained:
            continue
        if job is not None and job.state == RUNNING and job.record.seconds_left is not None:
            told.add(id(job))
            left += job.record.seconds_left
        else:
            left += cost[kind] * (1 - _fraction(job))
    return left


def _cost(
    study: Study, kinds: Mapping[Key, _Kind], done: Mapping[Key, _Finished], jobs: Iterable[OpenJob]
) -> dict[_Kind, float]:
    """The seconds that a network of each kind takes, as its share of its job's; empty if nothing is known.

    It is the mean over the kind's finished networks; without these, the rate of one in training; and otherwise an
    estimate from other kinds, by the number of images.
    """
    took: defaultdict[_Kind, list[float]] = defaultdict(list)
    for key, network in done.items():
        if Network.parse(key[2]).is_trained:
            took[kinds[key]].append(network.seconds)
    images = _images(study, {*kinds.values()})
    cost = {kind: fmean(times) for kind, times in took.items()}
    for record in (job.record for job in jobs):
        kind = _Kind.of(Network.parse(record.networks[0]))
        if record.images_per_second and kind in images:
            cost.setdefault(kind, images[kind] / record.images_per_second)
    if not cost:
        return {}
    of_an_image = fmean(seconds / images[kind] for kind, seconds in cost.items())
    return {kind: of_an_image * number for kind, number in images.items()} | cost


def _images(study: Study, kinds: Iterable[_Kind]) -> dict[_Kind, float]:
    """How many images a network of each kind is trained on, each counted as often as it is seen.

    Where few images are seen for as many epochs as all images would be, this is approximate: it assumes that every
    class has the store's mean number of images.
    """
    manifest = manifest_there(study.data_set.store_folder)
    # In a split by images, each half has half of the store's images.
    share = fmean(0.5 if split.split_type == IMAGES else 1.0 for split in study.splits.values())

    def images(kind: _Kind) -> int:
        settings = study.settings(kind.stage, is_on_few=kind.few is not None).hyperparameters
        if kind.few is not None and manifest is not None:
            settings = settings.on_share(kind.few * manifest["classes"], round(share * manifest["training"]))
        return settings.iterations * settings.batch_size

    return {kind: images(kind) for kind in kinds}


def _fraction(job: OpenJob | None) -> float:
    """Approximately what fraction of the work on a network is done and kept."""
    if job is None or not job.record.iterations:
        return 0.0
    return (job.record.iteration or 0) / job.record.iterations
