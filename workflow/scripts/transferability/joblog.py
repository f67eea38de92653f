"""A job's own log: what it did, without control characters, in its file and on the terminal."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from transferability.interruption import Interrupted

Say = Callable[[str], None]


@contextmanager
def job_log(path: Path, job: str) -> Iterator[Say]:
    """Yields a function that notes a line in the job's log and, with the job's name, on the terminal.

    An expected problem (ValueError, RuntimeError of ours, OSError) ends the process with its message alone; any
    other is a defect, whose traceback goes to the log too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:

        def say(line: str) -> None:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
            file.flush()
            print(f"{job}: {line}", file=sys.stderr, flush=True)

        try:
            yield say
        except (ValueError, RuntimeError, OSError, Interrupted) as error:
            file.write(traceback.format_exc())
            say(str(error))
            sys.exit(1)
        except BaseException:
            file.write(traceback.format_exc())
            raise
