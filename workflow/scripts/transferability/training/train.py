"""Train the networks of a job, a base alone or all depths of a series together, and write their files."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from transferability.data.stream import EvaluationSet
from transferability.files import sha256_of, write_csv, write_json
from transferability.networks.copying import copy_layers, draw_like
from transferability.networks.layer_plan import REINITIALIZED, STATISTICS
from transferability.networks.precision import use_precision
from transferability.process.provenance import provenance, versions
from transferability.process.signals import StopRequest
from transferability.records.checkpoints import save_checkpoint
from transferability.records.states import StateFolder, hold_all
from transferability.results.scores import accuracies_of
from transferability.seeding import seed_for
from transferability.study.compared import (
    TRAINING_CROSS_ENTROPY,
    TRAINING_IMAGES_EVALUATED,
    TRAINING_TOP1,
    VALIDATION_CROSS_ENTROPY,
)
from transferability.study.layout import NetworkFiles
from transferability.study.names import Network
from transferability.training.batch_statistics import frozen_batch_norm, measure_drawn_layer
from transferability.training.evaluation import Evaluation
from transferability.training.images import data_for, training_sample
from transferability.training.learner import HISTORY_COLUMNS, Learner
from transferability.training.lock_step import evaluate_side_by_side, train_in_lock_step
from transferability.training.recipe import Recipe, Running, digest_of, identity_of
from transferability.training.sources import frozen_weights, source_weights, why_large


class TrainingError(RuntimeError):
    """A training that cannot produce a meaningful network."""


def train(recipe: Recipe, files: Mapping[Network, NetworkFiles], source: Path | None, running: Running) -> None:
    """Train networks of one target and one source in lock-step and write their files.

    Networks that an earlier, interrupted or partly deleted run has finished are restored instead of trained again;
    others resume from their last state.

    Args:
        recipe: what to train on and how.
        files: the networks, and where each one's files go.
        source: the checkpoint or published weights to copy from; None for base networks and those with random layers.
        running: device, state files, progress.

    Raises:
        Interrupted: the process was asked to stop; the states are written.
        TrainingError: a loss exploded or is not a number; the other networks are finished and kept.
        ValueError: the networks do not all have the same target, source and number of images.
    """
    if len({(network.target, network.source, network.examples_per_class) for network in files}) > 1:
        names = ", ".join(network.name for network in files)
        raise ValueError(f"{names}: networks of one job must have the same target, source and number of images")
    made_by = provenance(running.device)
    source_digest = sha256_of(source) if source else None
    identities = {network: identity_of(recipe, network, source_digest) for network in files}
    folders = {network: StateFolder(running.states / network.name, digest_of(identities[network])) for network in files}
    by_name = [folders[network] for network in sorted(files, key=lambda network: network.name)]
    with hold_all(by_name, running.say), StopRequest() as stop:
        open_networks = [network for network in files if not folders[network].restore_finished(files[network].all())]
        if len(open_networks) < len(files):
            running.say(_kept_in_words(len(files) - len(open_networks), len(files)))
        if not open_networks:
            return
        first = open_networks[0]
        task, hyperparameters = recipe.task_of(first), recipe.hyperparameters_of(first)
        weights = source_weights(recipe, first, source)
        frozen = frozen_weights(recipe, first, weights, running.device)
        learners = [
            Learner(
                network,
                task,
                _model(recipe, network, weights, frozen, running.device),
                seed=recipe.seed,
                hyperparameters=hyperparameters,
                states=folders[network],
                why_large=why_large(first, source),
            )
            for network in open_networks
        ]
        stream, validation = data_for(task, recipe.settings, recipe.seed, running)
        if first.is_trained:
            train_in_lock_step(learners, stream, validation, running, stop)
            found = _on_training_images(_finished(learners), recipe, running)
        else:
            found = _evaluate_untrained(learners, validation, recipe, running)
        for learner, on_training_images in zip(_finished(learners), found, strict=True):
            network = learner.network
            about = {"identity": identities[network], "made_by": made_by}
            _write(learner, on_training_images, recipe, files[network], **about)
            folders[network].keep_finished(files[network].all())
        failures = [learner.failure for learner in learners if learner.failure is not None]
        if failures:
            kept = len(files) - len(failures)
            others = [f"{kept} of {len(files)} networks are finished and kept"] if len(files) > 1 else []
            raise TrainingError("; ".join([*failures, *others]))


def _finished(learners: Sequence[Learner]) -> list[Learner]:
    return [learner for learner in learners if learner.failure is None]


def _kept_in_words(kept: int, networks: int) -> str:
    if networks == 1:
        return "the network was finished before and is kept"
    return f"{kept} of {networks} networks were finished before and are kept"


def _model(
    recipe: Recipe,
    network: Network,
    copied: Mapping[str, torch.Tensor],
    frozen: Mapping[str, torch.Tensor],
    device: str,
) -> nn.Sequential:
    """A network before its first update, on a device, with its copied and its frozen layers filled in."""
    drawn_by = (recipe.seed, recipe.split.name, network.name)
    model = recipe.model_of(network, *drawn_by)
    plan = network.layer_plans(len(model))[-1]
    copy_layers(copied, model, plan.copied)
    copy_layers(frozen, model, plan.held)
    draw_like(copied, model, plan.drawn_like_source, seed_for(*drawn_by, "weights", STATISTICS))
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if network.plan == REINITIALIZED:
        measure_drawn_layer(recipe, network, model, device)
    return model


def _evaluate_untrained(
    learners: Sequence[Learner], validation: EvaluationSet, recipe: Recipe, running: Running
) -> list[Evaluation]:
    """Evaluate networks in which nothing learns, as their whole history; return their evaluations on training images.

    Those without a finite loss have failed and are left out.
    """
    use_precision(recipe.hyperparameters.precision)
    running.say(f"evaluating {', '.join(learner.network.name for learner in learners)}, in which nothing is trained")
    started = time.monotonic()
    found = evaluate_side_by_side(learners, validation)
    for learner in learners:
        learner.seconds += (time.monotonic() - started) / len(learners)
    on_training_images = _on_training_images(learners, recipe, running)
    for learner, one, other in zip(learners, found, on_training_images, strict=True):
        learner.record_untrained(one, other.loss)
    return [found for learner, found in zip(learners, on_training_images, strict=True) if learner.failure is None]


def _on_training_images(learners: Sequence[Learner], recipe: Recipe, running: Running) -> list[Evaluation]:
    """Evaluate a job's finished learners on the sample of the images that they were trained on."""
    if not learners:
        return []
    started = time.monotonic()
    about = (recipe.settings.preprocessing, recipe.seed, running.device)
    found = evaluate_side_by_side(learners, training_sample(learners[0].task, *about))
    for learner in learners:
        learner.seconds += (time.monotonic() - started) / len(learners)
    return found


