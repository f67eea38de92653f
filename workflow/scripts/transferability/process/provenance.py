"""What a result was made with: versions, the workflow's commit, the device.

All of this goes into metrics files and none of it into a network's identity or a rule's parameters: a new commit or
another machine causes no retraining.
"""

import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transferability.files import PROJECT

GIT_SECONDS = 10.0


def provenance(device: str) -> dict[str, Any]:
    """The provenance of a network trained now in this process, on ``cpu`` or ``cuda``, by key of its metrics file."""
    return {
        "versions": versions(),
        "commit": commit_of(PROJECT),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "deterministic": device == "cpu" or torch.are_deterministic_algorithms_enabled(),
    }


def versions() -> dict[str, str]:
    return {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}


@cache
def commit_of(folder: Path) -> str | None:
    """The git commit that a folder has checked out, with ``-dirty`` if a tracked file differs; None if git cannot say.

    Asked once per process: what is checked out later is not what runs. A repository that merely contains the folder is
    not its own and not asked.
    """
    git = ["git", "--no-optional-locks", f"--git-dir={folder / '.git'}", f"--work-tree={folder}"]
    describe = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(describe, capture_output=True, text=True, check=True, timeout=GIT_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def device_name(device: str) -> str:
    """The GPU's model; or ``cpu`` with its model and instruction set, because others may round differently."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"cpu ({_cpu_model()}, {torch.backends.cpu.get_cpu_capability()})"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
