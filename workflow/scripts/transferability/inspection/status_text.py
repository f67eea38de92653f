"""Where a study stands, in words for a terminal."""

import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

from transferability.inspection.status import DONE, SILENT, WAITING, OpenJob, Status
from transferability.process.slurm import Queue, QueuedJob, why_it_waits
from transferability.records.progress import FAILED, RUNNING, STOPPED, JobRecord
from transferability.words import counted, duration

WIDTH = 80
# At most this many jobs per state: a list that does not fit the screen helps nobody.
SHOWN_JOBS = 12


def status_text(status: Status, now: float | None = None) -> str:
    """A status in words, in lines of up to 80 characters, except where a path is longer."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    blocks = [
        [f"{status.study}, {moment}"],
        list(_table(status)),
        *(list(_section(status, state)) for state in (RUNNING, SILENT, STOPPED, FAILED)),
        list(_queue(status.queue)),
        list(_totals(status)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _table(status: Status) -> Iterator[str]:
    total = sum((Counter(counts) for counts in status.counts.values()), Counter[str]())
    states = [state for state in (DONE, RUNNING, SILENT, WAITING, FAILED) if state != SILENT or total[SILENT]]
    yield f"{'networks':<12}" + "".join(f"{state:>9}" for state in (*states, "total"))
    for stage, counts in (*status.counts.items(), ("all", total)):
        numbers = [*(counts[state] for state in states), sum(counts.values())]
        yield f"{stage.replace('_', '-'):<12}" + "".join(f"{number:>9}" for number in numbers)
    if status.outdated:
        were = "was" if status.outdated == 1 else "were"
        yield f"{status.outdated} of those waiting {were} trained before, with other settings than the config's"


_TITLES = {
    RUNNING: "running, with the newest top-1 accuracy of each network",
    SILENT: "no sign of life: dead, or on a node or file system that hangs; look at the log",
    STOPPED: "stopped; the same command resumes where they were",
    FAILED: "failed; the same command tries again, and resumes from the last state",
}


def _section(status: Status, state: str) -> Iterator[str]:
    jobs = status.of_state(state)
    if not jobs:
        return
    yield _TITLES[state]
    for job in jobs[:SHOWN_JOBS]:
        record = job.record
        yield f"  {record.split} seed{record.seed} {record.job}: {_advance(job)}"
        if state == RUNNING:
            accuracies = (f"{name} {'–' if top1 is None else f'{top1:.3f}'}" for name, top1 in record.top1.items())
            yield from _wrapped(" ".join(accuracies))
            yield from _wrapped(_place(record))
        else:
            reason = f"last sign {duration(job.age)} ago, {_place(record)}" if state == SILENT else job.reason
            yield from _wrapped(reason)
            yield f"    {record.log}"
    if len(jobs) > SHOWN_JOBS:
        yield f"  and {len(jobs) - SHOWN_JOBS} more"


def _queue(queue: Queue) -> Iterator[str]:
    """The jobs that SLURM has not started, grouped by what they are waiting for."""
    waiting: defaultdict[str, list[QueuedJob]] = defaultdict(list)
    for job in queue.pending:
        waiting[why_it_waits(job, queue.nodes)].append(job)
    if waiting:
        yield "waiting in SLURM's queue"
    for why, jobs in waiting.items():
        others = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
        yield f"  {jobs[0].rule or 'a job'} (SLURM job {jobs[0].number}){others}"
        yield from _wrapped(why)


def _advance(job: OpenJob) -> str:
    record = job.record
    if record.iteration is None:
        return "not yet training"
    facts = [f"iteration {record.iteration:,} of {record.iterations:,}"]
    if job.state == RUNNING and record.images_per_second is not None and record.seconds_left is not None:
        facts += [f"{record.images_per_second:,.0f} images/s", f"{duration(record.seconds_left)} left"]
    return ", ".join(facts)


def _place(record: JobRecord) -> str:
    process = record.process
    slurm = [f"SLURM job {process.slurm_job}"] if process.slurm_job else []
    return ", ".join([*([record.device] if record.device else []), f"process {process.pid} on {process.host}", *slurm])


def _wrapped(text: str) -> list[str]:
    """The text indented, in up to four lines."""
    indent = "    "
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        max_lines=4,
        placeholder=" ...",
    )


def _totals(status: Status) -> Iterator[str]:
    spent = ", ".join(f"{_hours(seconds)} on {device}" for device, seconds in sorted(status.spent.items()))
    yield f"spent in training: {spent or 'nothing yet'}"
    if all(set(counts) <= {DONE} for counts in status.counts.values()):
        yield "left: no training"
    elif status.work_left is None:
        yield "left: not known before the first network has made some iterations"
    else:
        left = f"left: about {_hours(status.work_left)} of training{_starts(status)}; {_at_this_rate(status)}"
        yield from textwrap.wrap(left, WIDTH, subsequent_indent="  ")


def _at_this_rate(status: Status) -> str:
    if status.time_left is None:
        return "no job is running"
    jobs = counted(len(status.of_state(RUNNING)), "job")
    return f"{duration(status.time_left)} with {jobs} at a time; then come tables and figures"


def _starts(status: Status) -> str:
    """How long the jobs that are not training yet will take besides training."""
    if not status.starts_left:
        return ""
    jobs = counted(status.starts_left, "job")
    if status.start_seconds is None:
        return f", and the start of {jobs}, of which nothing is known yet"
    each = f" of {status.start_seconds:.0f} s each" if status.starts_left > 1 else ""
    return f", and {_hours(status.starts_left * status.start_seconds)} for the start and end of {jobs}{each}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds >= 3600 else duration(seconds)
