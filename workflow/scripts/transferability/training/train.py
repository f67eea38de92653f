"""Train networks in lock-step: a base alone, or all depths of a series together.

The networks of a job see the same batches. What they have in common is computed once a batch: reading and
cropping the images, and the forward pass of the frozen layers that they share. Everything else is each network's
own, so that a network's weights do not depend on what is trained beside it.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from transferability.data.splits import Split, first_of_each_class, samples_of
from transferability.data.stream import ImageLoader, Preprocessing, TrainingStream, ValidationSet, mean_image
from transferability.files import sha256_of, write_csv, write_json
from transferability.networks.build import build_network, first_stochastic_layer
from transferability.networks.copying import buffers_that_move, copy_layers, freeze_layers, training_mode
from transferability.networks.forward import features_at, logits_of
from transferability.networks.precision import use_precision
from transferability.process.provenance import device_name, provenance, versions
from transferability.process.signals import Interrupted, StopRequest
from transferability.records.checkpoints import load_weights, read_about, save_checkpoint
from transferability.records.progress import Progress
from transferability.records.states import StateFolder, TrainingState, hold_all
from transferability.results.scores import accuracies_of, balanced_accuracy, loss_and_hits
from transferability.seeding import seed_for
from transferability.store.reading import Store
from transferability.study.layout import NetworkFiles
from transferability.study.names import RANDOM_SOURCE, Network
from transferability.study.settings import ENGINE_VERSION, Hyperparameters
from transferability.training.graphs import Replayed, side_by_side
from transferability.training.optimiser import CaffeSGD
from transferability.words import plural

VALIDATION_BATCH = 400
# A mean training loss of so many times that of a uniform guess, log(classes), is an explosion if it does not come down.
EXPLOSION = 100
HISTORY_COLUMNS = (
    "iteration",
    "learning_rate",
    "training_loss",
    "validation_loss",
    "validation_top1",
    "validation_top5",
    "validation_balanced",
)


class TrainingError(RuntimeError):
    """A training that cannot give a meaningful network."""


@dataclass(frozen=True)
class Recipe:
    """All that shapes the networks of one split and seed, apart from their names and sources."""

    store: Store
    split: Split
    seed: int
    architecture: str
    preprocessing: Preprocessing
    hyperparameters: Hyperparameters

    @property
    def seen_shape(self) -> tuple[int, int, int]:
        return self.preprocessing.seen_shape(self.store.image_shape)


@dataclass(frozen=True)
class Running:
    """How to train, as opposed to what: none of this shapes the result (on the CPU with as many threads, not by a bit).

    Attributes:
        states: the folder for state files.
        device: ``cpu`` or ``cuda``.
        state_seconds: time between two states.
        report_seconds: time between two lines of progress.
        resident_bytes: images of a half up to this size are held in the device's memory.
        cuda_graphs: whether a GPU replays a recorded update; networks with dropout draw anew and never do.
        say: called with every line of progress.
        watchers: called with where the networks stand, at the beginning, with every line of progress and at the end.
    """

    states: Path
    device: str
    state_seconds: float
    report_seconds: float
    say: Callable[[str], None]
    resident_bytes: float = float("inf")
    cuda_graphs: bool = False
    watchers: Sequence[Callable[[Progress], None]] = ()


def train(recipe: Recipe, files: Mapping[Network, NetworkFiles], source: Path | None, running: Running) -> None:
    """Train networks of one target and one source in lock-step and write their files.

    Networks that an earlier, interrupted or partly deleted run has finished are put back instead of trained again;
    others go on from their last state.

    Args:
        recipe: what to train on and how.
        files: the networks, and where each one's files go.
        source: the checkpoint copied from; None for base networks and for those with random layers.
        running: device, state files, progress.

    Raises:
        Interrupted: the process was asked to stop; the states are written.
        TrainingError: a loss exploded or is not a number; the other networks are finished and kept.
        ValueError: the networks have not all the same target, source and number of images.
    """
    if len({(network.target, network.source, network.examples_per_class) for network in files}) > 1:
        names = ", ".join(network.name for network in files)
        raise ValueError(f"{names}: networks of one job must have the same target, source and number of images")
    made_by = provenance(running.device)
    source_digest = sha256_of(source) if source else None
    identities = {network: identity_of(recipe, network, source_digest) for network in files}
    folders = {network: StateFolder(running.states / network.name, _digest(identities[network])) for network in files}
    by_name = [folders[network] for network in sorted(files, key=lambda network: network.name)]
    with hold_all(by_name, running.say), StopRequest() as stop:
        open_networks = [network for network in files if not folders[network].restore_finished(files[network].all())]
        if len(open_networks) < len(files):
            running.say(_kept_in_words(len(files) - len(open_networks), len(files)))
        if not open_networks:
            return
        given = _Source(source_weights(recipe, open_networks[0], source), _why_large(open_networks[0], source))
        pupils = [_Pupil(recipe, network, given, folders[network], running.device) for network in open_networks]
        _train_in_lock_step(recipe, pupils, running, stop)
        for pupil in pupils:
            if pupil.failure is None:
                _write(pupil, recipe, files[pupil.network], identities[pupil.network], made_by)
                folders[pupil.network].keep_finished(files[pupil.network].all())
        failures = [pupil.failure for pupil in pupils if pupil.failure is not None]
        if failures:
            kept = len(files) - len(failures)
            others = [f"{kept} of {len(files)} networks are finished and kept"] if len(files) > 1 else []
            raise TrainingError("; ".join([*failures, *others]))


def _kept_in_words(kept: int, networks: int) -> str:
    if networks == 1:
        return "the network was finished before and is kept"
    return f"{kept} of {networks} networks were finished before and are kept"


class _Source(NamedTuple):
    """What the networks of a job copy layers from, and where a large loss before the first update would come from."""

    weights: Mapping[str, torch.Tensor]
    why_large: str


class _Pupil:
    """A network in training."""

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        source: "_Source",
        states: StateFolder,
        device: str,
    ) -> None:
        classes = len(recipe.split.halves[network.target])
        self.network = network
        self.key = (recipe.seed, recipe.split.name, network.name)
        self.model = build_network(recipe.architecture, recipe.seen_shape, classes, *self.key)
        copy_layers(source.weights, self.model, network.copied)
        self._layers = hashlib.sha256(repr(self.model).encode()).hexdigest()
        self.model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        freeze_layers(self.model, network.frozen)
        stochastic = first_stochastic_layer(self.model)
        self.shared_depth = min(network.frozen, stochastic)
        self._own_layers = list(self.model)[self.shared_depth :]
        self.has_dropout = stochastic < len(self.model)
        self._settings = recipe.hyperparameters
        self._optimiser = CaffeSGD(self.model, recipe.hyperparameters)
        self._states = states
        self.updates = 0
        self.failure: str | None = None  # why it cannot go on
        self._source = source
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self._losses: list[float] = []  # of the updates since the last evaluation
        self._unread_losses: list[torch.Tensor] = []  # the latest of them, which the device may still be computing
        self._exploded = EXPLOSION * math.log(classes)
        self._first_loss = 0.0  # before the first update
        self._go_on(states.load())

    def update(self, features: torch.Tensor, targets: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
        """One update on a batch, and its loss; ``features`` is what the shared layers make of the images."""
        if self.has_dropout:
            torch.manual_seed(seed_for(*self.key, "dropout", self.updates))
        loss = nn.functional.cross_entropy(self.logits(features), targets)
        self._optimiser.step(loss, rate)
        return loss.detach()

    def note(self, loss: torch.Tensor) -> None:
        """Count an update."""
        self._unread_losses.append(loss)
        self.updates += 1

    def _losses_since_evaluation(self) -> list[float]:
        """Waits for the device."""
        if self._unread_losses:
            self._losses += torch.stack(self._unread_losses).tolist()
            self._unread_losses.clear()
        if self._losses and self.updates == len(self._losses):
            self._first_loss = self._losses[0]
        return self._losses

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """B x classes, float32."""
        return logits_of(self._own_layers, features, self._settings.precision)

    def training_mode(self) -> None:
        """As `networks.copying.training_mode`."""
        training_mode(self.model, self.network.frozen)

    def validation_mode(self) -> None:
        self.model.eval()

    def record(self, loss: float, top1: float, top5: float, balanced: float) -> None:
        """Add an evaluation to the history, or note a failure if the loss has exploded since the last one."""
        training_loss = fmean(self._losses_since_evaluation())
        if not math.isfinite(loss) or self._has_exploded(loss, ends=self.updates == self._settings.iterations):
            self.failure = self._explosion(loss)
            return
        rate = self._settings.rate_at(self.updates - 1)
        row = (self.updates, rate, training_loss, loss, top1, top5, balanced)
        self.history.append(dict(zip(HISTORY_COLUMNS, row, strict=True)))
        self._losses.clear()

    def _has_exploded(self, now: float, ends: bool = False) -> bool:
        """Whether the losses since the last evaluation, and the loss now, are such as no training brings down.

        A loss before the first update, as of a base's large features, is none of training's doing: only what is larger
        still is an explosion, unless training ends without having brought it down.
        """
        mean = fmean(self._losses)
        if not math.isfinite(mean):  # weights that are not numbers never get better
            return True
        given = 0.0 if ends else self._first_loss
        return min(mean, now) >= self._exploded and min(mean, now) > given

    def _explosion(self, validation_loss: float) -> str:
        """What went wrong at which iteration."""
        since = self.updates - len(self._losses)
        good = [i for i, loss in enumerate(self._losses, start=since + 1) if loss < self._exploded]
        iteration = min(max(good, default=since) + 1, self.updates)  # since which it has not been good
        loss = validation_loss if iteration in good else self._losses[iteration - since - 1]
        where = f"{self.network.name}: the loss is {loss:g} at iteration {iteration}"
        rate = f"({self._settings.learning_rate:g})"
        if not self._first_loss < self._exploded:  # of the weights and images as they were given
            before = ", before any update"
            if iteration > 1:
                before = f" and was {self._first_loss:g} before the first update"
            return f"{where}{before}: {self._source.why_large}, or its own {rate}"
        return f"{where}; lower its learning rate {rate}"

    def save_state(self) -> None:
        """Keep where the network stands, unless it has failed or is about to."""
        trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        losses = self._losses_since_evaluation()
        exploded = bool(losses) and self._has_exploded(losses[-1])
        if self.failure is not None or exploded or not all(p.isfinite().all() for p in trained.values()):
            return
        tensors = (
            {f"weights.{name}": p for name, p in trained.items()}
            | {f"buffers.{name}": b for name, b in buffers_that_move(self.model, self.network.frozen).items()}
            | {f"momentum.{name}": b for name, b in self._optimiser.buffers.items()}
        )
        progress = {
            "layers": self._layers,
            "history": self.history,
            "losses": losses,
            "first_loss": self._first_loss,
            "seconds": self.seconds,
        }
        self._states.save(TrainingState(self._states.identity, self.updates, tensors, progress))

    def _go_on(self, state: TrainingState | None) -> None:
        if state is None or "losses" not in state.progress:  # of an earlier version
            return
        if state.progress.get("layers") != self._layers:  # the architecture's code was edited
            return
        trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        with torch.no_grad():
            for prefix, targets in (
                ("weights", trained),
                ("buffers", buffers_that_move(self.model, self.network.frozen)),
                ("momentum", self._optimiser.buffers),
            ):
                for name, tensor in targets.items():
                    tensor.copy_(state.tensors[f"{prefix}.{name}"])
        self.updates = state.updates
        self.history = list(state.progress["history"])
        self.seconds = state.progress["seconds"]
        self._losses = list(state.progress["losses"])
        self._first_loss = state.progress.get("first_loss", 0.0)  # an earlier version's states lack it


def _why_large(network: Network, source: Path | None) -> str:
    """What a network's large loss before its first update comes from, and what to do about it."""
    if network.base is None or source is None:
        return "the images or the weights as drawn are too large; raise preprocessing.scale, or lower a learning rate"
    rate = read_about(source)["hyperparameters"]["learning_rate"]
    base = f"base{network.base}"
    return f"the features of {base}'s layers are too large; lower the learning rate of base networks ({rate:g})"


