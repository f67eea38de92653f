"""Whether everything is right, and how fast it is, on a GPU that is available for ten minutes.

    python benchmarks/gpu_check.py NAME [--minutes 9] [--out FOLDER] [--data ARCHIVE] [--only STEP,STEP] [--variants]

Runs what matters most first, and writes every result as it comes to gpu_check_NAME.csv: in the folder of --out or, if
this is not given, $OUT; otherwise in benchmarks/results. Each step is a process with a limit of its own; none can stop
the next, and the check ends in time and says what was left out. Nothing is downloaded, and neither git nor a virtual
environment is needed: the Python that runs this must be able to import what requirements.txt, pytest and hypothesis
provide.

--rehearse uses tiny sizes, with or without a GPU; --variants measures what is still to be decided (docs/gpu.md).
"""

import argparse
import csv
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).parent))

from gpu_budget import STOP, Step, limit_of, run_step
from gpu_rows import ALL_WAYS, EARLIER_ROWS, FAILED, FEW_WAYS, LEFT_OUT, MEASURED, REHEARSAL, SCRATCH, Row

ROOT = Path(__file__).parents[1]
COLUMNS = ("step", "what", "value", "unit", "expected", "how", "note", "device", "versions", "command")
USUAL_MINUTES = 9
LAST_SECONDS = 12  # at the end of the budget, for processes to end and the table to be printed
MACHINE = Step("machine", ["gpu_machine.py"], least=5, most=90)
# The steps of a group run at the same time; seconds are for a check of nine minutes. What matters more comes first.
GROUPS: Sequence[Sequence[Step]] = (
    (
        Step("tests", ["gpu_correctness.py", "tests"], least=40, most=140),
        Step("studies", ["gpu_correctness.py", "studies"], least=60, most=140),
        Step("prepare", ["gpu_prepare.py"], least=20, most=150),
    ),
    (Step("ceilings", ["gpu_speed.py", "ceilings"], least=12, most=40),),
    (Step("small", ["gpu_speed.py", "small"], least=20, most=75, case=40),),
    (Step("large", ["gpu_speed.py", "large"], least=20, most=75, case=40),),
    (Step("loader", ["gpu_speed.py", "loader"], least=10, most=30, case=15),),
    (Step("plain", ["gpu_plain.py"], least=15, most=60, case=40),),
    (Step("profile", ["gpu_profile.py"], least=12, most=45, case=30),),
    (Step("default_study", ["gpu_studies.py", "default_study"], least=25, most=100),),
    (Step("tiny_imagenet", ["gpu_studies.py", "tiny_imagenet"], least=30, most=600),),
)
UNPREPARED = {"tests", "studies", "prepare", "ceilings", "default_study"}  # the others need the output of `prepare`
VARIANTS = (
    (Step("prepare", ["gpu_prepare.py", "images"], least=20, most=90),),
    (Step("variants", ["gpu_variants.py"], least=60, most=600, case=90),),
)


class Results:
    """The file of results, written row by row, and all rows so far, for later steps."""

    def __init__(self, folder: Path, name: str, scratch: Path) -> None:
        self.path = folder / f"gpu_check_{name}.csv"
        self.rows: list[Row] = []
        self._about = {"device": "", "versions": ""}
        self._lock = threading.Lock()
        self._for_steps = scratch / EARLIER_ROWS
        self.path.write_text(",".join(COLUMNS) + "\n")

    def add(self, step: str, row: Row) -> None:
        with self._lock:
            about = {key: row.get(key, value) for key, value in self._about.items()}
            self._about = about
            whole = {"step": step, **row, **about, "command": f"{shlex.join(sys.argv)} (step {step})"}
            whole = {column: whole.get(column, "") for column in COLUMNS}
            self.rows.append(whole)
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(whole)
            with self._for_steps.open("a") as file:
                file.write(json.dumps(whole) + "\n")
            print(f"[{step}] {line_of(whole)}", flush=True)


def line_of(row: Row) -> str:
    expected = f"  (expected {row['expected']})" if row["expected"] != "" else ""
    how = "" if row["how"] == MEASURED else f"  {row['how']}"
    note = f"  -- {row['note']}" if row["note"] else ""
    return f"{row['what']}: {row['value']} {row['unit']}{expected}{how}{note}"[:200]


class Check:
    """One run of the check."""

    def __init__(self, options: argparse.Namespace, scratch: Path, started: float) -> None:
        self.deadline = started + 60 * options.minutes - LAST_SECONDS
        self.scale = options.minutes / USUAL_MINUTES
        self.folder = out_folder(options)
        self.results = Results(self.folder, options.name, scratch)
        self.log = (self.folder / f"gpu_check_{options.name}.log").open("w", buffering=1)
        self.environment = environment_of(options, scratch)

    def run(self, groups: Sequence[Sequence[Step]]) -> None:
        for number, group in enumerate(groups):
            later = [max(following, key=lambda step: step.least) for following in groups[number + 1 :]]
            with ThreadPoolExecutor(len(group)) as at_once:
                for step in group:
                    at_once.submit(self._run, step, later)

    def rehearse(self, groups: Sequence[Sequence[Step]]) -> None:
        """Run measurements beside whole studies, because the times of a rehearsal mean nothing."""
        by_lane: dict[int, list[Sequence[Step]]] = defaultdict(list)
        for step in chain.from_iterable(groups):
            by_lane[lane_of(step)].append([step])
        with ThreadPoolExecutor(len(by_lane)) as at_once:
            for lane in by_lane.values():
                at_once.submit(self.run, lane)

    def _run(self, step: Step, later: Sequence[Step]) -> None:
        left = self.deadline - time.monotonic()
        if left < step.least * min(self.scale, 1) or STOP.is_set():
            self.results.add(step.name, {"what": step.name, "value": "", "how": LEFT_OUT, "note": f"{left:.0f} s left"})
            return
        started = time.monotonic()
        try:
            limit = limit_of(scaled(step, self.scale), [scaled(one, self.scale) for one in later], left)
            run_step(step, limit, self.environment, self.log, lambda row: self.results.add(step.name, row))
        except Exception as error:  # whatever the error is, the next step runs
            self.results.add(step.name, {"what": step.name, "value": "", "how": FAILED, "note": repr(error)[:300]})
        took = round(time.monotonic() - started, 1)
        self.results.add(step.name, {"what": f"the step {step.name}", "value": took, "unit": "s", "how": MEASURED})


