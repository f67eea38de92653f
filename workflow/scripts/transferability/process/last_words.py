"""What a killed job cannot report itself, noted in its log by a process that watches it.

The watcher runs as a separate program, without the library and its packages, so that it is small and starts at once.
It ends with the job: the job announces a normal end, and the watcher notes any other.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LOOK_SECONDS = 1.0
GOODBYE = b"."
FATAL = b"Fatal Python error"  # from faulthandler, which has already logged the cause


@contextmanager
def watched(log: Path, job: str, lower: Sequence[str]) -> Iterator[None]:
    """Have this process watched for the length of the block.

    Args:
        log: the job's log, where its death is noted.
        job: its name, for the terminal.
        lower: keys of the config to lower so that it needs less memory.
    """
    command = [sys.executable, "-ISu", __file__, str(os.getpid()), str(log), job, *lower]
    try:
        # In its own session, so that whatever kills the job's process group leaves it time to report that.
        watcher = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    except OSError:  # no memory for another process; the job is more important
        watcher = None
    try:
        yield
    finally:
        if watcher is not None:
            _say_goodbye(watcher)


def _say_goodbye(watcher: "subprocess.Popen[bytes]") -> None:
    try:
        watcher.communicate(GOODBYE, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        watcher.kill()
        watcher.wait()


def memory_sentence(lower: Sequence[str]) -> str:
    """What to do about too little memory."""
    keys = f"lower {_listed(lower)}, or " if lower else ""
    return f"{keys}give it more memory"


def _listed(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def death_in_words(peak_mb: int | None, kernel_kills: int, lower: Sequence[str]) -> str:
    """What is known about a process that was killed without reporting why."""
    had = f"; it used {peak_mb:,} MB" if peak_mb else ""
    why = (
        "the system killed a process for lack of memory at this time"
        if kernel_kills
        else "usually because memory ran out"
    )
    return f"killed (SIGKILL){had}: {why}; {memory_sentence(lower)}"


def _watch(pid: int, log: Path, job: str, lower: Sequence[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # a cluster sends them to all processes of a job
        signal.signal(number, signal.SIG_IGN)
    peak, kills = None, _kernel_kills()
    while os.getppid() == pid:
        if select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
            if os.read(sys.stdin.fileno(), 1):
                return
            break
        peak = _peak_mb(pid) or peak
    if FATAL not in _tail(log):
        _note(log, job, death_in_words(peak, _kernel_kills() - kills, lower))


def _note(log: Path, job: str, words: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {words}\n")
    print(f"{job}: {words}", file=sys.stderr, flush=True)


def _tail(log: Path) -> bytes:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        return file.read()


def _peak_mb(pid: int) -> int | None:
    """The peak memory of a process, in MB of 10^6 bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    kilobytes = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return next((int(number) * 1024 // 10**6 for number in kilobytes), None)


def _kernel_kills() -> int:
    """How many processes the system has killed for lack of memory, on this machine or in this control group."""
    counts = [0]
    for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events", f"/sys/fs/cgroup{_cgroup()}/memory.events"):
        try:
            words = Path(path).read_text(encoding="utf-8").split()
        except OSError:
            continue
        counts += [int(words[place + 1]) for place, word in enumerate(words[:-1]) if word == "oom_kill"]
    return max(counts)


def _cgroup() -> str:
    try:
        return Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()[-1].partition("::")[2]
    except (OSError, IndexError):
        return ""


if __name__ == "__main__":
    try:
        _watch(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
    except OSError:  # the log or the terminal is gone
        sys.exit(1)
