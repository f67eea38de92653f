"""What a step of `gpu_check.py` reports: rows and the cases it goes through, as lines of output that the check reads.

A step is a separate process. What it has reported is kept, however it ends, and a step that dies in one case is started
again for the cases after it.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from transferability.process.signals import Interrupted

ROW, CASE, CASES = "@row ", "@case ", "@cases "
# A step's environment variables: when it must have ended (by the monotonic clock), cases that need not run again, where
# steps leave things for one another, and whether this is a rehearsal, and how thorough.
DEADLINE, DONE, SCRATCH, REHEARSAL = (f"GPU_CHECK_{name}" for name in ("DEADLINE", "DONE", "SCRATCH", "REHEARSAL"))
FEW_WAYS, ALL_WAYS = "few", "all"  # how thorough a rehearsal is
EARLIER_ROWS = "rows.jsonl"
READY = "ready"  # an empty file that marks a folder as complete
MEASURED, EXTRAPOLATED, LEFT_OUT, FAILED = "measured", "extrapolated", "left out", "failed"

Row = dict[str, Any]


def emit(what: str, value: object, unit: str = "", *, expected: str = "", how: str = MEASURED, note: str = "") -> None:
    """Report one result."""
    row = {"what": what, "value": value, "unit": unit, "expected": expected, "how": how, "note": note}
    print(ROW + json.dumps(row), flush=True)


def name_of(size: str, job: str, precision: str, graphs: bool) -> str:
    """The name of a measurement in rows, by which later steps find it."""
    return f"{size} {job}, {precision}{', recorded' * graphs}"


def seconds_left() -> float:
    """Seconds until this step is ended, by the monotonic clock that all processes of a machine share."""
    return float(os.environ.get(DEADLINE, "inf")) - time.monotonic()


def scratch() -> Path:
    return Path(os.environ[SCRATCH])


def rehearsing() -> bool:
    return bool(os.environ.get(REHEARSAL))


def wait_for(folder: Path, seconds: float) -> bool:
    """Wait until a folder that another process makes is complete; whether it is within this many seconds."""
    end = time.monotonic() + seconds
    while not (folder / READY).exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def earlier(what: str) -> float | None:
    """The value of the latest earlier row with this name, from any step; None if there is none."""
    found = None
    for row in earlier_rows():
        if row["what"] == what and row["how"] == MEASURED and isinstance(row["value"], int | float):
            found = float(row["value"])
    return found


def earlier_rows() -> list[Row]:
    path = scratch() / EARLIER_ROWS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run_cases(cases: Mapping[str, Callable[[], None]], least_seconds: float = 5.0) -> None:
    """Run the cases that are not done yet while there is time; one that fails does not stop the next.

    After a CUDA error nothing works in a process anymore, so it ends and is started again for the remaining cases.
    """
    print(CASES + json.dumps(list(cases)), flush=True)
    done = set(json.loads(os.environ.get(DONE, "[]")))
    for name, case in cases.items():
        if name in done:
            continue
        if seconds_left() < least_seconds:
            return
        print(CASE + name, flush=True)
        try:
            case()
        except Interrupted:  # by the check, which reports it
            sys.exit(128 + signal.SIGTERM)
        except Exception as error:
            traceback.print_exc()
            emit(name, "", how=FAILED, note=f"{type(error).__name__}: {error}".splitlines()[0][:300])
            if "CUDA error" in str(error) or "cuDNN error" in str(error):
                sys.exit(3)
