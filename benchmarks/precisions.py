"""Whether fewer bits cost accuracy: the default study's networks, trained in each precision.

    python benchmarks/precisions.py [results.csv] [SEEDS [ITERATIONS]]

For each of some seeds (5), on the glyphs' first split: both bases, and the seven frozen networks AnB, copied from the
base of the same precision. The same seed means the same weights, images and order in every precision, so accuracies are
compared in pairs. Runs on the GPU if there is one. On a CPU, float32 again and tf32 are float32, and their differences
must be 0; bf16 is emulated, and slow, where there is no instruction for it.

Columns: ``top1`` is the mean accuracy of the last evaluation; ``points`` the mean difference from float32 in points,
with its standard error and the number of pairs. ``float32 again`` shows how much two runs of the same training differ
on a GPU, which adds in any order; fewer bits should not differ by more than that and the standard error.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
import yaml
from ceilings import DEVICE
from reporting import write_rows

from transferability.data.build import build_store
from transferability.data.kinds import image_source
from transferability.data.splits import random_split
from transferability.files import read_json
from transferability.process.determinism import use_threads
from transferability.process.provenance import device_name
from transferability.store.reading import open_store
from transferability.study.design import read_study
from transferability.study.layout import NetworkFiles
from transferability.training.recipe import Recipe, Running
from transferability.training.train import train

# Training twice in float32 shows how much differs by chance alone.
RUNS = {"float32": "float32", "float32 again": "float32", "tf32": "tf32", "bf16": "bf16"}
SERIES = [f"A{n}B" for n in range(1, 8)]

Accuracies = dict[tuple[str, str, int], float]  # by run, network and seed


def main(seeds: int, iterations: int | None) -> None:
    use_threads(1)
    with TemporaryDirectory() as folder:
        recipe = recipe_of(Path(folder, "store"), iterations)
        accuracies: Accuracies = {}
        for run, precision in RUNS.items():
            for seed in range(seeds):
                of_seed = replace(recipe.with_hyperparameters(precision=precision), seed=seed)
                for name, top1 in trained(of_seed, Path(folder, run, str(seed))):
                    accuracies[run, name, seed] = top1
    about = {"device": device_name(DEVICE), "torch": torch.__version__, "iterations": recipe.hyperparameters.iterations}
    write_rows([{**about, **row} for row in rows_of(accuracies)])


def recipe_of(folder: Path, iterations: int | None) -> Recipe:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    study = read_study(config)
    with image_source("glyphs", study.data_set.store_settings) as source:
        build_store(source, folder)
    store = open_store(folder)
    recipe = Recipe(store, random_split(store.classes, "random0", 0), seed=0, settings=study.settings("base"))
    return recipe.with_hyperparameters(iterations=iterations or recipe.hyperparameters.iterations, evaluate_every=10**9)


def trained(recipe: Recipe, folder: Path) -> Iterator[tuple[str, float]]:
    """Train the networks, and yield the accuracy of each."""
    running = Running(folder / "states", DEVICE, 1e9, 1e9, lambda _line: None, cuda_graphs=True)
    for names, source in (["baseA"], None), (["baseB"], None), (SERIES, folder / "baseA.safetensors"):
        files = [NetworkFiles.beside(folder / f"{name}.safetensors") for name in names]
        train(recipe, {one.network: one for one in files}, source, running)
        for one in files:
            yield one.network.name, float(read_json(one.metrics)["top1_final"])


def rows_of(accuracies: Accuracies) -> Iterator[dict[str, object]]:
    of: dict[tuple[str, str], list[float]] = defaultdict(list)
    differences: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (run, name, seed), top1 in accuracies.items():
        networks = "bases" if name.startswith("base") else "frozen transfer"
        of[run, networks].append(top1)
        differences[run, networks].append(100 * (top1 - accuracies["float32", name, seed]))
    for (run, networks), points in differences.items():
        error = stdev(points) / sqrt(len(points)) if len(points) > 1 else float("nan")
        yield {
            "precision": run,
            "networks": networks,
            "top1": round(fmean(of[run, networks]), 4),
            "points": round(fmean(points), 2),
            "standard_error": round(error, 2),
            "pairs": len(points),
        }


if __name__ == "__main__":
    numbers = [int(number) for number in sys.argv[2:]]
    main(numbers[0] if numbers else 5, numbers[1] if len(numbers) > 1 else None)
