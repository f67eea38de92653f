"""Studies that a check of a GPU runs: projects, Snakemake in them, and how long their jobs took."""

import csv
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import IO, Any

import yaml
from default_study import ROOT, treatment_of

from transferability.study.names import Network

Config = dict[str, Any]
CORES = len(os.sched_getaffinity(0))
ENDING_SECONDS = 2.0
STAGES = ("base", "frozen", "fine_tuned")


class Project:
    """The project in a folder of its own, with one study; the code is shared, so that it is compiled only once."""

    def __init__(self, folder: Path, config: Config, *, based_on: str | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name in ("Snakefile", "config.yaml", "config", "workflow", "profiles", "envs", "resources"):
            (folder / name).symlink_to(ROOT / name)
        self._config_files = [*([f"config/{based_on}"] if based_on else []), "study.yaml"]
        self.study: str = config["study"]
        self.configure(config)

    @classmethod
    def again(cls, folder: Path, config: Config, *, based_on: str) -> "Project":
        """The project that another step has made, with another config on top of the same base config."""
        project = cls.__new__(cls)
        project.folder, project.study = folder, config["study"]
        project._config_files = [f"config/{based_on}", "study.yaml"]
        project.configure(config)
        return project

    def configure(self, config: Config) -> None:
        (self.folder / "study.yaml").write_text(yaml.safe_dump(config))

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.study

    def checkpoint(self, name: str) -> str:
        """A network's checkpoint, as a target for Snakemake."""
        return f"results/{self.study}/networks/random0/seed0/{name}.safetensors"

    def start(self, *arguments: str, cores: int = CORES, gpu: int = 1) -> "Run":
        """Start Snakemake in the background, with its output in a file."""
        log = (self.folder / "snakemake.log").open("a")
        resources = [f"--resources=gpu={gpu}"] if gpu else []
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *resources]
        command += ["--configfile", *self._config_files, "--", *arguments]
        process = subprocess.Popen(
            command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
        )
        return Run(self, process, log)

    def metrics(self) -> dict[str, dict[str, Any]]:
        """The metrics of each finished network, by split and name."""
        found = {}
        for path in sorted(self.results.glob("networks/*/*/*.metrics.json")):
            content = json.loads(path.read_text())
            found[f"{path.parts[-3]}/{path.name.removesuffix('.metrics.json')}"] = content
        return found

    def finished_jobs(self) -> list["FinishedJob"]:
        """The finished training jobs, with how long they took."""
        metrics, jobs = self.metrics(), []
        for path in self.results.glob("benchmarks/*/*/*.tsv"):
            split = path.parts[-3]
            with path.open() as file:
                seconds = float(next(csv.DictReader(file, delimiter="\t"))["s"])
            names = [name for name in metrics if name.startswith(f"{split}/") and in_job(name.split("/")[1], path.stem)]
            inside = sum(float(metrics[name]["seconds"]) for name in names)
            jobs.append(FinishedJob(stage_of(path.stem), seconds, inside, len(names)))
        return jobs

    def log_tail(self, lines: int = 25) -> str:
        return "\n".join((self.folder / "snakemake.log").read_text(errors="replace").splitlines()[-lines:])


@dataclass(frozen=True)
class Run:
    """A Snakemake process."""

    project: Project
    process: subprocess.Popen[str]
    log: IO[str]

    def wait(self, seconds: float) -> int | None:
        """Wait for its exit code; None if it had to be ended after this many seconds."""
        try:
            return self.process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            self.process.terminate()
            try:
                self.process.wait(ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()  # it waits for its jobs, which end with the step
            return None
        finally:
            self.log.close()


@dataclass(frozen=True)
class FinishedJob:
    """A training job: the seconds that its process took, and how many of them it trained."""

    stage: str
    seconds: float
    training_seconds: float
    networks: int


def stage_of(job: str) -> str:
    treatment = treatment_of(job)
    return "base" if treatment == "base" else "fine_tuned" if treatment.endswith("+") else "frozen"


def in_job(network: str, job: str) -> bool:
    """Whether a network, such as A3B+, is trained by a job for a whole series, such as A1-7B+, or for one network."""
    if network == job:
        return True
    one = Network.parse(network)
    return one.treatment != "base" and stage_of(job) != "base" and _without_depth(network) == _without_depth(job)


def _without_depth(name: str) -> tuple[str, str]:
    digits = [position for position, letter in enumerate(name) if letter.isdigit()]
    return name[: digits[0]], name[digits[-1] + 1 :]


def mean_costs(jobs: list[FinishedJob]) -> Mapping[str, tuple[float, float]]:
    """Mean seconds of finished jobs outside and inside training, by stage."""
    by_stage: dict[str, list[FinishedJob]] = defaultdict(list)
    for job in jobs:
        by_stage[job.stage].append(job)
    return {
        stage: (
            fmean(job.seconds - job.training_seconds for job in of_stage),
            fmean(job.training_seconds for job in of_stage),
        )
        for stage, of_stage in by_stage.items()
    }
