"""What SLURM says about its nodes and the jobs in its queue; nothing if it is absent or does not answer."""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 20.0  # to wait for an answer
PENDING = "PENDING"
OUT_OF_MEMORY = "OUT_OF_MEMORY"
# States of a job that is in the queue or has a node.
ALIVE = frozenset({PENDING, "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "SIGNALING", "STAGE_OUT"})

_JOB = ("%A", "%T", "%r", "%C", "%m", "%P", "%l", "%k", "%Z")  # the folder last, because it may contain any character
_NODE = ("%P", "%c", "%m", "%l")
_UNITS = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}


@dataclass(frozen=True)
class Node:
    """A node of a partition: its cores, MB of memory, and the time limit of a job."""

    partition: str
    is_default: bool
    cores: int
    memory_mb: int
    time_limit: str


@dataclass(frozen=True)
class QueuedJob:
    """A job as ``squeue`` knows it, including those that have ended, as long as it remembers them.

    Attributes:
        number: SLURM's job number.
        rule: the rule and wildcards, which Snakemake puts in the comment.
        reason: SLURM's word for why it waits.
    """

    number: str
    state: str
    reason: str
    cores: int
    memory_mb: float
    partition: str
    time_limit: str
    rule: str
    folder: str


@dataclass(frozen=True)
class Queue:
    """The jobs of a folder, and the nodes that they may use; empty without SLURM."""

    jobs: Sequence[QueuedJob] = ()
    nodes: Sequence[Node] = ()

    @property
    def pending(self) -> list[QueuedJob]:
        return [job for job in self.jobs if job.state == PENDING]

    def end_of(self, number: str | None) -> str | None:
        """How a job ended, in SLURM's word; None if it has not, or if nothing is known about it."""
        return next((job.state for job in self.jobs if job.number == number and job.state not in ALIVE), None)


def queue_of(folder: Path) -> Queue:
    """The user's jobs that were submitted from a folder."""
    lines = _answer("squeue", f"--user={os.getuid()}", "--noheader", "--states=all", f"--format={'|'.join(_JOB)}")
    fields = (line.split("|", len(_JOB) - 1) for line in lines or ())
    jobs = [job for field in fields if len(field) == len(_JOB) and (job := _job(field)).folder == str(folder)]
    return Queue(tuple(jobs), partition_nodes() if any(job.state == PENDING for job in jobs) else ())


def _job(fields: Sequence[str]) -> QueuedJob:
    number, state, reason, cores, memory, partition, limit, comment, folder = fields
    rule = comment.removeprefix("rule_").replace("_wildcards_", " ").replace("(null)", "")
    return QueuedJob(number, state, reason, _count(cores), _megabytes(memory), partition, limit, rule, folder)


def partition_nodes() -> tuple[Node, ...]:
    """Every node of every partition; none if SLURM does not answer."""
    lines = _answer("sinfo", "--noheader", "--Node", f"--format={'|'.join(_NODE)}") or []
    fields = (line.split("|") for line in lines)
    return tuple(
        Node(name.rstrip("*"), name.endswith("*"), _count(cores), _count(memory), limit)
        for name, cores, memory, limit in (field for field in fields if len(field) == len(_NODE))
    )


def fewest_cores(nodes: Iterable[Node], partition: str | None) -> int | None:
    """Cores of the smallest node of a partition, or of several, ``cpu,gpu``; None means the default partition."""
    names = None if partition is None else partition.split(",")
    return min(
        (node.cores for node in nodes if (node.is_default if names is None else node.partition in names)), default=None
    )


def why_it_waits(job: QueuedJob, nodes: Sequence[Node]) -> str:
    """SLURM's reason and what it means, with what to change if waiting does not help."""
    meaning = _shortfall(job, nodes) if job.reason in _ASKS_FOR_TOO_MUCH else ""
    word = job.reason.partition(",")[0]
    meaning = meaning or _MEANINGS.get(word, "") or _limit_in_words(job.reason)
    return f"{job.reason}: {meaning}" if meaning else job.reason


def _shortfall(job: QueuedJob, nodes: Sequence[Node]) -> str:
    """Which of a job's requests no node of its partition can satisfy."""
    mine = [node for node in nodes if node.partition in job.partition.split(",")]
    cores, memory = max((node.cores for node in mine), default=0), max((node.memory_mb for node in mine), default=0)
    if mine and job.cores > cores:
        key = "running.store_threads" if job.rule.startswith("store") else "running.threads"
        return f"asks for {job.cores} cores, partition {job.partition} has nodes of {cores}: set {key}"
    if mine and job.memory_mb > memory:
        return (
            f"asks for {job.memory_mb:,.0f} MB, partition {job.partition} has nodes of {memory:,} MB: "
            "lower running.cache_gb or running.networks_per_job"
        )
    if job.reason == "Resources":
        return ""
    return f"partition {job.partition} has no node with what it asks for, such as a GPU: see the profile's first block"


_ASKS_FOR_TOO_MUCH = ("PartitionConfig", "BadConstraints", "Resources")
# By SLURM's reasons, up to a comma. For limits, see below.
_MEANINGS: Mapping[str, str] = {
    "Resources": "no node is free yet",
    "Priority": "others are ahead",
    "None": "just submitted",
    "BeginTime": "queued again, it starts in a minute or two",
    "Cleaning": "its last attempt is being cleaned up",
    "Dependency": "waits for another job",
    "DependencyNeverSatisfied": "will never start: cancel it (scancel), and run again",
    "PartitionTimeLimit": "asks for more time than the partition allows: lower running.longest_minutes",
    "PartitionNodeLimit": "asks for more nodes than the partition allows: choose another in the profile",
    "PartitionDown": "the partition is down: ask the administrators, or choose another in the profile",
    "PartitionInactive": "the partition takes no jobs: choose another in the profile",
    "ReqNodeNotAvail": "the nodes that it could use are down, drained or reserved: ask the administrators",
    "Reservation": "waits for a reservation",
    "InvalidAccount": "the account is not known: set slurm_account in the profile",
    "InvalidQOS": "the quality of service is not known: set it in the profile",
    "AccountNotAllowed": "the account may not use the partition: set another in the profile",
    "QOSNotAllowed": "the quality of service may not be used here: set another in the profile",
    "JobHeldUser": "held: scontrol release lets it go",
    "JobHeldAdmin": "held by an administrator",
    "JobHoldMaxRequeue": "queued again too often, and held: scontrol release lets it go",
}
_WISHES = {
    "Cpu": "cores: lower running.threads or running.store_threads",
    "Mem": "memory: lower running.cache_gb or running.networks_per_job",
    "Wall": "time: lower running.longest_minutes",
    "GRES": "GPUs: see the profile's first block",
    "Node": "nodes: see the profile's first block",
}


def _limit_in_words(reason: str) -> str:
    """What a limit of the account or the quality of service means, such as QOSMaxCpuPerJobLimit.

    Waiting does not help against a limit per job, only against one on all jobs together.
    """
    if not reason.startswith(("QOS", "Assoc")):
        return ""
    if "PerJob" in reason or "MaxWall" in reason:
        wishes = (words for word, words in _WISHES.items() if word.lower() in reason.lower())
        return f"it exceeds the limit per job on {wish}" if (wish := next(wishes, "")) else "it exceeds a limit per job"
    return "your jobs or your group's are at their limit; it starts as others end"


def _answer(*command: str) -> list[str] | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS, errors="replace")
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()


def _count(text: str) -> int:
    digits = text.rstrip("+")
    return int(digits) if digits.isdigit() else 0


def _megabytes(text: str) -> float:
    """MB from text such as 8000M, 4G or 0."""
    unit = _UNITS.get(text[-1:], 0.0)
    number = text[:-1] if unit else text
    return float(number) * (unit or 1) if number.replace(".", "", 1).isdigit() else 0.0
