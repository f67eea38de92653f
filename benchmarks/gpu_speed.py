"""How fast a GPU trains.   python benchmarks/gpu_speed.py ceilings|small|large|loader   (by gpu_check.py)

``small`` and ``large`` are the networks of gpu_setups.py, each as a base, a frozen and a fine-tuned series of seven,
with the settings that should suit them best.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import ceilings
import torch
from ceilings import DEVICE
from gpu_projects import CORES
from gpu_rows import earlier, emit, name_of, rehearsing, run_cases
from gpu_setups import recipe_for, seconds_of_a_measurement, setups
from lock_step import LOADERS, job_rate, loader_rate
from memory import peak_memory
from setups import STORED
from throughput import JOBS, operations

from transferability.data import stream
from transferability.networks.precision import PRECISIONS, use_precision
from transferability.process.determinism import use_threads
from transferability.store.checked_rows import READERS

Case = Callable[[], None]
# Precision and whether updates are captured (small), or whether images are read from the store (large). What matters
# most comes first; the last of the small ones has the default settings.
SMALL = (("bf16", True), ("tf32", True), ("float32", False))
LARGE = (("bf16", False), ("bf16", True))
MORE_READERS = 16  # measured besides the engine's own number


def ceiling_cases() -> dict[str, Case]:
    ceilings.SECONDS = seconds_of_a_measurement() / 2
    ceilings.SIDE = 256 if rehearsing() else ceilings.SIDE
    return {
        **{f"matrix product, {precision}": partial(matrix_product, precision) for precision in PRECISIONS},
        "memory copied": lambda: emit("memory copied", round(ceilings.copied_gb_per_second(), 1), "GB/s"),
    }


def matrix_product(precision: str) -> None:
    emit(f"matrix product, {precision}", round(ceilings.matrix_product_flops(precision) / 1e12, 2), "TFLOP/s")


def small_cases() -> dict[str, Case]:
    ways = [(job, precision, graphs) for precision, graphs in (SMALL[:1] if rehearsing() else SMALL) for job in JOBS]
    return {name_of("small", *way): partial(train_small, *way) for way in ways}


def train_small(job: str, precision: str, graphs: bool) -> None:
    measure("small", name_of("small", job, precision, graphs), job, precision, graphs=graphs)


def large_cases() -> dict[str, Case]:
    ways = [(f"{STORED if stored else ''}{job}", precision) for precision, stored in LARGE for job in JOBS]
    ways = ways[: len(JOBS) + 1] if rehearsing() else ways
    return {name_of("large", *way, False): partial(train_large, *way) for way in ways}


def train_large(job: str, precision: str) -> None:
    measure("large", name_of("large", job, precision, False), job, precision, graphs=False)


def measure(size: str, name: str, job: str, precision: str, *, graphs: bool) -> None:
    recipe = recipe_for(size, DEVICE, precision)
    rate = job_rate(recipe, job, DEVICE, seconds_of_a_measurement(), graphs=graphs)
    emit(name, round(rate), "images/s", note=f"batch {recipe.hyperparameters.batch_size}, {memory()}")
    if peak := earlier(f"matrix product, {precision}"):
        share = operations(setups()[size], job, rate, 1e3 * peak)["share_of_peak"]
        emit(f"{name}: of the matrix product", round(100 * share, 1), "%")


def memory() -> str:
    return ", ".join(f"{value} MB {key.removesuffix('_mb')}" for key, value in peak_memory().items())


def loader_cases() -> dict[str, Case]:
    ways = [
        ("pixels", True, READERS),
        ("loader", True, READERS),
        ("pixels", True, MORE_READERS),
        ("loader", False, 0),
    ]
    return {loader_name(*way): partial(load, *way) for way in ways}


def loader_name(job: str, stored: bool, readers: int) -> str:
    place = f"read by {readers} threads" if stored else "held"
    return f"large {job}, {place}, on {CORES} cores"


def load(job: str, stored: bool, readers: int) -> None:
    held_bytes = 0.0 if stored else float("inf")
    recipe = recipe_for("large", DEVICE, "float32")
    with patch.object(stream, "READERS", readers):
        rate = loader_rate(recipe, DEVICE, LOADERS[job], held_bytes, seconds_of_a_measurement())
    emit(loader_name(job, stored, readers), round(rate), "images/s")


CASES = {
    "ceilings": ceiling_cases,
    "small": small_cases,
    "large": large_cases,
    "loader": loader_cases,
}

if __name__ == "__main__":
    use_threads(1)
    use_precision("float32")
    torch.backends.cudnn.benchmark = True
    run_cases(CASES[sys.argv[1]]())
