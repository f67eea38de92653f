"""What a GPU check trains: the networks of two shipped studies on made-up images, or tiny ones in a rehearsal."""

from pathlib import Path

from gpu_rows import READY, rehearsing, scratch, wait_for
from lock_step import recipe_of
from setups import SETUPS, Setup, write_images

from transferability.training.recipe import Recipe

REAL = {"small": SETUPS["tiny-imagenet"], "large": SETUPS["imagenet"]}
TINY = {
    "small": Setup("mini_caffenet", 32, 3, 28, 4, 2, 2, 4, 12_000, ".jpg"),
    "large": Setup("mini_caffenet", 40, 3, 32, 4, 2, 2, 4, 450_000, ".jpg"),  # seven of caffenet are gigabytes
}


def setups() -> dict[str, Setup]:
    return TINY if rehearsing() else REAL


def seconds_of_a_measurement() -> float:
    return 0.05 if rehearsing() else 1.5


def make_images(name: str) -> Path:
    """Make a setup's images and their store, and return their folder."""
    folder = scratch() / f"images_{name}"
    write_images(setups()[name], folder)
    recipe_of(setups()[name], folder, "cpu", "float32")
    (folder / READY).touch()
    return folder


def images_of(name: str) -> Path:
    """A setup's folder of images, which is made before the steps that measure."""
    folder = scratch() / f"images_{name}"
    if not wait_for(folder, 10):
        raise FileNotFoundError(f"{folder} is not complete: see the step prepare")
    return folder


def recipe_for(name: str, device: str, precision: str) -> Recipe:
    """How to train a setup; always in float32 in a rehearsal on a CPU, because many CPUs only emulate bfloat16."""
    if rehearsing() and device == "cpu":
        precision = "float32"
    return recipe_of(setups()[name], images_of(name), device, precision)
