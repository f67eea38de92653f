"""The checks on one network of a finished study: its files, its frozen layers, its accuracy."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from transferability.data.tasks import Task
from transferability.files import read_json, sha256_of
from transferability.inspection.findings import Finding, VerificationError, failures, verified
from transferability.inspection.rounding import made_as_here, tolerance_of_accuracies, tolerance_of_statistics
from transferability.networks.copying import copy_layers, some_layers
from transferability.records.checkpoints import load_weights, read_about
from transferability.results.accuracies import METRICS
from transferability.results.scores import accuracies_of
from transferability.study.compared import (
    BALANCED,
    TRAINING_CROSS_ENTROPY,
    TRAINING_IMAGES_EVALUATED,
    TRAINING_TOP1,
    VALIDATION_CROSS_ENTROPY,
)
from transferability.study.layout import NetworkFiles
from transferability.study.names import PRETRAINED_SOURCE, Network
from transferability.study.settings import FROZEN_BATCH_NORM
from transferability.training.batch_statistics import Measure, frozen_batch_norm, measured
from transferability.training.evaluation import evaluate
from transferability.training.recipe import Recipe, identity_of
from transferability.training.sources import frozen_weights, source_weights

MEASURED = ("running_mean", "running_var")  # batch norm statistics


@dataclass(frozen=True)
class NetworkCheck:
    """A network of the study and the checks on its files.

    Attributes:
        recipe: how the network is trained.
        files: the paths of its files.
        measure: the function that measures the batch norm statistics of frozen layers that do not use their source's.
        weights_file: the study's published weights, if it has any.
    """

    recipe: Recipe
    files: NetworkFiles
    measure: Measure = measured
    weights_file: Path | None = None

    @property
    def network(self) -> Network:
        return self.files.network

    @property
    def task(self) -> Task:
        return self.recipe.task_of(self.network)

    @property
    def source(self) -> Path | None:
        """The checkpoint or published weights that its layers are copied from; None if there are none."""
        if self.network.source == PRETRAINED_SOURCE:
            return self.weights_file
        if self.network.base is None:
            return None
        return self.files.checkpoint.with_name(f"{self.network.base.name}.safetensors")

    @cached_property
    def weights(self) -> dict[str, torch.Tensor]:
        return load_weights(self.files.checkpoint)

    def findings(self, evaluated: bool) -> Iterator[Finding]:
        """Run the checks on the network, with an evaluation only if requested; unreadable weights end them early."""
        yield verified(str(self.files.checkpoint), self.check_checkpoint)
        yield verified(str(self.files.history), self.check_history)
        yield verified(str(self.files.metrics), self.check_metrics)
        if failures([verified("weights", lambda: self.weights)]):
            return
        if self.network.frozen:
            yield verified(f"{self.files.checkpoint}: frozen layers", self.check_frozen_layers)
        if evaluated:
            yield verified(f"{self.files.checkpoint}: accuracy", self.check_accuracy)

    def check_checkpoint(self) -> None:
        """Check that the checkpoint is readable, undamaged, and made from what the study says."""
        about = read_about(self.files.checkpoint)
        for key, value in self._identity.items():
            _require_equal(key, about.get(key), value)
        self._model.load_state_dict(self.weights)
        learned = self._model.state_dict(keep_vars=True).items()
        bad = [name for name, tensor in learned if isinstance(tensor, nn.Parameter) and not tensor.isfinite().all()]
        if bad:
            raise VerificationError(f"{bad[0]} has weights that are not finite")

    def check_history(self) -> None:
        """Check that the history has one row per evaluation, and that the metrics match it."""
        with self.files.history.open(encoding="utf-8", newline="") as file:
            history = [
                {key: float(value) if value else None for key, value in row.items()} for row in csv.DictReader(file)
            ]
        metrics = read_json(self.files.metrics)
        expected = self.recipe.hyperparameters_of(self.network)
        steps = [i for i in range(1, expected.iterations + 1) if expected.evaluates_after(i)]
        steps = steps if self.network.is_trained else [0]
        if [row["iteration"] for row in history] != steps:
            raise VerificationError("it does not have one row for each evaluation")
        for name, value in (
            *accuracies_of(history).items(),
            (VALIDATION_CROSS_ENTROPY, history[-1]["validation_loss"]),
            ("lowest_training_loss", min(row["training_loss"] or 0.0 for row in history)),
        ):
            if metrics.get(name) != value:
                raise VerificationError(f"its {name} is {value}, in {self.files.metrics.name} {metrics.get(name)}")

    def check_metrics(self) -> None:
        """Check that the metrics are those of this network and made from the same things as its checkpoint."""
        metrics = read_json(self.files.metrics)
        identity = self._identity
        facts = {
            **self.network.facts,
            "split": self.recipe.split.name,
            "split_type": self.recipe.split.split_type,
            "seed": self.recipe.seed,
            "made_from": identity,
        }
        for key, value in facts.items():
            _require_equal(key, metrics[key], value)
        found = metrics.get(FROZEN_BATCH_NORM)  # networks trained before it was recorded have none
        expected = frozen_batch_norm(self._model, self.network, identity).get(FROZEN_BATCH_NORM)
        if found is not None:
            _require_equal(FROZEN_BATCH_NORM, found, expected)
        for name in METRICS:
            if name in BALANCED and metrics.get(name) is None:  # trained before it was recorded
                continue
            if not 0 <= metrics[name] <= 1:
                raise VerificationError(f"its {name} is {metrics[name]!r}, not from 0 to 1")
        sample = len(self.task.training_sample(self.recipe.seed)[0])
        _require_equal(TRAINING_IMAGES_EVALUATED, metrics[TRAINING_IMAGES_EVALUATED], sample)

    def check_frozen_layers(self) -> None:
        """Check that frozen layers equal their source's to the bit; statistics measured elsewhere only nearly do."""
        expected = self._model
        held = self.network.layer_plans(len(expected))[-1].held
        weights = source_weights(self.recipe, self.network, self.source)
        frozen = frozen_weights(self.recipe, self.network, weights, "cpu", self.measure)
        copy_layers(frozen, expected, held)
        found = self.weights
        for key, tensor in some_layers(expected, held).state_dict().items():
            if torch.equal(tensor, found[key]) or self._is_rounded(key, tensor):
                continue
            raise VerificationError(f"{key} is frozen, but not what it is in {self._source_name}")

    def _is_rounded(self, key: str, tensor: torch.Tensor) -> bool:
        """Whether a statistic differs only as much as one measured on another device may.

        The tolerance is relative to the standard deviation for means and to the variance for variances.
        """
        if not key.endswith(MEASURED) or self._made_as_here:
            return False
        variance = self.weights[f"{key.rpartition('.')[0]}.running_var"]
        unit = variance.sqrt() if key.endswith("mean") else variance
        tolerance = tolerance_of_statistics(self.recipe.hyperparameters.precision)
        return bool(((tensor - self.weights[key]).abs() <= tolerance * unit + 1e-6).all())

    def check_accuracy(self) -> None:
        """Check the recorded accuracies and losses against an evaluation of the weights.

        They must be equal if the network was trained on a CPU under the conditions of this process, and otherwise
        nearly equal; the tolerance for losses above 1 is relative.
        """
        metrics = read_json(self.files.metrics)
        found, on_training = evaluate(self.recipe, self.network, self.weights, "cpu")
        tolerance = 0.0 if self._made_as_here else tolerance_of_accuracies(self.recipe.hyperparameters.precision)
        checks = [("top1_final", found.top1, tolerance), ("top5_final", found.top5, tolerance)]
        if metrics.get("balanced_final") is not None:  # otherwise, trained before it was recorded
            checks.append(("balanced_final", found.balanced, tolerance * self._most_of_an_image))
        checks += [
            (VALIDATION_CROSS_ENTROPY, found.loss, tolerance * max(1, found.loss)),
            (TRAINING_CROSS_ENTROPY, on_training.loss, tolerance * max(1, on_training.loss)),
            (TRAINING_TOP1, on_training.top1, tolerance),
        ]
        for name, value, allowed in checks:
            if abs(metrics[name] - value) > allowed:
                raise VerificationError(f"evaluated again, its {name} is {value}, recorded is {metrics[name]}")

    @cached_property
    def _model(self) -> nn.Sequential:
        """The network as built; each check loads the weights that it needs."""
        return self.recipe.model_of(self.network)

    @cached_property
    def _made_as_here(self) -> bool:
        """Whether it was trained on a CPU with the versions and threads of this process."""
        return made_as_here(read_json(self.files.metrics))

    @property
    def _most_of_an_image(self) -> float:
        """How much more an image of the rarest class counts in balanced accuracy than an image in top-1."""
        images = np.bincount(self.task.validation()[1])
        images = images[images > 0]
        return float(images.mean() / images.min())

    @property
    def _source_name(self) -> str:
        return self.source.name if self.source else "the untrained network of its split and seed"

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return identity_of(self.recipe, self.network, sha256_of(self.source) if self.source else None)


def _require_equal(key: str, found: object, expected: object) -> None:
    if found != expected:
        raise VerificationError(f"its {key} is {found!r}, not {expected!r}")
