"""Where the files of a study lie that rules and scripts both name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def study_folder(config: Mapping[str, Any]) -> Path:
    """Where all outputs of a study are."""
    return Path(config["results"], config["study"])


def states_folder(config: Mapping[str, Any], split: str, seed: str | int) -> Path:
    """Where the training states of a split and seed are, outside of the outputs of any rule."""
    return study_folder(config) / "states" / split / f"seed{seed}"


def event_folder(config: Mapping[str, Any], split: str, seed: str | int) -> Path:
    """Where TensorBoard finds the learning curves of a split and seed."""
    return study_folder(config) / "tensorboard" / split / f"seed{seed}"


def benchmark_file(config: Mapping[str, Any], split: str, seed: str | int, job: str) -> Path:
    """What Snakemake measured of a training job."""
    return study_folder(config) / "benchmarks" / split / f"seed{seed}" / f"{job}.tsv"