def lane_of(step: Step) -> int:
    """The lane of a step: in a rehearsal, steps in the same lane run one after the other."""
    return {"gpu_correctness.py": 0, "gpu_studies.py": 1}.get(step.script[0], 2)


def scaled(step: Step, by: float) -> Step:
    return Step(step.name, step.script, step.least * min(by, 1), step.most * max(by, 1), step.case * max(by, 1))


def out_folder(options: argparse.Namespace) -> Path:
    folder = Path(options.out or os.environ.get("OUT") or ROOT / "benchmarks" / "results")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment_of(options: argparse.Namespace, scratch: Path) -> dict[str, str]:
    """The environment of steps, with caches in a folder that is writable whichever user runs this."""
    caches = {
        name: str(scratch / "cache") for name in ("MPLCONFIGDIR", "XDG_CACHE_HOME", "HYPOTHESIS_STORAGE_DIRECTORY")
    }
    home = {} if os.access(Path.home(), os.W_OK) else {"HOME": str(scratch)}
    path = os.pathsep.join(filter(None, [str(ROOT / "workflow" / "scripts"), os.environ.get("PYTHONPATH", "")]))
    about = {SCRATCH: str(scratch), REHEARSAL: options.rehearse, "GPU_CHECK_DATA": options.data or ""}
    return {**os.environ, **caches, **home, **about, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def print_table(rows: Sequence[Row], path: Path, log: IO[str]) -> None:
    """Print what fits into a few thousand characters; the file has the rest."""
    print(f"\n== {path}")
    wrong = [row for row in rows if is_wrong(row)]
    for row in rows:
        if row not in wrong and not row["what"].startswith(("the step ", "kernel ")):
            print(f"{row['step'][:9]:9} {line_of(row)[:120]}")
    print(f"== {len(wrong)} to look at (log: {log.name})")
    for row in wrong:
        print(f"{row['step'][:9]:9} {line_of(row)[:160]}")


def is_wrong(row: Row) -> bool:
    """Whether a row is about something that failed, was left out, or is not the expected number."""
    found, expected = str(row["value"]), str(row["expected"])
    return row["how"] in (FAILED, LEFT_OUT) or (expected.isdigit() and found != expected)


def chosen(options: argparse.Namespace) -> list[Sequence[Step]]:
    groups = VARIANTS if options.variants else GROUPS
    if not options.only:
        return list(groups)
    wanted = set(options.only.split(","))
    known = {step.name for group in (*GROUPS, *VARIANTS) for step in group}
    if unknown := wanted - known:
        sys.exit(f"--only: {', '.join(sorted(unknown))}: no such step; there are {', '.join(sorted(known))}")
    if wanted - UNPREPARED:
        wanted.add("prepare")
    pool = groups if options.variants else (*groups, *VARIANTS[1:])
    picked = [[step for step in group if step.name in wanted] for group in pool]
    return [group for group in picked if group]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check and measure a GPU in minutes.")
    parser.add_argument("name", help="of the machine, for the names of files")
    parser.add_argument("--minutes", type=float, default=USUAL_MINUTES)
    parser.add_argument("--out", help="folder of the results; else $OUT, else benchmarks/results")
    parser.add_argument("--data", help="Tiny-ImageNet, a folder or an archive; else .gpu/data or data")
    parser.add_argument("--only", help="steps, with commas between")
    parser.add_argument("--variants", action="store_true", help="measure what is to be decided, and nothing else")
    parser.add_argument(
        "--rehearse",
        nargs="?",
        choices=(ALL_WAYS, FEW_WAYS),
        const=ALL_WAYS,
        default="",
        help="tiny sizes; few: the tiny study in float32 only, without figures and verify",
    )
    return parser.parse_args()


def main() -> None:
    started = time.monotonic()
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: STOP.set())
    signal.signal(signal.SIGINT, lambda *_: STOP.set())
    scratch = Path(tempfile.mkdtemp(prefix="gpu-check-"))
    groups = chosen(options)
    check = Check(options, scratch, started)
    try:
        check.run([[MACHINE]])
        if not options.rehearse and not any(row["what"] == "GPU" and row["value"] for row in check.results.rows):
            sys.exit("torch sees no GPU (see above); --rehearse runs everything in tiny sizes without one")
        if options.rehearse:
            check.rehearse(groups)
        else:
            check.run(groups)
    finally:
        print_table(check.results.rows, check.results.path, check.log)
        print(f"== {time.monotonic() - started:.0f} s of {60 * options.minutes:.0f} s")
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
