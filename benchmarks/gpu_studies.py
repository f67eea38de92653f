"""Whole studies on a GPU.   python benchmarks/gpu_studies.py default_study|tiny_imagenet   (by gpu_check.py)

The default study is run in full. config/tiny-imagenet.yaml is run with all of its networks and as many iterations as
there is time for; what it would take with all iterations follows from the time that jobs took outside and inside
training, and is marked as extrapolated.
"""

import csv
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import numpy as np
import yaml
from gpu_projects import CORES, STAGES, Config, FinishedJob, Project, mean_costs
from gpu_rows import (
    EXTRAPOLATED,
    FAILED,
    LEFT_OUT,
    READY,
    earlier,
    emit,
    name_of,
    rehearsing,
    run_cases,
    scratch,
    seconds_left,
    wait_for,
)
from PIL import Image
from snakemake.utils import update_config  # type: ignore[import-untyped]

from transferability.study.design import read_study

# Jobs that share the GPU: two cores each, for Python and to read ahead.
SHARES = CORES if rehearsing() else min(8, max(CORES // 2, 1))
LAST_SECONDS = 8.0  # for a study to end, and for its results to be read
START_SECONDS = 10.0  # assumed for a job before one has been measured
UPDATES_A_SECOND = 300.0  # likewise, for a series of small networks
SETTLING = 40  # the fewest iterations; with fewer, choosing kernels would take longer than using them
REHEARSED_CLASSES = (
    "n01440764",
    "n01443537",
    "n01484850",
    "n01491361",
    "n02666196",
    "n02667093",
    "n02669723",
    "n02672831",
)
REHEARSED: Config = {
    "splits": ["random0"],
    "networks": {"depths": [1, 2], "treatments": ["random", "selffer+"]},
}
REHEARSED_NETWORKS = ("baseB", "R1B", "B1B+")  # with the networks trained beside them: a job of every stage
REHEARSED_ITERATIONS, REHEARSED_BATCH = 4, 8
BASED_ON = "tiny-imagenet.yaml"
DEFAULT = ROOT / "benchmarks" / "results" / "default_study_summary.csv"


def default_study() -> None:
    config: Config = {"study": "glyphs", "running": {"jobs_per_gpu": SHARES, "cuda_graphs": True}}
    if rehearsing():
        config |= REHEARSED
        config["training"] = {"iterations": 8, "evaluate_every": 4, "batch_size": 16}
        config["datasets"] = {
            "glyphs": {"letters": 4, "symbols": 4, "training_per_class": 16, "validation_per_class": 5}
        }
    project = Project(scratch() / "default_study", config)
    started = time.monotonic()
    run = project.start(*targets(project, REHEARSED_NETWORKS[:1]), gpu=SHARES)
    code = run.wait(seconds_left() - LAST_SECONDS)
    took = round(time.monotonic() - started, 1)
    if code != 0:
        print(project.log_tail(), flush=True)
    finished = f"{SHARES} jobs at a time; {ending(code)}"
    how = {} if code == 0 else {"how": LEFT_OUT if code is None else FAILED}
    emit("the default study, wall clock", took, "s", note=finished, **how)
    tell_jobs("default study", project.finished_jobs())
    if code == 0 and not rehearsing():
        compare_with_cpu(project)


def ending(code: int | None) -> str:
    return "whole" if code == 0 else "ended at its limit" if code is None else f"exit code {code}"


def targets(project: Project, rehearsed: Sequence[str]) -> Sequence[str]:
    """The whole study; in a rehearsal just some networks, because the tiny studies already include figures."""
    return [project.checkpoint(name) for name in rehearsed] if rehearsing() else []


def tell_jobs(study: str, jobs: Sequence[FinishedJob]) -> None:
    for stage in STAGES:
        of_stage = [job for job in jobs if job.stage == stage]
        if of_stage:
            outside, inside = mean_costs(of_stage)[stage]
            note = f"outside of training {outside:.1f}, inside {inside:.1f}; mean of {len(of_stage)} jobs"
            emit(f"{study}: a {stage} job", round(outside + inside, 1), "s", note=note)


def compare_with_cpu(project: Project) -> None:
    """Compare with a CPU's committed summary; another device rounds differently, which changes accuracies by chance."""
    here, there = (means_of(path) for path in (project.results / "summary.csv", DEFAULT))
    differences = {key: 100 * abs(here[key] - there[key]) for key in here.keys() & there.keys()}
    largest = max(differences, key=lambda key: differences[key])
    note = f"{' '.join(largest)}; {len(differences)} means of two to six networks"
    emit("default study: largest difference of means to a CPU's", round(differences[largest], 1), "points", note=note)


def means_of(summary: Path) -> dict[tuple[str, ...], float]:
    with summary.open() as file:
        return {(row["split_type"], row["treatment"], row["n"]): float(row["mean"]) for row in csv.DictReader(file)}


def tiny_imagenet_config(root: str, iterations: int, precision: str = "float32") -> Config:
    """The settings on top of config/tiny-imagenet.yaml."""
    config: Config = {
        "study": "tiny-imagenet",
        "datasets": {"tiny_imagenet": {"root": root}},
        "training": {"iterations": iterations, "evaluate_every": min(400, iterations), "precision": precision},
        "running": {"jobs_per_gpu": SHARES, "cuda_graphs": True},
    }
    if rehearsing():
        config |= REHEARSED
        config["training"]["batch_size"] = REHEARSED_BATCH
    return config


def images_at() -> Path | None:
    """The path of Tiny-ImageNet, or of made-up images in a rehearsal."""
    given = os.environ.get("GPU_CHECK_DATA")
    places = [Path(given).absolute()] if given else []
    if rehearsing() and not given:
        return made_up_images(scratch() / "tiny-imagenet-200")
    places += [ROOT / ".gpu" / "data" / "tiny-imagenet-32.tar.xz", ROOT / "data" / "tiny-imagenet-200"]
    places.append(ROOT / "data" / "tiny-imagenet-200.zip")
    return next((place for place in places if place.exists()), None)


def made_up_images(root: Path) -> Path:
    """Make images of a few classes, laid out like the official folder."""
    if not root.exists():
        write_official_folder(root)
    return root


def write_official_folder(root: Path) -> None:
    random, size = np.random.default_rng(0), 32
    lines = []
    for number, name in enumerate(REHEARSED_CLASSES):
        folder = root / "train" / name / "images"
        folder.mkdir(parents=True)
        for image in range(8):
            picture(random, size).save(folder / f"{name}_{image}.JPEG")
        (root / "val" / "images").mkdir(parents=True, exist_ok=True)
        picture(random, size).save(root / "val" / "images" / f"val_{number}.JPEG")
        lines.append(f"val_{number}.JPEG\t{name}\t0\t0\t31\t31\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))


def picture(random: np.random.Generator, size: int) -> Image.Image:
    return Image.fromarray(random.integers(0, 256, (size, size, 3), dtype=np.uint8))


def make_tiny_imagenet_store() -> None:
    """Make the store, in the project that the study will be run in."""
    root = images_at()
    if root is None:
        emit("the store of Tiny-ImageNet", "", how=LEFT_OUT, note="no images: give --data")
        return
    folder = scratch() / "tiny-imagenet"
    project = Project(folder, tiny_imagenet_config(str(root), 12_000), based_on=BASED_ON)
    started = time.monotonic()
    code = project.start("store", gpu=0).wait(seconds_left() - LAST_SECONDS)
    if code != 0:
        raise RuntimeError(project.log_tail(3))
    (folder / READY).touch()
    emit("the store of Tiny-ImageNet, beside other steps", round(time.monotonic() - started, 1), "s")


def tiny_imagenet() -> None:
    root, folder = images_at(), scratch() / "tiny-imagenet"
    if root is None:
        emit("tiny-imagenet", "", how=LEFT_OUT, note="no images: give --data")
        return
    if not wait_for(folder, min(60, seconds_left() / 3)):
        emit("tiny-imagenet", "", how=LEFT_OUT, note="its store is not complete: see the step prepare")
        return
    precision = fastest_precision()
    study = read_study(whole_config(str(root), 12_000, precision))
    jobs = jobs_of(study)
    in_full = study.settings("base").hyperparameters
    iterations = iterations_for(jobs, seconds_left() - LAST_SECONDS - 10, in_full.batch_size)
    networks = sum(1 for _ in study.networks())
    project = Project.again(folder, tiny_imagenet_config(str(root), iterations, precision), based_on=BASED_ON)
    started = time.monotonic()
    run = project.start(*targets(project, REHEARSED_NETWORKS), gpu=SHARES)
    code = run.wait(seconds_left() - LAST_SECONDS)
    took = time.monotonic() - started
    if code not in (0, None):
        print(project.log_tail(), flush=True)
    finished = project.finished_jobs()
    done = f"{sum(job.networks for job in finished)} of {networks} networks, {precision}, {SHARES} jobs at a time"
    emit(f"tiny-imagenet, {iterations} iterations", round(took, 1), "s", note=f"{done}; {ending(code)}")
    tell_jobs("tiny-imagenet", finished)
    if {job.stage for job in finished} == set(STAGES):
        extrapolate(finished, jobs, took if code == 0 else None, iterations, in_full.iterations)
    else:
        emit("tiny-imagenet in full", "", how=LEFT_OUT, note="not a job of every kind was finished")


def whole_config(root: str, iterations: int, precision: str) -> Config:
    config: Config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / "config" / BASED_ON).read_text()))
    update_config(config, tiny_imagenet_config(root, iterations, precision))
    config["datasets"]["tiny_imagenet"]["groups"] = str(ROOT / "resources" / "imagenet" / "classes.csv")
    return config


