"""Where the default study's time goes, and what training series in lock-step saves.

    python benchmarks/default_study.py [results.csv]

Runs the default study in a copy of the project, from scratch to its figures, then the networks of its first split again
as one job each, both with as many jobs at a time as there are cores. Each rule has a row: the number of its jobs, the
sum of their seconds (each from the start to the end of its process) and, for training rules, the seconds of the same
networks as one job each.
"""

import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import yaml
from reporting import write_rows

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from transferability.process.devices import visible_gpus
from transferability.study.names import Network, Series

TREATMENTS = ("selffer", "transfer", "random", "selffer+", "transfer+", "base")


def main() -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    first_split = config["splits"][0]
    with tempfile.TemporaryDirectory() as folder:
        project = copy_of_project(Path(folder))
        whole = run(project)
        lock_step = seconds_by_treatment(project, first_split)
        everything = seconds_by_treatment(project, "*")
        shutil.rmtree(project / "results" / config["study"])
        (project / "alone.yaml").write_text(
            yaml.safe_dump({"splits": [first_split], "running": {"networks_per_job": 1}})
        )
        run(project, "--configfile", "alone.yaml")
        alone = seconds_by_treatment(project, first_split)
    rows = [{"what": "the whole study, wall clock", "jobs": "", "seconds": round(whole, 1)}]
    for treatment in [*TREATMENTS, "all but base"]:
        names = [t for t in TREATMENTS if t != "base"] if treatment == "all but base" else [treatment]
        together, apart = (sum(sum(times[name]) for name in names) for times in (lock_step, alone))
        rows.append(
            {
                "what": f"{treatment}, all splits",
                "jobs": sum(len(everything[name]) for name in names),
                "seconds": round(sum(sum(everything[name]) for name in names), 1),
                f"seconds_{first_split}_in_series": round(together, 1),
                f"seconds_{first_split}_one_network_a_job": round(apart, 1),
                "speedup": round(apart / together, 2),
            }
        )
    write_rows(rows)


def copy_of_project(folder: Path) -> Path:
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("workflow", "profiles", "envs", "resources"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def run(project: Path, *arguments: str) -> float:
    """Run the study and return the seconds that it takes."""
    started = time.monotonic()
    gpus = len(visible_gpus())  # with more, jobs would wait for a GPU, and the wait would count
    at_a_time = ["--cores", str(os.cpu_count()), *(["--resources", f"gpu={gpus}"] if gpus else [])]
    command = [sys.executable, "-m", "snakemake", *at_a_time, *arguments]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    return time.monotonic() - started


def seconds_by_treatment(project: Path, split: str) -> dict[str, list[float]]:
    """Seconds of every training job, from Snakemake's own benchmark files."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for path in project.glob(f"results/*/benchmarks/{split}/*/*.tsv"):
        with path.open() as file:
            seconds[treatment_of(path.stem)].append(float(next(csv.DictReader(file, delimiter="\t"))["s"]))
    return seconds


def treatment_of(job: str) -> str:
    """The treatment of a training job, which is named like baseA, or like a series with its depths for n: A1-7B+."""
    if job.startswith("base"):
        return Network.parse(job).treatment
    return Series.parse(re.sub(r"\d+(-\d+)?", "n", job, count=1)).treatment


if __name__ == "__main__":
    main()
