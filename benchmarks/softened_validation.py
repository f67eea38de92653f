"""How the networks of finished studies do on validation images that are as soft as their training images.

    python benchmarks/softened_validation.py softened.csv STORE STUDY [STUDY ...]

This is for images whose training and validation parts were resized with different filters, like Tiny-ImageNet's at 32
pixels (docs/natural-images.md). Each validation image is filtered with `KERNEL` along both sides, which brings the mean
difference between neighboring pixels close to that of the training images, and every network of the studies is
evaluated on these. Networks of halves by images are also evaluated on 20,000 training images of the other half. Bases
and B*n*B have not learned from these, and of A*n*B only the frozen layers have.

    STORE: the folder of the images' store, with its manifest.
    STUDY: the folder of a study's results, with its networks and splits.

Columns: top-1 from 0 to 1 and cross-entropy in nats, on softened validation images and on those of the other half.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import numpy as np
import torch
from numpy.typing import NDArray
from reporting import write_rows

from transferability.data.splits import split_from_json
from transferability.data.tasks import Task
from transferability.files import read_json
from transferability.networks.forward import logits_of
from transferability.process.determinism import use_threads
from transferability.records.checkpoints import load_weights
from transferability.seeding import generator_for
from transferability.store.reading import Store, open_store
from transferability.study.layout import NetworkFiles
from transferability.study.settings import Settings
from transferability.training.evaluation import evaluations
from transferability.training.images import evaluation_set
from transferability.training.recipe import Recipe

KERNEL = (0.09, 0.82, 0.09)
OTHERS = 20_000  # how many images of the other half


def main() -> None:
    store_folder, *studies = map(Path, sys.argv[2:])
    use_threads(1)
    store = open_store(store_folder)
    softened = replace(store, images=with_soft_validation(store))
    for part, images in (("training", softened.training), ("validation", softened.validation)):
        kinds = [np.abs(np.diff(one.images[images].astype(np.int16), axis=2)).mean() for one in (store, softened)]
        print(
            f"{part}: neighboring pixels differ by {kinds[0]:.2f}, softened by {kinds[1]:.2f} gray levels", flush=True
        )
    write_rows([row for study in studies for row in measured(study, softened)])


def with_soft_validation(store: Store) -> NDArray[np.uint8]:
    """All images of a store, with validation images softened; edges are repeated."""
    images = np.array(store.images[0 : len(store.labels)])
    pixels = images[store.validation].astype(np.float32)
    for side in (1, 2):
        padded = np.pad(pixels, [(1, 1) if axis == side else (0, 0) for axis in range(4)], mode="edge")
        places = range(pixels.shape[side])
        before, here, after = (np.take(padded, [place + shift for place in places], side) for shift in range(3))
        pixels = KERNEL[0] * before + KERNEL[1] * here + KERNEL[2] * after
    images[store.validation] = np.rint(pixels).astype(np.uint8)
    return images


def measured(study: Path, store: Store) -> Iterator[dict[str, Any]]:
    for path in sorted(study.glob("networks/*/*/*.metrics.json")):
        metrics = read_json(path)
        files = NetworkFiles.beside(path.with_name(path.name.replace(".metrics.json", ".safetensors")))
        split = split_from_json(read_json(study / "splits" / f"{metrics['split']}.json"), store)
        recipe = Recipe(store, split, metrics["seed"], Settings.from_json(metrics["made_from"]))
        task = recipe.task_of(files.network)
        model = recipe.model_of(files.network)
        model.load_state_dict(load_weights(files.checkpoint))
        found = {"softened": evaluated(recipe, task, task.validation(), model)}
        if task.images_seed is not None and task.other is not None:
            found["other_half"] = evaluated(recipe, task, some_of(task.other, metrics["seed"]), model)
        row = {key: metrics[key] for key in ("split", "seed", "network", "treatment", "source", "target", "n")}
        for on, (top1, loss) in found.items():
            row |= {f"{on}_top1": top1, f"{on}_cross_entropy": loss}
        yield row


def some_of(task: Task, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training images of a task, drawn at random."""
    positions, targets = task.all_training()
    chosen = np.sort(generator_for(seed, task.split, task.target, "unseen").permutation(len(targets))[:OTHERS])
    return positions[chosen], targets[chosen]


def evaluated(
    recipe: Recipe,
    task: Task,
    images: tuple[NDArray[np.int64], NDArray[np.int64]],
    model: torch.nn.Sequential,
) -> tuple[float, float]:
    """Top-1 accuracy and cross-entropy of a model on images at positions in the task's store, less its mean image."""
    preprocessing, precision = recipe.settings.preprocessing, recipe.hyperparameters.precision
    mean = task.mean_image(preprocessing.mean)
    on = evaluation_set(task, images, mean, preprocessing, "cpu", cache_bytes=0)
    model.to(memory_format=torch.channels_last).eval()
    (found,) = evaluations(lambda batch: [logits_of(model, batch, precision)], on)
    return round(found.top1, 6), round(found.loss, 5)


if __name__ == "__main__":
    main()
