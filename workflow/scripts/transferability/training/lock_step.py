"""Learners in lock-step: all see the same batches, and what they have in common is computed once per batch.

That is reading and cropping the images, and the forward pass of the frozen layers that they share. Everything else is
separate for each network, so its weights do not depend on what is trained alongside it.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

from transferability.data.stream import EvaluationSet, TrainingStream
from transferability.data.tasks import Task
from transferability.networks.forward import features_at
from transferability.networks.precision import use_precision
from transferability.process.provenance import device_name
from transferability.process.signals import Interrupted, StopRequest
from transferability.study.names import WHOLE
from transferability.study.settings import Hyperparameters
from transferability.training.evaluation import Evaluation, evaluations
from transferability.training.graphs import Replayed, side_by_side
from transferability.training.learner import Learner
from transferability.training.optimizer import is_capturable, rate_at
from transferability.training.recipe import Running
from transferability.training.reports import Reports
from transferability.words import counted


class SharedLayers:
    """The frozen layers that several networks have in common, run once per batch and without gradients."""

    def __init__(self, learners: Sequence[Learner], precision: str) -> None:
        self._depths = {learner.shared_depth for learner in learners}
        deepest = max(learners, key=lambda learner: learner.shared_depth)
        self._layers = deepest.model[: deepest.shared_depth].eval()
        self._precision = precision

    def features(self, images: torch.Tensor) -> dict[int, torch.Tensor]:
        """The output of the first k layers, for every k that a network needs."""
        with torch.no_grad():
            return features_at(self._depths, self._layers, images, self._precision)


class LockStep:
    """The iterations of all networks that are still learning."""

    def __init__(self, shared: SharedLayers, settings: Hyperparameters, running: Running) -> None:
        self._shared = shared
        self._settings = settings
        self._running = running
        self._learning: list[tuple[Learner, int]] = []  # each with the phase of its training
        self._updates: Callable[..., torch.Tensor]  # of these; set by the first call of `update`

    def update(self, learning: list[Learner], iteration: int, images: torch.Tensor, targets: torch.Tensor) -> None:
        phases = [(learner, learner.phase) for learner in learning]
        if phases != self._learning:
            self._learning = phases
            # No reference cycles here: a captured graph must be freed before the next one is captured.
            update_all = partial(_update_all, self._shared, learning)
            self._updates = Replayed(update_all) if replays(learning, self._running) else update_all
        rate = rate_at(iteration, self._settings, images.device)
        losses = self._updates(images, targets, rate).clone()
        for learner, loss in zip(learning, losses, strict=True):
            learner.note(loss)


def _update_all(
    shared: SharedLayers,
    learners: Sequence[Learner],
    images: torch.Tensor,
    targets: torch.Tensor,
    rate: torch.Tensor,
) -> torch.Tensor:
    features = shared.features(images)
    updates = [partial(learner.update, features[learner.shared_depth], targets, rate) for learner in learners]
    return torch.stack(side_by_side(updates))


def replays(learning: Sequence[Learner], running: Running) -> bool:
    """Whether updates are captured and replayed: if wanted, on a GPU, and with an optimizer that can be captured.

    Never if random numbers are drawn, as by dropout.
    """
    wanted = running.cuda_graphs and running.device == "cuda"
    return wanted and all(is_capturable(one.hyperparameters) and not one.draws for one in learning)


def train_in_lock_step(
    learners: Sequence[Learner],
    stream: TrainingStream,
    validation: EvaluationSet,
    running: Running,
    stop: StopRequest,
) -> None:
    """Train learners of one task to the end, or until all have failed.

    Args:
        learners: all of the same task, source and hyperparameters.
        stream: the batches that all see.
        validation: the images that all are validated on.
        running: device, state files, progress.
        stop: whether the process was asked to stop.

    Raises:
        Interrupted: the process was asked to stop; the states are written.
    """
    task, hyperparameters = learners[0].task, learners[0].hyperparameters
    use_precision(hyperparameters.precision)
    torch.backends.cudnn.benchmark = not torch.are_deterministic_algorithms_enabled()  # the GPU's fastest kernels
    first = min(learner.iteration for learner in learners)
    if first:
        running.say(f"resuming at iteration {first}")
    shared = SharedLayers(learners, hyperparameters.precision)
    lock_step = LockStep(shared, hyperparameters, running)
    names = ", ".join(learner.network.name for learner in learners)
    running.say(
        f"training {counted(len(learners), 'network')} for {_task_in_words(task)} on {device_name(running.device)}: "
        f"{names}"
    )
    reports = Reports(hyperparameters, learners, first, running)
    last_state = time.monotonic()
    for learner in learners:
        learner.training_mode()
    for iteration in range(first, hyperparameters.iterations):
        # A network whose state is newer than a sibling's waits until the others have caught up.
        learning = [learner for learner in learners if learner.iteration == iteration and learner.failure is None]
        if not learning:  # those that lagged behind have failed
            continue
        started = time.monotonic()
        images, targets = stream.batch(iteration)
        lock_step.update(learning, iteration, images, targets)
        if hyperparameters.evaluates_after(iteration + 1):
            for learner, on_validation in zip(learning, _evaluated(learning, shared, validation), strict=True):
                learner.record(on_validation)
                learner.training_mode()
            _tell_troubles(learning, running)
            if all(learner.failure is not None for learner in learners):
                return
        for learner in learning:
            learner.seconds += (time.monotonic() - started) / len(learning)
        stopping = bool(stop)  # checked once: a signal between two checks must not end training without a state
        if stopping or time.monotonic() - last_state > running.state_every_seconds:
            for learner in learning:
                learner.save_state()
            last_state = time.monotonic()
        if stopping:
            raise Interrupted(f"stopped by {stop.signal_name} after iteration {iteration + 1}; the state is written")
        reports.made(iteration + 1, len(learning))
    _tell_unlearned(learners, running)


def _task_in_words(task: Task) -> str:
    return "all classes" if task.target == WHOLE else f"half {task.target} of {task.split}"


def _tell_troubles(learning: Sequence[Learner], running: Running) -> None:
    for learner in learning:
        if learner.failure is not None:
            running.say(f"{learner.failure}; its training ends here")
        elif warning := learner.warning():
            running.say(warning)


def _tell_unlearned(learners: Sequence[Learner], running: Running) -> None:
    unlearned = [learner.network.name for learner in learners if learner.failure is None and learner.is_unlearned]
    if unlearned:
        running.say(
            f"{len(unlearned)} of {counted(len(learners), 'network')} ended no better than guessing: "
            f"{', '.join(unlearned)}; change the learning rate ({learners[0].hyperparameters.learning_rate:g})"
        )


def evaluate_side_by_side(learners: Sequence[Learner], on: EvaluationSet) -> list[Evaluation]:
    """Evaluate learners of one task and source on images, as during their training."""
    return _evaluated(learners, SharedLayers(learners, learners[0].hyperparameters.precision), on)


def _evaluated(learners: Sequence[Learner], shared: SharedLayers, on: EvaluationSet) -> list[Evaluation]:
    for learner in learners:
        learner.evaluation_mode()

    def logits_of_each(images: torch.Tensor) -> list[torch.Tensor]:
        features = shared.features(images)
        return [learner.logits(features[learner.shared_depth]) for learner in learners]

    return evaluations(logits_of_each, on)