class _SharedLayers:
    """The frozen layers that several networks have in common, run once a batch and never with gradients."""

    def __init__(self, pupils: Sequence[_Pupil], precision: str) -> None:
        self._depths = {pupil.shared_depth for pupil in pupils}
        deepest = max(pupils, key=lambda pupil: pupil.shared_depth)
        self._layers = deepest.model[: deepest.shared_depth].eval()
        self._precision = precision

    def features(self, images: torch.Tensor) -> dict[int, torch.Tensor]:
        """What comes out of the first k layers, for every k that a network wants."""
        with torch.no_grad():
            return features_at(self._depths, self._layers, images, self._precision)


class _LockStep:
    """One update after another of all the networks that learn."""

    def __init__(self, shared: _SharedLayers, settings: Hyperparameters, running: Running) -> None:
        self._shared = shared
        self._settings = settings
        self._running = running
        self._learning: list[_Pupil] = []
        self._updates: Callable[..., torch.Tensor]  # of those that learn; there is always one

    def update(self, learning: list[_Pupil], iteration: int, images: torch.Tensor, targets: torch.Tensor) -> None:
        if learning != self._learning:
            self._learning = learning
            # Nothing here refers to itself: a recorded graph must be gone before the next one is recorded.
            update_all = partial(_update_all, self._shared, learning)
            self._updates = Replayed(update_all) if _replays(learning, self._running) else update_all
        rate = torch.full((), self._settings.rate_at(iteration), device=images.device)
        losses = self._updates(images, targets, rate).clone()
        for pupil, loss in zip(learning, losses, strict=True):
            pupil.note(loss)


