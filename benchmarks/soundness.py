"""Whether every network learns, however long it is trained, with the default settings and without gradient clipping.

    python benchmarks/soundness.py [results.csv [CONFIG [SEEDS [ITERATIONS ...]]]]

On the first split of a config's study (config.yaml, with the glyphs), for each of some seeds (3) and numbers of
iterations (250, 500, 2000, 5000): both bases, the selffer and transfer networks of half B at every depth, and the
fine-tuned ones at the first, middle and last. On one CPU thread, this takes more than an hour.

There is a row for each treatment: how many networks there are, how many exploded, how many are at chance at their last
evaluation, and the mean and lowest top-1 accuracy of the others. Networks whose base exploded are not trained.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import pandas as pd
import torch
import yaml
from ceilings import DEVICE
from reporting import write_rows
from snakemake.utils import update_config  # type: ignore[import-untyped]

from transferability.data.build import build_store
from transferability.data.kinds import image_source
from transferability.data.splits import random_split
from transferability.files import read_json
from transferability.process.determinism import use_threads
from transferability.process.provenance import device_name
from transferability.results.unlearned import at_chance
from transferability.store.reading import open_store
from transferability.study.design import read_study
from transferability.study.layout import NetworkFiles
from transferability.study.names import Series
from transferability.training.recipe import Recipe, Running
from transferability.training.train import TrainingError, train

ITERATIONS = (250, 500, 2000, 5000)
SETTINGS = {"default": {}, "gradients as they are": {"clip_norm": 0.0}}

Row = dict[str, str | int | float]


def main(config: Path, seeds: int, lengths: tuple[int, ...]) -> None:
    use_threads(1)
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        recipe = recipe_of(config, Path(folder, "store"))
        about = {"device": device_name(DEVICE), "torch": torch.__version__, "data_set": recipe.task("A").store.name}
        for iterations in lengths:
            for setting, changes in SETTINGS.items():
                trained: defaultdict[str, list[NetworkFiles]] = defaultdict(list)
                for seed in range(seeds):
                    longer = recipe.with_hyperparameters(iterations=iterations, evaluate_every=iterations, **changes)
                    for treatment, files in networks(
                        replace(longer, seed=seed), Path(folder, setting, f"{iterations}-{seed}")
                    ):
                        trained[treatment] += files
                rows += [
                    {**about, "iterations": iterations, "setting": setting, "seeds": seeds, **row_of(treatment, files)}
                    for treatment, files in trained.items()
                ]
                write_rows(rows)  # keeps what has been measured if one does not wait for the rest


def recipe_of(config: Path, folder: Path) -> Recipe:
    merged = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(merged, yaml.safe_load(config.read_text()))
    study = read_study(merged)
    with image_source(study.config["dataset"], study.data_set.store_settings) as source:
        build_store(source, folder)
    store = open_store(folder)
    return Recipe(store, random_split(store.classes, "random0", 0), seed=0, settings=study.settings("base"))


def networks(recipe: Recipe, folder: Path) -> Iterator[tuple[str, list[NetworkFiles]]]:
    """Train networks; yield treatments and the files of their networks, which do not exist for one that exploded."""
    running = Running(folder / "states", DEVICE, 1e9, 1e9, lambda _line: None, cuda_graphs=True)
    bases = {half: files_of(folder, [f"base{half}"]) for half in "AB"}
    for files in bases.values():
        run(recipe, files, None, running)
        yield "base", files
    for source, treatment in (("B", "selffer"), ("A", "transfer")):
        base = bases[source][0].checkpoint
        if base.exists():
            for plus, depths in (("", range(1, 8)), ("+", (1, 4, 7))):
                series = Series(source, "B", fine_tuned=bool(plus))
                files = files_of(folder, [series.name_at(n) for n in depths])
                run(recipe, files, base, running)
                yield treatment + plus, files


def files_of(folder: Path, names: list[str]) -> list[NetworkFiles]:
    return [NetworkFiles.beside(folder / f"{name}.safetensors") for name in names]


def run(recipe: Recipe, files: list[NetworkFiles], source: Path | None, running: Running) -> None:
    with suppress(TrainingError):  # the others are finished and kept
        train(recipe, {one.network: one for one in files}, source, running)


def row_of(treatment: str, files: list[NetworkFiles]) -> Row:
    finished = pd.DataFrame([read_json(one.metrics) for one in files if one.metrics.exists()])
    dead = at_chance(finished).fillna(False).astype(bool) if len(finished) else pd.Series(dtype=bool)
    learned = finished.loc[~dead, "top1_final"] if len(finished) else pd.Series(dtype=float)
    return {
        "treatment": treatment,
        "networks": len(files),
        "exploded": len(files) - len(finished),
        "at_chance": int(dead.sum()),
        "mean_top1": round(float(learned.mean()), 4),
        "least_top1": round(float(learned.min()), 4),
    }


if __name__ == "__main__":
    main(
        Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "config.yaml",
        int(sys.argv[3]) if len(sys.argv) > 3 else 3,
        tuple(map(int, sys.argv[4:])) or ITERATIONS,
    )
