"""How long probing takes, and how its memory grows with the number of images, with and without keeping features.

    python benchmarks/probing.py [results.csv] [SETUP ...]

For each setup (setups.py; all by default), untrained layers are probed at all cut points and compared with those of a
base, once with the features of all images kept in memory and once with features recomputed in every pass, on some
images and on twice as many. Every measurement is a separate process with one CPU thread, on the GPU if there is one.
On a CPU, caffenet's take half an hour.

Columns: ``seconds`` is for one source and target, of which the default study has six in each split and seed;
``memory_mb`` is the peak of the process.
"""

import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
from lock_step import recipe_of
from memory import peak_memory
from reporting import write_rows
from setups import SETUPS, Setup, wanted_setups, write_images

from transferability.process.determinism import use_threads
from transferability.process.provenance import device_name
from transferability.proxies.probe_bases import Probing, probe
from transferability.study.layout import NetworkFiles
from transferability.study.names import RANDOM_SOURCE, WHOLE
from transferability.training.recipe import Running
from transferability.training.train import train

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# Numbers of classes, and of training images of each, for setups whose own would take hours.
FEWER = {"imagenet": (16, 8)}


def main() -> None:
    rows: list[dict[str, Any]] = []
    for name in wanted_setups():
        for measured in measure(name):
            rows.append({"device": device_name(DEVICE), "torch": torch.__version__, "setup": name, **measured})
            write_rows(rows)


def measure(name: str) -> Iterator[dict[str, Any]]:
    classes, per_class = FEWER.get(name, (SETUPS[name].classes, SETUPS[name].per_class))
    for times in (1, 2):
        setup = replace(SETUPS[name], classes=classes, per_class=times * per_class)
        with TemporaryDirectory() as folder:
            write_images(setup, Path(folder))
            for kept in (True, False):
                spawn = multiprocessing.get_context("spawn")
                with ProcessPoolExecutor(1, spawn) as process:
                    yield process.submit(probed, setup, Path(folder), kept=kept).result()


def probed(setup: Setup, folder: Path, *, kept: bool) -> dict[str, Any]:
    use_threads(1)
    recipe = recipe_of(setup, folder, DEVICE, "float32").with_hyperparameters(iterations=1, evaluate_every=1)
    base = NetworkFiles.beside(folder / f"base{WHOLE}.safetensors")
    train(recipe, {base.network: base}, None, Running(folder / "states", DEVICE, 60.0, 60.0, lambda _line: None))
    started = time.monotonic()
    files = {WHOLE: base.checkpoint, RANDOM_SOURCE: None}
    rows = probe(recipe, WHOLE, files, Probing(DEVICE, 1e12 if kept else 0.0, lambda _line: None), RANDOM_SOURCE)
    return {
        "training_images": rows[0]["training_images"],
        "features": "kept" if kept else "seen anew",
        "most_features": max(row["dimension"] for row in rows),
        "seconds": round(time.monotonic() - started, 1),
        **peak_memory(),
    }


if __name__ == "__main__":
    main()