def _update_all(
    shared: _SharedLayers,
    pupils: Sequence[_Pupil],
    images: torch.Tensor,
    targets: torch.Tensor,
    rate: torch.Tensor,
) -> torch.Tensor:
    features = shared.features(images)
    updates = [partial(pupil.update, features[pupil.shared_depth], targets, rate) for pupil in pupils]
    return torch.stack(side_by_side(updates))


def _replays(learning: Sequence[_Pupil], running: Running) -> bool:
    return running.cuda_graphs and running.device == "cuda" and not any(pupil.has_dropout for pupil in learning)


def _train_in_lock_step(recipe: Recipe, pupils: Sequence[_Pupil], running: Running, stop: StopRequest) -> None:
    use_precision(recipe.hyperparameters.precision)
    torch.backends.cudnn.benchmark = not torch.are_deterministic_algorithms_enabled()  # of a GPU's kernels, the fastest
    stream, validation = _data(recipe, pupils[0].network, running)
    iterations = recipe.hyperparameters.iterations
    first = min(pupil.updates for pupil in pupils)
    if first:
        running.say(f"going on from iteration {first}")
    shared = _SharedLayers(pupils, recipe.hyperparameters.precision)
    lock_step = _LockStep(shared, recipe.hyperparameters, running)
    running.say(
        f"training {len(pupils)} {plural(len(pupils), 'network')} for half {pupils[0].network.target} of "
        f"{recipe.split.name} on {device_name(running.device)}: {', '.join(pupil.network.name for pupil in pupils)}"
    )
    reports = _Reports(recipe.hyperparameters, pupils, first, running)
    last_state = time.monotonic()
    for pupil in pupils:
        pupil.training_mode()
    for iteration in range(first, iterations):
        # A network whose state is newer than a sibling's waits until the others have caught up.
        learning = [pupil for pupil in pupils if pupil.updates == iteration and pupil.failure is None]
        if not learning:  # those that lagged behind have failed
            continue
        started = time.monotonic()
        images, targets = stream.batch(iteration)
        lock_step.update(learning, iteration, images, targets)
        if recipe.hyperparameters.evaluates_after(iteration + 1):
            _validate(learning, shared, validation)
            for failed in (pupil for pupil in learning if pupil.failure is not None):
                running.say(f"{failed.failure}; it is given up")
            if all(pupil.failure is not None for pupil in pupils):
                return
        for pupil in learning:
            pupil.seconds += (time.monotonic() - started) / len(learning)
        stopping = bool(stop)  # asked once: a signal between two questions must not leave without a state
        if stopping or time.monotonic() - last_state > running.state_seconds:
            for pupil in learning:
                pupil.save_state()
            last_state = time.monotonic()
        if stopping:
            raise Interrupted(f"stopped by {stop.signal_name} after iteration {iteration + 1}; the state is written")
        reports.made(iteration + 1, len(learning))


