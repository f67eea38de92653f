"""Whether everything is right on a GPU.   python benchmarks/gpu_correctness.py tests|studies   (by gpu_check.py)

``tests`` runs those of tests/training/test_gpu.py. ``studies`` runs one tiny study several times at once, each in a
project of its own and all in deterministic mode: in every precision with and without captured updates, which must give
the same bits; and once with a training job that is killed halfway and resumed, which must give the same bits too. The
resumed study is then verified.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from gpu_projects import Config, Project, Run, mean_costs
from gpu_rows import FAILED, FEW_WAYS, LEFT_OUT, REHEARSAL, emit, rehearsing, run_cases, scratch, seconds_left

from transferability.records.progress import SUFFIX, read_job_record

TESTS = "tests/training/test_gpu.py"
VERDICT = re.compile(rf"^{TESTS}::(?P<test>\S+).* (?P<verdict>PASSED|FAILED|ERROR|SKIPPED)")
PRECISIONS = ("float32", "tf32", "bf16")
STATE = "newest.state"  # exists once the state is complete
PROCESSES = 16  # how many may share the GPU: more than run at a time
TINY: Config = {
    "study": "tiny",
    "datasets": {
        "glyphs": {"letters": 6, "symbols": 6, "training_per_class": 12, "validation_per_class": 6, "distortion": 0.5}
    },
    "splits": ["random0"],
    "networks": {"depths": [1, 4, 7], "treatments": ["selffer", "transfer+"]},
    "training": {"iterations": 120, "batch_size": 16, "evaluate_every": 40, "learning_rate": 0.005},
    "running": {"deterministic": True, "jobs_per_gpu": PROCESSES, "log_every_seconds": 1},
}
# Shares of the step's time that are reserved for later parts: the resumed run, its comparison, and `verify`.
RESUMING, COMPARING, VERIFYING = 0.3, 0.2, 0.1
MOST_POINTS = 15.0  # by which fewer bits may change accuracy: each half has just 36 images, worth three points each


def tests() -> None:
    """Run the tests; each test's verdict counts as soon as it is known."""
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short", TESTS]
    started, verdicts, failed = time.monotonic(), {"PASSED": 0, "FAILED": 0, "ERROR": 0, "SKIPPED": 0}, []
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    limit = threading.Timer(max(seconds_left() - 4, 1), process.kill)  # leaves time to report the outcome
    limit.start()
    for line in process.stdout:
        print(line, end="", flush=True)
        if match := VERDICT.match(line):
            verdicts[match["verdict"]] += 1
            if match["verdict"] in ("FAILED", "ERROR"):
                failed.append(match["test"])
    process.wait()
    limit.cancel()
    emit(f"{TESTS}: passed", verdicts["PASSED"], "tests", note=f"in {time.monotonic() - started:.0f} s")
    emit(f"{TESTS}: failed", len(failed), "tests", expected="0", note=" ".join(failed)[:2000])
    if verdicts["SKIPPED"]:
        emit(f"{TESTS}: skipped", verdicts["SKIPPED"], "tests", expected="0", note="torch sees no GPU")
    if process.returncode == -signal.SIGKILL:
        emit(f"{TESTS}: the rest", "", how=LEFT_OUT, note="no time left")
    elif process.returncode not in (0, 1):
        emit(TESTS, "", how=FAILED, note=f"pytest ended with exit code {process.returncode}")


def studies() -> None:
    budget, ways = seconds_left(), ways_to_train()
    projects = {way: Project(scratch() / f"tiny_{way[0]}_{way[1]:d}", config_of(*way)) for way in ways}
    killed = Project(scratch() / "tiny_killed", config_of("float32", graphs=False, state_every_seconds=0.0))
    started = time.monotonic()
    # The run that is killed makes no figures, but the resumed run does, because `verify` checks every output.
    first_run = killed.start(target(killed), cores=2)
    runs = {way: project.start(target(project), cores=2) for way, project in projects.items()}
    was_killed = kill_a_training(first_run, budget * RESUMING)
    emit("a training killed in its middle", was_killed or "none", expected="one")
    first_run.wait(seconds_left() - budget * RESUMING)
    second_run = killed.start(target(killed) if few_ways() else "all", cores=2)
    for way, run in runs.items():
        tell_of(run, name_of(way), seconds_left() - budget * COMPARING)
    compare_precisions(projects)
    tell_of(second_run, "float32, killed and resumed", seconds_left() - budget * VERIFYING)
    emit("tiny studies, all at once", round(time.monotonic() - started, 1), "s")
    compare_resumed(projects["float32", False], killed)
    if not few_ways():
        verified = killed.start("verify", cores=1)
        tell_of(verified, "verify, of the resumed study", seconds_left() - 3)
    costs = mean_costs([job for project in projects.values() for job in project.finished_jobs()])
    for stage, (outside, _) in costs.items():
        emit(f"a {stage} job's start and end, beside {len(runs)} others", round(outside, 2), "s")


