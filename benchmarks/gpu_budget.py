"""Steps within a time budget: each is a process that is ended at its limit; what it reported until then is kept."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gpu_rows import CASE, CASES, DEADLINE, DONE, FAILED, LEFT_OUT, ROW, Row

HERE = Path(__file__).parent
POLL_SECONDS = 0.1
TERM_SECONDS = 3.0  # between asking a step to end and ending it
STOP = threading.Event()  # set when the check itself has to end, and no step may continue


@dataclass(frozen=True)
class Step:
    """One part of the check.

    Attributes:
        script: a script beside this file, with its arguments.
        least: the seconds without which it is not started; earlier steps leave it this much time.
        most: the seconds after which it is ended.
        case: the seconds after which one of its cases is given up.
    """

    name: str
    script: Sequence[str]
    least: float
    most: float
    case: float = float("inf")


def limit_of(step: Step, later: Sequence[Step], left: float) -> float:
    """How many of the seconds left a step may take; the least that later steps need is reserved for them.

    If not all steps fit, earlier ones take precedence.
    """
    kept = sum(other.least for other in later)
    return min(step.most, left, max(left - kept, step.least))


@dataclass
class _Run:
    """What one process of a step has reported so far."""

    take: Callable[[Row], None]
    log: IO[str]
    cases: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    case_started: float = field(default_factory=time.monotonic)
    last_line: str = ""

    def read(self, output: IO[str]) -> None:
        for line in output:
            self.log.write(line)
            self.log.flush()
            with contextlib.suppress(ValueError):  # a line may be cut off when the step is ended
                self._understand(line)

    def _understand(self, line: str) -> None:
        if line.startswith(ROW):
            self.take(json.loads(line.removeprefix(ROW)))
        elif line.startswith(CASES):
            self.cases = json.loads(line.removeprefix(CASES))
        elif line.startswith(CASE):
            self.begun.append(line.removeprefix(CASE).strip())
            self.case_started = time.monotonic()
        elif line.strip():
            self.last_line = line.strip()


def run_step(
    step: Step, seconds: float, environment: Mapping[str, str], log: IO[str], take: Callable[[Row], None]
) -> None:
    """Run a step for at most this many seconds.

    ``take`` gets its rows as they come, and a row for each case that failed or was left out, with the reason.
    """
    deadline = time.monotonic() + seconds
    begun: list[str] = []
    while True:
        run = _Run(take, log)
        code, ended = _run_process(step, deadline, {**environment, DONE: json.dumps(begun)}, run)
        begun += run.begun
        rest = [case for case in run.cases if case not in begun]
        if code != 0:
            current = begun[-1] if begun else step.name
            note = ended or f"exit {code}: {run.last_line[:300]}"
            take({"what": current, "value": "", "how": LEFT_OUT if ended else FAILED, "note": note})
        resumes = (
            run.begun and rest and code != 0 and not STOP.is_set() and deadline - time.monotonic() > step.least / 2
        )
        if not resumes:
            break
    for case in rest:
        take({"what": case, "value": "", "how": LEFT_OUT, "note": f"no time left of {seconds:.0f} s"})


def _run_process(step: Step, deadline: float, environment: Mapping[str, str], run: _Run) -> tuple[int, str]:
    """Run one process of a step; return its exit code, and why it was ended, if it was."""
    left = deadline - time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(HERE / step.script[0]), *step.script[1:]],
        env={**environment, DEADLINE: str(deadline)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    reader = threading.Thread(target=run.read, args=(process.stdout,), daemon=True)
    reader.start()
    ended = ""
    try:
        while process.poll() is None and not ended:
            time.sleep(POLL_SECONDS)
            now = time.monotonic()
            if now > deadline:
                ended = f"ended at its limit, {left:.0f} s"
            elif STOP.is_set():
                ended = "the check was stopped"
            elif now - run.case_started > step.case:
                ended = f"given up after {step.case:.0f} s"
    finally:
        kill_group(process)
    reader.join(5)
    return process.returncode or 0, ended


def kill_group(process: subprocess.Popen[str]) -> None:
    """End a process and everything that it has started."""
    for signal_number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
