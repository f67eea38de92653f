"""A job's own log: what it did, without control characters, in its file and on the terminal."""

import faulthandler
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transferability.interruption import Interrupted

Say = Callable[[str], None]


@contextmanager
def job_log(path: Path, job: str) -> Iterator[Say]:
    """Yields a function that notes a line in the job's log and, with the job's name, on the terminal.

    A job does not die because nobody can read what it says: a full disk under the log and a terminal that is gone are
    passed over. An expected problem (ValueError, RuntimeError of ours, OSError) ends the process with its message
    alone; any other is a defect, whose traceback goes to the log too. Of a fault that ends Python at once, such as the
    bus error of reading a file that has been cut short meanwhile, the log says where it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:  # unbuffered: nothing is left to be written when it is closed

        def write(text: str) -> None:
            with suppress(OSError):
                file.write(text.encode())

        def say(line: str) -> None:
            write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
            try:
                print(f"{job}: {line}", file=sys.stderr, flush=True)
            except (OSError, ValueError):  # ValueError: stderr is closed
                # Python would try the rest again on leaving, and fail the job for it.
                sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the rest of the process

        faulthandler.enable(file)
        try:
            yield say
        except (ValueError, RuntimeError, OSError, Interrupted) as error:
            write(traceback.format_exc())
            say(str(error))
            sys.exit(1)
        except BaseException:
            write(traceback.format_exc())
            raise
        finally:
            faulthandler.disable()
