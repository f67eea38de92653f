"""Training speed, compared with what the device can do and with what one would write without this project.

    python benchmarks/throughput.py [results.csv] [SETUP ...] [LOADER ...]

For each setup (setups.py; all by default), it measures a base, a frozen and a fine-tuned series of seven, and the
loader alone, as this project runs them, and a plain PyTorch loop on the same images (plain_pytorch.py), one process per
network, with the number of workers and the memory layout that suit it best. The device's ceilings come first: a large
matrix product and a memory copy. Every measurement is a separate process. Runs on the GPU if there is one, in float32,
TF32 and bfloat16, with and without captured updates, and with images held in its memory or read from the store; on a
CPU in float32, and in bfloat16 if its matrix product is faster. If loaders are named, only these are measured.

Columns: ``images_per_second`` is summed over the networks of a job; ``speedup`` is relative to the plain loop, for a
series to its seven networks one after the other; ``share_of_peak`` is relative to the matrix product in the same
precision (and with as many threads), counting the layers' operations as they are actually run;
``minutes_per_network`` is for the iterations of the setup's study. Jobs are those of lock_step.py.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
from ceilings import copied_gb_per_second, matrix_product_flops
from reporting import write_rows
from setups import LAYOUTS, SETUPS, STORED, Setup, networks_of, wanted_setups, write_images

from transferability.networks.precision import PRECISIONS
from transferability.planning.flops import flops_per_image
from transferability.process.determinism import use_threads
from transferability.process.provenance import device_name
from transferability.study.names import Network

HERE = Path(__file__).parent
SECONDS = 10
JOBS = ("base", "frozen", "fine_tuned")
LOADERS = ("loader", f"{STORED}loader", f"{STORED}pixels")
ON_GPU = torch.cuda.is_available()
DEVICE = device_name("cuda" if ON_GPU else "cpu")
CORES = len(os.sched_getaffinity(0))

Row = dict[str, Any]


def main() -> None:
    rows = list(ceilings())
    peaks = {(row["precision"], row["threads"]): row["gflops"] for row in rows}
    loaders = [job for job in sys.argv[2:] if job in LOADERS]
    for name in wanted_setups():
        with tempfile.TemporaryDirectory() as folder:
            write_images(SETUPS[name], Path(folder))
            measured = [] if loaders else list(trained(name, Path(folder), peaks))
            measured += loaded(name, Path(folder), loaders or LOADERS)
            about = {"setup": name, "batch_size": SETUPS[name].batch_on("cuda" if ON_GPU else "cpu")}
            rows += [{**about, **row} for row in measured]
            write_rows([{"device": DEVICE, "torch": torch.__version__, **row} for row in rows])


def ceilings() -> Iterator[Row]:
    for threads in (1,) if ON_GPU else (1, CORES):
        use_threads(threads)
        for precision in PRECISIONS if ON_GPU else ("float32", "bf16"):
            gflops = round(matrix_product_flops(precision) / 1e9, 1)
            copied = round(copied_gb_per_second(), 1)
            yield {
                "job": "ceiling",
                "threads": threads,
                "precision": precision,
                "gflops": gflops,
                "copied_gb_s": copied,
            }


def trained(name: str, folder: Path, peaks: dict[tuple[str, int], float]) -> Iterator[Row]:
    setup = SETUPS[name]
    plain = list(plain_loops(name, folder))
    yield from plain
    best = max(plain, key=lambda row: row["images_per_second"])
    alone = {0: best["images_per_second"]}
    for frozen in range(1, 8):
        way = (frozen, best["workers"], best["layout"])
        alone[frozen] = run("plain_pytorch.py", name, folder, *way)["images_per_second"]
    for job, threads, precision, graphs in ways_to_train(peaks):
        result = run("lock_step.py", name, folder, job, threads, precision, graphs)
        rate = result["images_per_second"]
        yield {
            "job": job,
            "how": "lock-step",
            "threads": threads,
            "precision": precision,
            "cuda_graphs": graphs,
            **result,
            "speedup": round(rate / plain_rate(job, alone), 2),
            **operations(setup, job, rate, peaks[precision, threads]),
            "minutes_per_network": round(setup.iterations * setup.batch / rate / 60, 3),
        }


def loaded(name: str, folder: Path, loaders: Iterable[str]) -> Iterator[Row]:
    for job in loaders:
        yield {"job": job, "how": "lock-step", **run("lock_step.py", name, folder, job, 1, "float32", 0)}


def ways_to_train(peaks: dict[tuple[str, int], float]) -> Iterator[tuple[str, int, str, int]]:
    """Yield jobs, threads, precisions, and whether updates are captured."""
    if not ON_GPU:
        precisions = ("float32", "bf16") if peaks["bf16", 1] > peaks["float32", 1] else ("float32",)
        yield from product(JOBS, (1, CORES), precisions, (0,))
        return
    yield from ((job, 1, precision, graphs) for job in JOBS for precision in PRECISIONS for graphs in (0, 1))
    yield from ((f"{STORED}{job}", 1, "bf16", 0) for job in JOBS)


def plain_loops(name: str, folder: Path) -> Iterator[Row]:
    """Measure a base's plain loop, with several numbers of workers and both layouts."""
    for workers, layout in product((4, 8, CORES) if ON_GPU else (0, 1, CORES), LAYOUTS):
        result = run("plain_pytorch.py", name, folder, 0, workers, layout)
        yield {"job": "base", "how": "plain", "workers": workers, "layout": layout, **result}


def plain_rate(job: str, alone: dict[int, float]) -> float:
    """Images per second of the same networks in plain loops, one after the other."""
    frozen = [Network.parse(name).frozen for name in networks_of(job)]
    return len(frozen) / sum(1 / alone[depth] for depth in frozen)


def operations(setup: Setup, job: str, rate: float, peak_gflops: float) -> Row:
    frozen = [Network.parse(name).frozen for name in networks_of(job)]
    flops = flops_per_image(setup.architecture, setup.seen_shape, setup.classes, frozen).training / len(frozen)
    gflops = rate * flops / 1e9
    return {
        "mflops_per_image": round(flops / 1e6, 2),
        "gflops": round(gflops, 1),
        "share_of_peak": round(gflops / peak_gflops, 3),
    }


def run(script: str, *arguments: object) -> Row:
    command = [sys.executable, str(HERE / script), *map(str, arguments), str(SECONDS)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: Row = json.loads(output.splitlines()[-1])
    return {**result, "images_per_second": round(result["images_per_second"])}


if __name__ == "__main__":
    main()
