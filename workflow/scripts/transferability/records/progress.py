"""What a training job shows others while it runs: one small file, next to the states of its networks.

The file exists from a job's start to its end. A job that ends without finishing leaves it, with the reason; one that is
killed leaves it as it was, so that its time shows how long there has been no sign of life. Readers may be on another
node: nothing but the file is needed.
"""

import json
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from transferability.files import read_json, whole_file
from transferability.process.last_words import death_in_words
from transferability.process.signals import Interrupted

SUFFIX = ".progress.json"
RUNNING, STOPPED, FAILED = "running", "stopped", "failed"
# Keys of the config to lower so that a training job needs less memory.
LESS_MEMORY = ("running.cache_gb", "running.networks_per_job", "training.batch_size")


@dataclass(frozen=True)
class Progress:
    """Where the networks of a job stand.

    Attributes:
        iteration: how many iterations they have made, of ``iterations``.
        images_per_second: each image counted once per network; None before the first iteration.
        seconds_left: until the last iteration, at that rate; None before the first iteration.
        seconds: device seconds spent on each network so far, including earlier attempts, by name.
        device: what they are trained on.
        histories: the evaluations of each network so far, by name, each a mapping by `learner.HISTORY_COLUMNS`.
    """

    iteration: int
    iterations: int
    images_per_second: float | None
    seconds_left: float | None
    seconds: Mapping[str, float]
    device: str
    histories: Mapping[str, Sequence[Mapping[str, float]]]

    @property
    def top1(self) -> dict[str, float | None]:
        """The latest accuracy of each network, None before its first evaluation."""
        return {name: rows[-1]["validation_top1"] if rows else None for name, rows in self.histories.items()}


@dataclass(frozen=True)
class Process:
    """The process that a job runs in, and its machine."""

    host: str
    pid: int
    pid_namespace: int | None  # containers have their own process numbers
    slurm_job: str | None

    @classmethod
    def this(cls) -> Self:
        try:
            namespace = Path("/proc/self/ns/pid").stat().st_ino
        except OSError:
            namespace = None
        return cls(socket.gethostname(), os.getpid(), namespace, os.environ.get("SLURM_JOB_ID"))

    @property
    def is_here(self) -> bool:
        """Whether it is or was a process on this machine, or in this container."""
        here = Process.this()
        return (self.host, self.pid_namespace) == (here.host, here.pid_namespace)

    @property
    def is_gone(self) -> bool:
        """Whether it has certainly ended, which can be determined only where it ran."""
        if not self.is_here:
            return False
        try:
            os.kill(self.pid, 0)  # only asks, and sends nothing
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


@dataclass(frozen=True)
class JobRecord:
    """What a job's file says.

    Attributes:
        networks: names of all networks of the job, including those it found finished.
        time: of this record, in seconds since 1970, by the clock of the job's machine.
        outcome: `RUNNING`, or how the job ended: `STOPPED` on request, `FAILED`.
        reason: one line on why it ended.
        peak_mb: the peak memory of its process, in MB.
        start_seconds: from the start of its process until it began training.
        iteration, ..., device, top1: as in `Progress`; None or empty until training begins.
    """

    split: str
    seed: int
    job: str
    networks: tuple[str, ...]
    log: str
    process: Process
    time: float = 0.0
    outcome: str = RUNNING
    reason: str | None = None
    peak_mb: int | None = None
    start_seconds: float | None = None
    iteration: int | None = None
    iterations: int | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    device: str | None = None
    top1: Mapping[str, float | None] = field(default_factory=dict)

    def after(self, progress: Progress) -> Self:
        facts = {key: value for key, value in vars(progress).items() if key != "histories"}
        start = self.start_seconds if self.start_seconds is not None else _age_of_this_process()
        return replace(self, **facts, top1=progress.top1, start_seconds=start)

    @property
    def death(self) -> str | None:
        """How its process was killed, if it was; for the job's next attempt, to which a process elsewhere has ended."""
        if self.outcome != RUNNING or (self.process.is_here and not self.process.is_gone):
            return None
        words = death_in_words(self.peak_mb, 0, LESS_MEMORY)
        return f"the previous attempt, process {self.process.pid} on {self.process.host}, was {words}"


def _age_of_this_process() -> float | None:
    """Seconds since this process was started."""
    try:
        started = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):  # not Linux
        return None


@contextmanager
def progress_file(path: Path, job: JobRecord) -> Iterator[Callable[[Progress], None]]:
    """Keep a job's file for the length of the block; yield a function to call with every `Progress`.

    Like its log, the file is for others to read: if it cannot be written, the job continues.
    """
    newest = job

    def write(record: JobRecord) -> None:
        nonlocal newest
        newest = replace(record, time=time.time(), peak_mb=_peak_mb())
        with suppress(OSError), whole_file(path, durable=False) as temporary:
            temporary.write_text(json.dumps(asdict(newest)), encoding="utf-8")

    write(job)
    try:
        yield lambda progress: write(newest.after(progress))
    except (Interrupted, KeyboardInterrupt) as error:
        write(replace(newest, outcome=STOPPED, reason=_one_line(error)))
        raise
    except BaseException as error:
        write(replace(newest, outcome=FAILED, reason=_one_line(error)))
        raise
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _peak_mb() -> int:
    """The peak main memory of this process, in MB of 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6


def _one_line(error: BaseException) -> str:
    expected = isinstance(error, ValueError | RuntimeError | OSError | Interrupted)
    return " ".join((str(error) if expected else repr(error)).split())


def read_job_record(path: Path) -> JobRecord | None:
    """What a job's file says; None if the job has ended in the meantime, or if it is not such a file."""
    try:
        content: dict[str, Any] = read_json(path)
        return JobRecord(
            **{**content, "networks": tuple(content["networks"]), "process": Process(**content["process"])}
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