def _validate(pupils: Sequence[_Pupil], shared: _SharedLayers, validation: ValidationSet) -> None:
    for pupil in pupils:
        pupil.validation_mode()
    totals, hits = [], []
    with torch.no_grad():
        for images, targets in validation.batches():
            features = shared.features(images)
            logits = (pupil.logits(features[pupil.shared_depth]) for pupil in pupils)
            counted = [loss_and_hits(of_one, targets) for of_one in logits]
            totals.append(torch.stack([sums for sums, _ in counted]))
            hits.append(torch.stack([right for _, right in counted]))
    means = torch.stack(totals).sum(0) / len(validation)
    rights = torch.cat(hits, dim=1).cpu().numpy()
    for pupil, (loss, top1, top5), right in zip(pupils, means.tolist(), rights, strict=True):
        pupil.record(loss, top1, top5, balanced_accuracy(right, validation.targets))
        pupil.training_mode()


class Evaluation(NamedTuple):
    """Of a network on the validation images of its half: mean loss, and accuracies from 0 to 1."""

    loss: float
    top1: float
    top5: float
    balanced: float


def evaluate(recipe: Recipe, network: Network, weights: Mapping[str, torch.Tensor], device: str) -> Evaluation:
    """Evaluate a trained network."""
    model = build_network(recipe.architecture, recipe.seen_shape, len(recipe.split.halves[network.target]))
    model.load_state_dict(weights)
    model.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    mean = mean_image(recipe.store, _training_images(recipe, network)[0], recipe.preprocessing.mean)
    validation = _validation_set(recipe, network, mean, device, resident_bytes=0)  # every image is read once
    use_precision(recipe.hyperparameters.precision)
    with torch.no_grad():
        counted = [
            loss_and_hits(logits_of(model, images, recipe.hyperparameters.precision), targets)
            for images, targets in validation.batches()
        ]
    loss, top1, top5 = (torch.stack([sums for sums, _ in counted]).sum(0) / len(validation)).tolist()
    right = torch.cat([of_batch for _, of_batch in counted]).cpu().numpy()
    return Evaluation(loss, top1, top5, balanced_accuracy(right, validation.targets))