def _write(
    learner: Learner,
    on_training_images: Evaluation,
    recipe: Recipe,
    files: NetworkFiles,
    *,
    identity: Mapping[str, Any],
    made_by: Mapping[str, Any],
) -> None:
    network, half_of_mean = learner.network, recipe.settings.preprocessing.half_of_mean
    save_checkpoint(files.checkpoint, learner.model.state_dict(), {**identity, "versions": versions()})
    rows = [tuple(evaluation[column] for column in HISTORY_COLUMNS) for evaluation in learner.history]
    write_csv(files.history, HISTORY_COLUMNS, rows)
    metrics = {
        "split": identity["split"],
        "split_type": recipe.split.split_type,
        **network.facts,
        "seed": identity["seed"],
        **frozen_batch_norm(learner.model, network, identity),
        **learner.guessing,
        "lowest_training_loss": learner.lowest_training_loss,
        "iterations": learner.iteration,
        "evaluations": len(learner.history),
        **accuracies_of(learner.history),
        VALIDATION_CROSS_ENTROPY: learner.history[-1]["validation_loss"],
        TRAINING_CROSS_ENTROPY: on_training_images.loss,
        TRAINING_TOP1: on_training_images.top1,
        TRAINING_IMAGES_EVALUATED: on_training_images.images,
        "identity": digest_of(identity),
        "made_from": dict(identity),
        "sha256": sha256_of(files.checkpoint),
        "store": learner.task.store.folder,
        **({"mean_store": recipe.task(half_of_mean).store.folder} if half_of_mean else {}),
        **made_by,
        "seconds": round(learner.seconds, 3),
    }
    write_json(files.metrics, metrics)