def jobs_of(study: Any) -> dict[str, int]:
    """How many training jobs of each stage the study has."""
    of_stage = dict.fromkeys(STAGES, 0)
    for _, _, job in study.jobs():
        of_stage[job[0].stage] += 1
    return of_stage


def fastest_precision() -> str:
    """The fastest precision in which a small series was measured with captured updates; tf32 if none was."""
    names = {precision: name_of("small", "fine_tuned", precision, True) for precision in ("tf32", "bf16")}
    rates = {precision: earlier(name) or 0.0 for precision, name in names.items()}
    return max(rates, key=lambda precision: rates[precision])


def iterations_for(jobs: Mapping[str, int], seconds: float, batch: int) -> int:
    """How many iterations should fit, by earlier measurements: jobs start in parallel but train one after the other."""
    if rehearsing():
        return REHEARSED_ITERATIONS
    start = max((earlier(f"default study: a {stage} job") or START_SECONDS for stage in STAGES), default=START_SECONDS)
    starts = sum(jobs.values()) * min(start, START_SECONDS) / SHARES
    update = sum(jobs[stage] * seconds_of_update(stage, batch) for stage in STAGES)
    fits = int((0.7 * seconds - starts - 15) / update)
    return max(SETTLING, min(fits // 20 * 20, 12_000))


def seconds_of_update(stage: str, batch: int) -> float:
    rate = earlier(name_of("small", stage, fastest_precision(), True))
    networks = 1 if stage == "base" else 7
    return networks * batch / rate if rate else 1 / UPDATES_A_SECOND


def extrapolate(
    finished: Sequence[FinishedJob], jobs: Mapping[str, int], took: float | None, iterations: int, in_full: int
) -> None:
    """Extrapolate to all iterations: only training takes longer, while as many jobs run at a time."""
    costs = mean_costs(list(finished))
    now = sum(jobs[stage] * (outside + inside) for stage, (outside, inside) in costs.items())
    full = sum(jobs[stage] * (outside + inside * in_full / iterations) for stage, (outside, inside) in costs.items())
    around = max(took - now / SHARES, 0) if took else 20.0
    note = f"from {iterations} of {in_full} iterations and {len(finished)} of {sum(jobs.values())} jobs"
    if iterations < 400:
        note += f"; evaluations are counted {400 / iterations:.1f} times as often as they are"
    emit("tiny-imagenet in full, job-hours", round(full / 3600, 2), "h", how=EXTRAPOLATED, note=note)
    minutes = (full / SHARES + around) / 60
    emit(
        "tiny-imagenet in full, wall clock",
        round(minutes, 1),
        "min",
        how=EXTRAPOLATED,
        expected="15 or less",
        note=note,
    )


if __name__ == "__main__":
    run_cases(
        {"default_study": {"the default study": default_study}, "tiny_imagenet": {"tiny-imagenet": tiny_imagenet}}[
            sys.argv[1]
        ]
    )
