"""What determines a network, and so identifies it; and how it is trained, which does not affect the result."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from torch import nn

from transferability.data.splits import Split, Stores
from transferability.data.tasks import Examples, Task
from transferability.networks.build import build_network
from transferability.networks.layer_plan import TRUNCATED
from transferability.networks.truncation import READOUT, truncated
from transferability.process.log import Say
from transferability.records.progress import Progress
from transferability.seeding import seed_for
from transferability.study.names import Network
from transferability.study.settings import Hyperparameters, Settings


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the networks of one split and seed, apart from their names and sources.

    Attributes:
        store: the store of the split's images; for two data sets, each one's store, by half.
        split: the split whose tasks the networks are trained for.
        seed: seeds the initial weights and the order of images.
        settings: those of the networks' stage.
    """

    store: Stores
    split: Split
    seed: int
    settings: Settings

    def task(self, target: str) -> Task:
        """What networks of this target are trained for, with all its training images."""
        return self.split.task(self.store, target)

    def task_of(self, network: Network) -> Task:
        """What a network is trained for, with the training images that it sees; only this method determines which."""
        task, per_class = self.task(network.target), network.examples_per_class
        if per_class is None:
            return task
        return replace(task, examples=Examples(per_class, seed=None if network.reduced else self.seed))

    @property
    def seen_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what the networks see; the same for all that copy from each other."""
        return self.settings.preprocessing.seen_shape(self.split.image_shape(self.store))

    def build(self, classes: int, *seed: str | int) -> nn.Sequential:
        """A network of the recipe's architecture for a number of classes, with weights drawn by a seed, on the CPU."""
        settings = self.settings
        return build_network(settings.architecture, self.seen_shape, classes, *seed, **settings.building)

    def model_of(self, network: Network, *seed: str | int) -> nn.Sequential:
        """A network's layers, for the classes of its task, with weights drawn by a seed, on the CPU."""
        model = self.build(len(self.task(network.target).classes), *seed)
        if network.plan != TRUNCATED:
            return model
        about = (self.seen_shape, self.settings.architecture, seed_for(*seed, "weights", READOUT))
        return truncated(model, network.n, *about)

    @property
    def hyperparameters(self) -> Hyperparameters:
        return self.settings.hyperparameters

    def hyperparameters_of(self, network: Network) -> Hyperparameters:
        """A network's hyperparameters; its iterations may depend on the share of images that it is trained on."""
        task = self.task_of(network)
        return self.hyperparameters.on_share(len(task.training()[0]), len(task.all_training()[0]))

    def with_hyperparameters(self, **changes: Any) -> Self:
        """The same recipe with some hyperparameters changed."""
        return replace(self, settings=replace(self.settings, hyperparameters=replace(self.hyperparameters, **changes)))


def identity_of(recipe: Recipe, network: Network, source_digest: str | None) -> dict[str, Any]:
    """Everything that determines a network; two networks with the same identity are the same network."""
    task = recipe.task(network.target)
    return {
        "network": network.name,
        "split": task.split,
        "seed": recipe.seed,
        "classes": task.class_names,
        **({} if task.images_seed is None else {"images_seed": task.images_seed}),
        "data_set": task.store.name,
        "store_checksum": task.store.checksum,
        **({} if task.image_shape == task.store.image_shape else {"channels": task.channels}),
        **recipe.settings.to_json(),
        **recipe.settings.of_plan(network.plan),
        **_half_of_mean(recipe),
        "source_sha256": source_digest,
    }


def _half_of_mean(recipe: Recipe) -> dict[str, Any]:
    """The images whose mean image is subtracted, if networks of both halves use that of one half."""
    half = recipe.settings.preprocessing.half_of_mean
    if half is None:
        return {}
    task = recipe.task(half)
    return {
        "mean_classes": task.class_names,
        "mean_data_set": task.store.name,
        "mean_store_checksum": task.store.checksum,
    }


def digest_of(identity: Mapping[str, Any]) -> str:
    """SHA-256 of an identity, by which states and finished networks are matched to it."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Running:
    """How to train, as opposed to what: none of this affects the result (on the CPU with equal threads, to the bit).

    Attributes:
        states: the folder for state files.
        device: ``cpu`` or ``cuda``.
        state_every_seconds: time between two states.
        log_every_seconds: time between two lines of progress.
        cache_bytes: a half's images up to this size are kept in the device's memory.
        cuda_graphs: whether a GPU replays a captured iteration, for networks that allow it (`lock_step.replays`).
        say: called with every line of progress.
        watchers: called with the networks' progress at the start, with every line of progress and at the end.
    """

    states: Path
    device: str
    state_every_seconds: float
    log_every_seconds: float
    say: Say
    cache_bytes: float = float("inf")
    cuda_graphs: bool = False
    watchers: Sequence[Callable[[Progress], None]] = ()
