"""A job's own log: what it did, without control characters, in its file and on the terminal."""

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from transferability.labels import visible
from transferability.process.last_words import memory_sentence, watched
from transferability.process.signals import SIGNALS, Interrupted

Say = Callable[[str], None]

# How libraries that allocate memory themselves say that it has run out; their errors are RuntimeErrors.
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


@contextmanager
def job_log(path: Path, job: str, lower: Sequence[str] = ()) -> Iterator[Say]:
    """Yield a function that writes a line to the job's log and, with the job's name, to the terminal.

    A job does not die because nobody can read its output: a full disk under the log and a closed terminal are ignored.
    An expected problem (ValueError, RuntimeError, OSError, MemoryError) ends the process with only its message on the
    terminal; any other is a defect, and its traceback is shown there too. The log has the traceback of both. For a
    fault that ends Python at once, such as a bus error from reading a file truncated in the meantime, the log says
    where it happened. A signal that would end the process at once counts as an expected problem, so that what the job
    holds, such as temporary folders, is cleaned up. If a job is killed, most often for lack of memory, its log says so
    and what to lower.

    Args:
        path: the log.
        job: its name on the terminal.
        lower: keys of the config to lower so that it needs less memory.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:  # unbuffered: nothing is left to be written when it is closed

        def write(text: str) -> None:
            with suppress(OSError):
                file.write(text.encode(errors="backslashreplace"))

        def say(line: str) -> None:
            line = visible(line, keep="\n\t")  # names in it may contain anything
            write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
            try:
                print(f"{job}: {line}", file=sys.stderr, flush=True)
            except (OSError, ValueError):  # ValueError: stderr is closed
                # Otherwise Python would try to write the rest at exit, and the job would fail.
                sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the rest of the process

        faulthandler.enable(file)
        try:
            with watched(path, job, lower), _signals_raised():
                yield say
        except (ValueError, RuntimeError, OSError, MemoryError, Interrupted) as error:
            write(traceback.format_exc())
            say(f"{error}{_remedy(error, lower)}")
            sys.exit(1)
        except BaseException:
            write(traceback.format_exc())
            raise
        finally:
            faulthandler.disable()


def _remedy(error: BaseException, lower: Sequence[str]) -> str:
    """What to do about an error, if memory has run out."""
    text = str(error).lower()
    if not isinstance(error, MemoryError) and not any(words in text for words in _NO_MEMORY):
        return ""
    return f"{'; ' * bool(text)}memory has run out: {memory_sentence(lower)}"


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Within the block, the first of `SIGNALS` not already handled or ignored raises Interrupted; more are ignored."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in unhandled:
            signal.signal(each, signal.SIG_IGN)  # or a second one would interrupt the cleanup
        raise Interrupted(f"stopped by {signal.Signals(number).name}")

    in_main_thread = threading.current_thread() is threading.main_thread()
    unhandled = [number for number in SIGNALS if in_main_thread and signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in unhandled:
            signal.signal(number, stop)
        yield
    finally:
        for number in unhandled:
            signal.signal(number, signal.SIG_DFL)
