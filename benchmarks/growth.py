"""How the cost of a study grows with its splits, seeds, depths, classes, images and iterations.

    python benchmarks/growth.py [results.csv]

The default study, and the same with one setting changed at a time, are planned as `snakemake plan` does: every kind of
job is calibrated on the available device, and nothing is trained to the end. Columns: ``device_minutes`` of all
training jobs one after the other, including the start of their processes; ``longest_minutes``, a base and then its
longest series, the minimum with any number of devices; megabytes on disk.
"""

import copy
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
import yaml
from ceilings import DEVICE
from reporting import write_rows
from snakemake.utils import update_config  # type: ignore[import-untyped]

from transferability.planning.data_size import data_size
from transferability.planning.plan import plan_study
from transferability.process.determinism import use_threads
from transferability.process.provenance import device_name
from transferability.study.design import read_study
from transferability.training.recipe import Running

Config = dict[str, Any]

CHANGES: dict[str, Config] = {
    "the default study": {},
    "8 splits, not 2": {"splits": [f"random{seed}" for seed in range(8)]},
    "4 seeds, not 1": {"seeds": [0, 1, 2, 3]},
    "4 depths, not 7": {"networks": {"depths": [1, 3, 5, 7]}},
    "32 classes, not 64": {"datasets": {"glyphs": {"letters": 16, "symbols": 16}}},
    "600 training images a class, not 150": {"datasets": {"glyphs": {"training_per_class": 600}}},
    "200 validation images a class, not 50": {"datasets": {"glyphs": {"validation_per_class": 200}}},
    "48 pixels a side, not 24": {"datasets": {"glyphs": {"size": 48}}},
    "2000 iterations, not 500": {"training": {"iterations": 2000, "evaluate_every": 160}},
    "one network a job, not 7": {"running": {"networks_per_job": 1}},
    "the default study again": {},  # shows how much two calibrations differ
}


def main() -> None:
    use_threads(1)
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    rows: list[Config] = []
    for name, change in CHANGES.items():
        config = copy.deepcopy(default)
        update_config(config, change)
        with TemporaryDirectory() as folder:
            rows.append(
                {"device": device_name(DEVICE), "torch": torch.__version__, "study": name, **cost(config, folder)}
            )
        write_rows(rows)


def cost(config: Config, folder: str) -> Config:
    study = read_study(config)
    running = Running(Path(folder), DEVICE, float("inf"), float("inf"), say=lambda _line: None)
    sizes = {name: data_size(data_set, Path(folder, "no store")) for name, data_set in study.data_sets.items()}
    plan = plan_study(study, sizes, running)
    disk = plan.disk()
    return {
        "jobs": len(plan.seconds),
        "networks": sum(len(job.networks) for job in plan.seconds),
        "device_minutes": round(sum(plan.seconds.values()) / 60, 2),
        "longest_minutes": round(plan.wall_seconds(float("inf")) / 60, 2),
        "store_mb": round(disk["store"] / 1e6, 1),
        "networks_mb": round(disk["networks"] / 1e6, 1),
    }


if __name__ == "__main__":
    main()
