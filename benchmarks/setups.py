"""What the training benchmarks train: the networks and image sizes of the shipped studies, on made-up images."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from transferability.study.design import read_study
from transferability.study.settings import Hyperparameters

ROOT = Path(__file__).parents[1]
LAYOUTS = ("contiguous_format", "channels_last")  # memory layouts of images and weights, for a plain loop
STORED = "stored_"  # prefix of a job whose images are read from the store


@dataclass(frozen=True)
class Setup:
    """A network, its images and its study's batch size.

    Attributes:
        stored: the side of the images in the store, in pixels.
        crop: the side of what the network sees, in pixels; 0 for the whole image.
        cpu_batch: the batch size on a CPU, where the study's would take minutes.
        per_class: how many training images of each class the benchmark makes.
        iterations: the iterations of one network in the study.
    """

    architecture: str
    stored: int
    channels: int
    crop: int
    classes: int
    batch: int
    cpu_batch: int
    per_class: int
    iterations: int
    suffix: str

    @property
    def mirror(self) -> bool:
        return self.crop > 0

    @property
    def seen_shape(self) -> tuple[int, int, int]:
        side = self.crop or self.stored
        return side, side, self.channels

    def batch_on(self, device: str) -> int:
        return self.cpu_batch if device == "cpu" else self.batch


SETUPS = {
    "glyphs": Setup("mini_caffenet", 24, 1, 0, 32, 64, 64, 150, 500, ".png"),
    "tiny-imagenet": Setup("mini_caffenet", 32, 3, 28, 100, 128, 128, 50, 12_000, ".jpg"),
    "imagenet": Setup("caffenet", 256, 3, 227, 500, 256, 16, 4, 450_000, ".jpg"),
}


def wanted_setups() -> list[str]:
    """The setups that the command line names after the file of results, or all."""
    return [name for name in sys.argv[2:] if name in SETUPS] or list(SETUPS)


def default_settings() -> Hyperparameters:
    """The hyperparameters with which the default study trains a base."""
    return read_study(yaml.safe_load((ROOT / "config.yaml").read_text())).settings("base").hyperparameters


def write_images(setup: Setup, root: Path) -> None:
    """Make folders ``train`` and ``val`` with a folder per class, of smoothed noise, for files as large as photos'."""
    random = np.random.default_rng(0)
    for part, per_class in (("train", setup.per_class), ("val", 1)):
        for number in range(setup.classes):
            folder = root / part / f"class{number:03}"
            folder.mkdir(parents=True)
            for image in range(per_class):
                photo_like(setup, random).save(folder / f"{image}{setup.suffix}")


def photo_like(setup: Setup, random: np.random.Generator) -> Image.Image:
    coarse = random.integers(0, 256, (setup.stored // 8, setup.stored // 8, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).convert("L" if setup.channels == 1 else "RGB").resize((setup.stored, setup.stored))
    pixels = np.asarray(smooth, dtype=int)
    return Image.fromarray((pixels + random.integers(-12, 13, pixels.shape)).clip(0, 255).astype(np.uint8))


def networks_of(job: str) -> Sequence[str]:
    """Names of the networks of a job: ``base``, or a ``frozen`` or ``fine_tuned`` series of seven; `STORED` or not."""
    return {
        "base": ["basewhole"],
        "frozen": [f"R{n}whole" for n in range(1, 8)],
        "fine_tuned": [f"R{n}whole+" for n in range(1, 8)],
    }[job.removeprefix(STORED)]
