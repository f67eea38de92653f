"""What several tests need: where the project lies, a tiny data set, and names with their files."""

import os
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from transferability.records.states import StateFolder, TrainingState
from transferability.store.source import ImageClass, Sample
from transferability.study.layout import NetworkFiles
from transferability.study.names import Network
from transferability.training.recipe import Recipe, Running
from transferability.training.train import train

ROOT = Path(__file__).parents[1]
DEFAULT_STUDY = yaml.safe_load((ROOT / "config.yaml").read_text())
# The default config without the default study's tuned settings, because tests count its networks and iterations.
DEFAULT = DEFAULT_STUDY | {
    "splits": ["random0", {"name": "letters_symbols", "A": "letter", "B": "symbol"}],
    "networks": DEFAULT_STUDY["networks"] | {"depths": [1, 2, 3, 4, 5, 6, 7], "fine_tuned_depths": []},
    "training": DEFAULT_STUDY["training"] | {"iterations": 500, "evaluate_every": 40},
}


@dataclass(frozen=True)
class Patterns:
    """A data set of noisy random patterns, one per class: about the smallest that can be learned."""

    class_count: int = 6
    training_per_class: int = 12
    validation_per_class: int = 5
    image_shape: tuple[int, int, int] = (16, 16, 1)
    name: str = "patterns"
    classes: tuple[ImageClass, ...] = field(init=False)
    training: tuple[Sample, ...] = field(init=False)
    validation: tuple[Sample, ...] = field(init=False)

    def __post_init__(self) -> None:
        count = self.class_count
        classes = tuple(ImageClass(f"class {i:03}", ("even", "odd")[i % 2]) for i in range(count))
        object.__setattr__(self, "classes", classes)
        for part, per_class in (("training", self.training_per_class), ("validation", self.validation_per_class)):
            samples = tuple(Sample(i % count, f"{part} {i}") for i in range(count * per_class))
            object.__setattr__(self, part, samples)

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        samples = [*self.training, *self.validation]
        return np.stack([self._image(i, samples[i].label) for i in range(start, stop)])

    def _image(self, index: int, label: int) -> NDArray[np.uint8]:
        pattern = np.random.default_rng([1, label]).integers(0, 200, self.image_shape)
        noise = np.random.default_rng([2, index]).integers(0, 56, self.image_shape)
        return (pattern + noise).astype(np.uint8)


def files_in(folder: Path, *names: str) -> dict[Network, NetworkFiles]:
    return {Network.parse(name): NetworkFiles.beside(folder / f"{name}.safetensors") for name in names}


def with_settings(recipe: Recipe, **changes: object) -> Recipe:
    """The same with another architecture or preprocessing."""
    return replace(recipe, settings=replace(recipe.settings, **changes))


def running_in(folder: Path, state_every_seconds: float = 60.0) -> Running:
    """On a CPU, in silence, with states in the folder."""
    return Running(folder / "states", "cpu", state_every_seconds, 60.0, lambda _line: None)


def train_bases(recipe: Recipe, folder: Path) -> Path:
    """Train baseA and baseB into a folder, which is returned."""
    for name in ("baseA", "baseB"):
        train(recipe, files_in(folder, name), None, running_in(folder))
    return folder


def flip(path: Path, position: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def dying_after(iterations: int) -> type[StateFolder]:
    """States whose training dies once it has written the one after this many iterations."""

    class Dying(StateFolder):
        def save(self, state: TrainingState) -> None:
            super().save(state)
            if state.iteration == iterations:
                raise KeyboardInterrupt

    return Dying


def train_until_it_dies(dying: type[StateFolder], *job: object) -> None:
    """Train a job, given as to `train`, until its states, which are of the class ``dying``, end it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transferability.training.train.StateFolder", dying)
        with pytest.raises(KeyboardInterrupt):
            train(*job)


def die_at_write(count: int) -> None:
    """Make this process kill itself at its ``count``-th file, when that is written but not yet in its place."""
    written = 0

    def fsync(_descriptor: int) -> None:
        nonlocal written
        written += 1
        if written == count:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = fsync