def ways_to_train() -> Sequence[tuple[str, bool]]:
    """Pairs of precisions, and whether updates are captured."""
    ways = list(product(PRECISIONS, (False, True)))
    return ways[:1] if few_ways() else ways


def few_ways() -> bool:
    """Whether the rehearsal is short: only float32, and no study is run through to its figures and verified."""
    return os.environ.get(REHEARSAL) == FEW_WAYS


def target(project: Project) -> str:
    return project.checkpoint("R1B") if rehearsing() else "accuracies"


def config_of(precision: str, graphs: bool, state_every_seconds: float = 30.0) -> Config:
    running = {**TINY["running"], "cuda_graphs": graphs, "state_every_seconds": state_every_seconds}
    training = {**TINY["training"], "precision": precision}
    if rehearsing():
        less = {"networks": {"depths": [1], "treatments": ["random"]}}
        return {**TINY, **less, "training": {**training, "iterations": 30, "evaluate_every": 15}, "running": running}
    return {**TINY, "training": training, "running": running}


def name_of(way: tuple[str, bool]) -> str:
    return f"{way[0]}, {'recorded' if way[1] else 'plain'}"


def kill_a_training(run: Run, kept: float) -> str:
    """Kill the first training job that has written a state, and return its name.

    It is empty if there is none before only ``kept`` seconds are left.
    """
    states = run.project.results / "states"
    while run.process.poll() is None and seconds_left() > kept:
        for path in states.rglob(f"*{SUFFIX}"):
            record = read_job_record(path)
            if record and any((path.parent / name / STATE).exists() for name in record.networks):
                os.kill(record.process.pid, signal.SIGKILL)
                return record.job
        time.sleep(0.02)
    return ""


def tell_of(run: Run, what: str, seconds: float) -> None:
    code = run.wait(seconds)
    if code != 0:
        print(f"---- {what}:\n{run.project.log_tail()}", flush=True)
    ended = "ended at its limit" if code is None else run.project.log_tail(1)
    emit(f"exit code: {what}", "" if code is None else code, expected="0", note="" if code == 0 else ended)


def compare_precisions(projects: dict[tuple[str, bool], Project]) -> None:
    metrics = {way: project.metrics() for way, project in projects.items()}
    devices = sorted({str(one["device"]) for of_one in metrics.values() for one in of_one.values()})
    emit("tiny studies trained on", " and ".join(devices), expected="the GPU")
    emit(
        "networks of each tiny study",
        min(map(len, metrics.values())),
        "networks",
        expected="1" if rehearsing() else "14",
    )
    for precision, graphs in projects:
        if graphs:
            plain, recorded = metrics[precision, False], metrics[precision, True]
            emit(
                f"{precision}: networks that captured updates change",
                different(plain, recorded),
                "networks",
                expected="0",
            )
        elif precision != "float32":
            points = largest_difference(metrics["float32", False], metrics[precision, False])
            about = {"expected": f"at most {MOST_POINTS:.0f}", "note": "3 points an image, weights drift apart"}
            emit(f"{precision}: largest difference of accuracies to float32", points, "points", **about)


def compare_resumed(plain: Project, killed: Project) -> None:
    logs = "".join(path.read_text(errors="replace") for path in killed.results.glob("logs/**/*.log"))
    gone_on = re.findall(r"resuming at iteration (\d+)", logs + killed.log_tail(10_000))
    emit("resumed from iteration", gone_on[0] if gone_on else "none", expected="more than 0")
    expected, resumed = plain.metrics(), killed.metrics()
    if rehearsing():  # only the network that was killed is trained twice
        resumed = {name: one for name, one in resumed.items() if name in expected}
    emit("networks that killing and resuming changes", different(expected, resumed), "networks", expected="0")


def different(one: dict[str, Config], other: dict[str, Config]) -> int | str:
    """How many networks differ in any bit or are not in both; a text if there are no networks."""
    if not one and not other:
        return "none trained"
    return sum(
        str(one.get(name, {}).get("sha256")) != str(other.get(name, {}).get("sha256", "")) for name in {*one, *other}
    )


def largest_difference(one: dict[str, Config], other: dict[str, Config]) -> float:
    shared = one.keys() & other.keys()
    return round(max((100 * abs(one[n]["top1_final"] - other[n]["top1_final"]) for n in shared), default=-1.0), 1)


if __name__ == "__main__":
    run_cases({"tests": {TESTS: tests}, "studies": {"tiny studies": studies}}[sys.argv[1]])
