"""Paths of those files of a study that both rules and scripts use."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transferability.study.names import Network


def study_folder(config: Mapping[str, Any]) -> Path:
    """Where all outputs of a study are."""
    return Path(config["results"], config["study"])


def states_folder(config: Mapping[str, Any], split: str, seed: str | int) -> Path:
    """Where the training states of a split and seed are, outside the outputs of any rule."""
    return study_folder(config) / "states" / split / f"seed{seed}"


def event_folder(config: Mapping[str, Any], split: str, seed: str | int) -> Path:
    """Where TensorBoard finds the learning curves of a split and seed."""
    return study_folder(config) / "tensorboard" / split / f"seed{seed}"


def benchmark_file(config: Mapping[str, Any], split: str, seed: str | int, job: str) -> Path:
    """What Snakemake measured about a training job."""
    return study_folder(config) / "benchmarks" / split / f"seed{seed}" / f"{job}.tsv"


@dataclass(frozen=True)
class NetworkFiles:
    """A finished network's files: weights, one row per evaluation, and its accuracies with what produced them."""

    checkpoint: Path
    history: Path
    metrics: Path

    @classmethod
    def beside(cls, checkpoint: Path) -> "NetworkFiles":
        stem = checkpoint.name.removesuffix(".safetensors")
        return cls(
            checkpoint, checkpoint.with_name(f"{stem}.history.csv"), checkpoint.with_name(f"{stem}.metrics.json")
        )

    @property
    def network(self) -> Network:
        return Network.parse(self.checkpoint.name.removesuffix(".safetensors"))

    def all(self) -> tuple[Path, Path, Path]:
        return self.checkpoint, self.history, self.metrics
