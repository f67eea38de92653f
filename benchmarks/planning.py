"""What thousands of networks cost before and after training: Snakemake's planning, tables and figures.

    python benchmarks/planning.py [results.csv]

Studies with the default config and more and more splits and seeds, in a copy of the project. Networks are made up:
their files exist, with random accuracies. Each command has a row, whose time includes Snakemake's start.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import numpy as np
import yaml
from default_study import copy_of_project
from reporting import write_rows

from transferability.files import write_csv, write_json
from transferability.results.scores import accuracies_of
from transferability.store.reading import GUARD, MANIFEST, STORE_VERSION, guard
from transferability.store.same_images import KEY
from transferability.study.design import Study, read_study
from transferability.study.layout import NetworkFiles
from transferability.training.learner import HISTORY_COLUMNS

EVALUATIONS = 13
# Numbers of splits, seeds, and networks per job; each split and seed has 72 networks.
STUDIES = ((1, 1, 7), (2, 7, 7), (10, 14, 7), (10, 14, 1))
CHECKSUM = "made up"
CURVES = "learning_curves/random0_seed0.png"


def main() -> None:
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    rows: list[dict[str, Any]] = []
    for splits, seeds, per_job in STUDIES:
        changes = {
            "study": "many",
            "splits": [f"random{seed}" for seed in range(splits)],
            "seeds": list(range(seeds)),
            "running": {**default["running"], "networks_per_job": per_job},
        }
        study = read_study(default | changes)
        about = {
            "device": platform.processor() or platform.machine(),
            "snakemake": version("snakemake"),
            "python": platform.python_version(),
            "networks": len(list(study.networks())),
            "networks_per_job": per_job,
            "training_jobs": len(list(study.jobs())),
        }
        with tempfile.TemporaryDirectory() as folder:
            project = copy_of_project(Path(folder))
            (project / "many.yaml").write_text(yaml.safe_dump(changes))
            for row in steps(project, study):
                rows.append(about | row)
                write_rows(rows)  # a study of 10,000 networks takes a while


def steps(project: Path, study: Study) -> Iterator[dict[str, Any]]:
    """Run every command in turn, and yield its time and memory."""
    yield measured(project, "plan of all", "--dry-run")
    make_up(project, study)
    yield measured(project, "accuracies", "accuracies")
    yield measured(project, "tables", "tables")
    yield measured(project, "figures", "figures")
    yield measured(project, "learning curves of one split and seed", str(study.folder / "figures" / CURVES))
    # Create Snakemake's own records, as if it had made all of this.
    measured(project, "records", "--touch", "--forceall", "tables", "figures")
    yield measured(project, "plan of a finished study", "--dry-run", "tables", "figures")


def measured(project: Path, step: str, *arguments: str) -> dict[str, Any]:
    """Run Snakemake; CPU time and peak memory include its jobs.

    A peak below that of this process, some 530 MB, does not show, because a process inherits its parent's peak.
    """
    command = [sys.executable, "-m", "snakemake", *arguments, "--cores", "1", "--configfile", "many.yaml"]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{step}: {' '.join(command)} failed")
    return {
        "step": step,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss / 1000),
    }


def make_up(project: Path, study: Study) -> None:
    """Make the files of every network, with random accuracies, and as much of the store and splits as is read."""
    random = np.random.default_rng(0)
    same = {"validation_in_training": 0, "repeated_in_training": 0, "repeated_in_validation": 0}
    manifest = {
        **{"format": STORE_VERSION, "training": 9600, "validation": 3200, "image_shape": [24, 24, 1]},
        **{"checksum": CHECKSUM, KEY: {**same, "of_several_classes": 0, "examples": []}},
    }
    write_json(project / study.data_set.store_folder / MANIFEST, manifest | {GUARD: guard(manifest)})
    for plan in study.splits.values():
        content: dict[str, Any] = {"split": plan.name, "seed": plan.seed, "halves": {}}
        write_json(project / study.folder / "splits" / f"{plan.name}.json", content)
    checksums = {study.data_set.name: CHECKSUM}
    for split, seed, network in study.networks():
        folder = project / study.folder / "networks" / split / f"seed{seed}"
        files = NetworkFiles.beside(folder / f"{network.name}.safetensors")
        top1 = random.uniform(0.2, 0.8, EVALUATIONS)
        history = [
            dict(zip(HISTORY_COLUMNS, (40 * i, 0.01, 1.0, 1.0, value, (1 + value) / 2, value), strict=True))
            for i, value in enumerate(top1, start=1)
        ]
        folder.mkdir(parents=True, exist_ok=True)
        files.checkpoint.touch()
        write_csv(files.history, HISTORY_COLUMNS, [tuple(row.values()) for row in history])
        about = {"split": split, "split_type": "random", **network.facts, "seed": seed}
        evaluations = {"iterations": 500, "evaluations": EVALUATIONS, **accuracies_of(history)}
        asked = study.asked_of(split, network, checksums)
        made_from = {"network": network.name, "split": split, "seed": seed, **asked}
        write_json(files.metrics, {**about, **evaluations, "made_from": made_from})


if __name__ == "__main__":
    main()