def _data(recipe: Recipe, network: Network, running: Running) -> tuple[TrainingStream, ValidationSet]:
    positions, targets = _training_images(recipe, network)
    # Validation images have no part in the mean that is subtracted from them.
    mean = mean_image(recipe.store, positions, recipe.preprocessing.mean)
    device, resident = torch.device(running.device), running.resident_bytes
    loader = ImageLoader(recipe.store, positions, mean, recipe.preprocessing, device, resident_bytes=resident)
    # The stream belongs to the half, not to the network: comparisons between networks of a half are paired.
    stream = TrainingStream(
        loader, targets, recipe.hyperparameters.batch_size, recipe.seed, recipe.split.name, network.target
    )
    return stream, _validation_set(recipe, network, mean, running.device, resident)


def _training_images(recipe: Recipe, network: Network) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions in the store of the images a network is trained on, and their targets."""
    positions, targets = samples_of(recipe.store, recipe.split.halves[network.target], recipe.store.training)
    if network.examples_per_class is None:
        return positions, targets
    kept = first_of_each_class(targets, network.examples_per_class)
    return positions[kept], targets[kept]


def _validation_set(
    recipe: Recipe, network: Network, mean: NDArray[np.float32], device: str, resident_bytes: float
) -> ValidationSet:
    positions, targets = samples_of(recipe.store, recipe.split.halves[network.target], recipe.store.validation)
    about = (mean, recipe.preprocessing, torch.device(device))
    loader = ImageLoader(recipe.store, positions, *about, resident_bytes=resident_bytes)
    return ValidationSet(loader, targets, VALIDATION_BATCH)


def source_weights(recipe: Recipe, network: Network, source: Path | None) -> dict[str, torch.Tensor]:
    """The weights that a network copies layers from, of a base's checkpoint or drawn; none for a base.

    CheckpointError if the checkpoint is damaged or not that of the source.
    """
    if network.source is None:
        return {}
    if network.source == RANDOM_SOURCE:
        # One untrained network a split and seed: its layers serve all depths, so that they can be shared.
        untrained = build_network(
            recipe.architecture, recipe.seen_shape, 2, recipe.seed, recipe.split.name, RANDOM_SOURCE
        )
        return dict(untrained.state_dict())
    if source is None:
        raise ValueError(f"{network.name} copies layers from base{network.base}, whose checkpoint is not given")
    return load_weights(
        source,
        network=f"base{network.base}",
        split=recipe.split.name,
        seed=recipe.seed,
        store_checksum=recipe.store.checksum,
        architecture=recipe.architecture,
    )


def identity_of(recipe: Recipe, network: Network, source_digest: str | None) -> dict[str, Any]:
    """Everything that shapes a network; two networks with the same identity are the same network."""
    return {
        "engine_version": ENGINE_VERSION,
        "network": network.name,
        "split": recipe.split.name,
        "seed": recipe.seed,
        "classes": [recipe.store.classes[i].name for i in recipe.split.halves[network.target]],
        "data_set": recipe.store.name,
        "store_checksum": recipe.store.checksum,
        "architecture": recipe.architecture,
        "preprocessing": asdict(recipe.preprocessing),
        "hyperparameters": recipe.hyperparameters.to_json(),
        "source_sha256": source_digest,
    }


def _digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _write(
    pupil: _Pupil, recipe: Recipe, files: NetworkFiles, identity: Mapping[str, Any], made_by: Mapping[str, Any]
) -> None:
    network = pupil.network
    save_checkpoint(files.checkpoint, pupil.model.state_dict(), {**identity, "versions": versions()})
    write_csv(files.history, HISTORY_COLUMNS, [_row(evaluation) for evaluation in pupil.history])
    metrics = {
        "split": identity["split"],
        "kind": recipe.split.kind,
        **network.facts,
        "seed": identity["seed"],
        **guessing_facts(recipe, network),
        "iterations": pupil.updates,
        "evaluations": len(pupil.history),
        **accuracies_of(pupil.history),
        "identity": _digest(identity),
        "made_from": dict(identity),
        "sha256": sha256_of(files.checkpoint),
        "store": recipe.store.folder,
        **made_by,
        "seconds": round(pupil.seconds, 3),
    }
    write_json(files.metrics, metrics)


def _row(evaluation: Mapping[str, float]) -> tuple[float | None, ...]:
    """One of an attempt before balanced accuracy was recorded lacks it."""
    return tuple(evaluation.get(column) for column in HISTORY_COLUMNS)


def guessing_facts(recipe: Recipe, network: Network) -> dict[str, int | float]:
    """What it takes to tell an accuracy from guessing.

    ``chance`` is the accuracy of always naming the class of most validation images: 1 / classes where they are
    balanced.
    """
    classes = recipe.split.halves[network.target]
    _, targets = samples_of(recipe.store, classes, recipe.store.validation)
    chance = np.bincount(targets).max() / len(targets)
    return {"classes": len(classes), "validation_images": len(targets), "chance": float(chance)}


class _Reports:
    """A line every so often, for the log and for those who watch: how far, how fast, how long to go, how good."""

    def __init__(self, settings: Hyperparameters, pupils: Sequence[_Pupil], first: int, running: Running) -> None:
        self._settings, self._pupils, self._first, self._running = settings, pupils, first, running
        self._device = device_name(running.device)
        self._started = self._last = time.monotonic()
        self._network_updates = 0
        self._tell(self._progress(first, 0.0))

    def made(self, updates: int, networks: int) -> None:
        self._network_updates += networks
        now = time.monotonic()
        if updates == self._settings.iterations or now - self._last >= self._running.report_seconds:
            self._last = now
            progress = self._progress(updates, now - self._started)
            self._running.say(_line(progress))
            self._tell(progress)

    def _tell(self, progress: Progress) -> None:
        for watcher in self._running.watchers:
            watcher(progress)

    def _progress(self, updates: int, seconds: float) -> Progress:
        done = updates - self._first
        return Progress(
            iteration=updates,
            iterations=self._settings.iterations,
            images_per_second=self._network_updates * self._settings.batch_size / seconds if done else None,
            seconds_left=seconds / done * (self._settings.iterations - updates) if done else None,
            seconds={pupil.network.name: pupil.seconds for pupil in self._pupils},
            device=self._device,
            histories={pupil.network.name: pupil.history for pupil in self._pupils},
        )


def _line(progress: Progress) -> str:
    accuracies = ", ".join(f"{name} {top1:.3f}" for name, top1 in progress.top1.items() if top1 is not None)
    return (
        f"iteration {progress.iteration} of {progress.iterations}, {progress.images_per_second:,.0f} images/s, "
        f"{progress.seconds_left:.0f} s left, top-1 {accuracies or 'not yet known'}"
    )
