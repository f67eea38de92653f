"""Describe the machine, for every row of a check.   python benchmarks/gpu_machine.py   (by gpu_check.py)"""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

import torch
from gpu_rows import MEASURED, ROW, emit, run_cases

from transferability.process.provenance import device_name


def machine() -> None:
    there = torch.cuda.is_available()
    about = {"device": device_name("cuda" if there else "cpu"), "versions": versions(there)}
    row = {
        "what": "GPU",
        "value": about["device"] if there else "",
        "how": MEASURED,
        "note": "" if there else why_none(),
    }
    print(ROW + json.dumps({**row, **about}), flush=True)
    emit("cores", len(os.sched_getaffinity(0)))
    if there:
        properties = torch.cuda.get_device_properties(0)
        emit("GPU memory", round(properties.total_memory / 1e9, 1), "GB", note=f"{torch.cuda.device_count()} visible")
        emit("GPU multiprocessors", properties.multi_processor_count)


def versions(gpu: bool) -> str:
    packages = (f"{name} {version_of(name)}" for name in ("torch", "torchvision", "numpy", "snakemake"))
    cuda = [f"CUDA {torch.version.cuda}", f"cuDNN {torch.backends.cudnn.version()}", driver()] if gpu else []  # type: ignore[no-untyped-call]
    return ", ".join([f"Python {platform.python_version()}", *packages, *filter(None, cuda)])


def version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"driver {done.stdout.split()[0]}" if done.stdout.split() else ""


def why_none() -> str:
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0]
    return "torch.cuda.is_available() is false"


if __name__ == "__main__":
    run_cases({"machine": machine})
