"""What a step of `gpu_check.py` says: rows and the cases it goes through, as lines of its output that the check reads.

A step is a process of its own. What it has said stays, however it ends, and a step that dies in one case is started
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
# Environment of a step: when it must have ended (by the monotonic clock), cases that need not be run again, where steps
# leave things for one another, and whether sizes are those of a rehearsal and how much of it is wanted.
DEADLINE, DONE, SCRATCH, REHEARSAL = (f"GPU_CHECK_{name}" for name in ("DEADLINE", "DONE", "SCRATCH", "REHEARSAL"))
FEW_WAYS, ALL_WAYS = "few", "all"  # to rehearse
EARLIER_ROWS = "rows.jsonl"
READY = "ready"  # an empty file that says that a folder is complete
MEASURED, EXTRAPOLATED, LEFT_OUT, FAILED = "measured", "extrapolated", "left out", "failed"

Row = dict[str, Any]


def emit(what: str, value: object, unit: str = "", *, expected: str = "", how: str = MEASURED, note: str = "") -> None:
    """Say one result."""
    row = {"what": what, "value": value, "unit": unit, "expected": expected, "how": how, "note": note}
    print(ROW + json.dumps(row), flush=True)


def name_of(size: str, job: str, precision: str, graphs: bool) -> str:
    """What rows call a measurement, and later steps look for."""
    return f"{size} {job}, {precision}{', recorded' * graphs}"


def seconds_left() -> float:
    """Until this step is ended, by the monotonic clock that all processes of a machine share."""
    return float(os.environ.get(DEADLINE, "inf")) - time.monotonic()


def scratch() -> Path:
    return Path(os.environ[SCRATCH])


def rehearsing() -> bool:
    return bool(os.environ.get(REHEARSAL))


def wait_for(folder: Path, seconds: float) -> bool:
    """Whether what another process makes there is complete."""
    end = time.monotonic() + seconds
    while not (folder / READY).exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def earlier(what: str) -> float | None:
    """The value of the newest earlier row of this name, of any step; None without one."""
    found = None
    for row in earlier_rows():
        if row["what"] == what and row["how"] == MEASURED and isinstance(row["value"], int | float):
            found = float(row["value"])
    return found


def earlier_rows() -> list[Row]:
    path = scratch() / EARLIER_ROWS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run_cases(cases: Mapping[str, Callable[[], None]], least_seconds: float = 5.0) -> None:
    """Run the cases that are not done yet, as long as there is time; one that fails does not stop the next.

    After an error of CUDA itself nothing works in a process, so it ends, to be started again for the rest.
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
        except Interrupted:  # by the check, which says so
            sys.exit(128 + signal.SIGTERM)
        except Exception as error:
            traceback.print_exc()
            emit(name, "", how=FAILED, note=f"{type(error).__name__}: {error}".splitlines()[0][:300])
            if "CUDA error" in str(error) or "cuDNN error" in str(error):
                sys.exit(3)
