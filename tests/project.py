"""A copy of the project for tests that run Snakemake, the small study they run in it, and what watches the runs."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tests.support import DEFAULT, ROOT

SMALL = {
    "study": "small",
    "datasets": {
        "glyphs": {"letters": 6, "symbols": 6, "training_per_class": 12, "validation_per_class": 6, "distortion": 0.5}
    },
    "splits": DEFAULT["splits"],
    "networks": {"depths": [1, 4, 7], "fine_tuned_depths": []},
    # A rate at which no network explodes, on any CPU, however long a test trains it.
    "training": {"iterations": 12, "batch_size": 16, "evaluate_every": 4, "learning_rate": 0.005},
    "running": {"state_every_seconds": 0, "device": "cpu"},
}

ACCURACIES = "results/small/accuracies.csv"  # what needs every network, and no figure

STARTED: list[subprocess.Popen] = []


def kill_started() -> None:
    while STARTED:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(STARTED.pop().pid, signal.SIGKILL)


class Project:
    """A copy of the project in which the small study can be run and changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Snakefile", "config.yaml"):
            shutil.copy(ROOT / name, folder / name)
        for name in ("workflow", "profiles", "envs", "resources"):
            shutil.copytree(ROOT / name, folder / name)  # with compiled files, or each copy would compile them again
        self.configure({})

    def copied(self, folder: Path) -> "Project":
        """This project with its results and Snakemake's records, all as old as here."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Project.there(folder)

    @classmethod
    def there(cls, folder: Path) -> "Project":
        """The project that is already in a folder."""
        project = cls.__new__(cls)
        project.folder = folder
        return project

    def configure(self, changes: dict) -> None:
        (self.folder / "small.yaml").write_text(yaml.safe_dump(merged(SMALL, changes)))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--configfile", "small.yaml", "--cores", "2", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start a run in the background, in a process group of its own that can be killed as a whole."""
        output = subprocess.DEVNULL
        command = self.command(*arguments)
        process = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=output, start_new_session=True)
        STARTED.append(process)
        return process

    def run(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(self.command(*arguments), cwd=self.folder, text=True, capture_output=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run_through_kills(self, times: int, seconds: float, *targets: str) -> None:
        """Kill Snakemake and all its jobs soon after they have written something, and repeat the same command."""
        moments = random.Random(times)
        for _ in range(times):
            before = self.written()
            process = self.start(*targets)
            # However slow the machine is, the next round finds more than this one did.
            wait_for(lambda: self.written() != before or process.poll() is not None)  # noqa: B023
            time.sleep(moments.uniform(0, seconds))
            assert process.poll() is None, "it came to an end before it could be killed"
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.run(*targets)

    def planned(self) -> list[tuple[str, str]]:
        """The jobs of a dry run: the rule, and the lines about the job."""
        output = self.run("--dry-run", "--quiet", "host")
        return re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", output, re.MULTILINE)

    def would_run(self) -> set[str]:
        """The jobs of a dry run: the rule, and its wildcards if it has any."""
        named = set()
        for rule, details in self.planned():
            wildcards = dict(re.findall(r"(\w+)=([^,\s]+)", "".join(re.findall(r"wildcards: (.*)", details))))
            wildcards.pop("seed", None)
            named.add(" ".join([rule, *wildcards.values()]))
        return named

    @property
    def results(self) -> Path:
        return self.folder / "results" / "small"

    def networks(self) -> dict[str, Path]:
        folder = self.results / "networks"
        return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.safetensors"))}

    def written(self) -> dict[str, int]:
        """The states and networks there are, and when each was written."""
        there = {}
        for path in [*self.results.rglob("*.state"), *self.networks().values()]:
            with contextlib.suppress(FileNotFoundError):
                there[str(path)] = path.stat().st_mtime_ns
        return there

    def contents(self) -> dict[str, bytes]:
        return {name: path.read_bytes() for name, path in self.networks().items()}


def store_of(project: Project, data_set: str) -> Path:
    """The one store of a data set."""
    (folder,) = (project.folder / "results" / "stores").glob(f"{data_set}-*")
    return folder


def merged(one: dict, other: dict) -> dict:
    result = dict(one)
    for key, value in other.items():
        result[key] = merged(one[key], value) if isinstance(value, dict) and isinstance(one.get(key), dict) else value
    return result


def text_of(log: Path) -> str:
    """What is in a log; Snakemake removes the old one when the job starts again."""
    try:
        return log.read_text()
    except FileNotFoundError:
        return ""


def wait_for(condition, seconds=300):
    """Wait until a condition holds, and return its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return value
