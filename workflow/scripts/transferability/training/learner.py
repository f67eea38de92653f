"""One network in training: its iterations, its history, whether its loss has exploded, and its states."""

import hashlib
import math
from statistics import fmean

import torch
from torch import nn

from transferability.data.tasks import Task
from transferability.networks.build import draws_in_training, shareable_layers
from transferability.networks.copying import buffers_that_move, freeze_layers, training_mode
from transferability.networks.forward import logits_of
from transferability.networks.layer_plan import LayerPlan
from transferability.records.states import StateFolder, TrainingState
from transferability.results.guessing import is_at_chance, may_be_at_chance
from transferability.seeding import seed_for
from transferability.study.names import Network
from transferability.study.settings import Hyperparameters
from transferability.training.evaluation import Evaluation
from transferability.training.optimizer import make_optimizer

# A mean training loss this many times that of a uniform guess, log(classes), is an explosion unless it comes down.
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


class Learner:
    """A network in training, which resumes from its last state, if there is one.

    Args:
        network: its name, and which of its layers are copied and which learn.
        task: what it is trained for, and on which images.
        model: its layers as they are before the first update, on the device on which they are trained.
        seed: one of the study's seeds.
        hyperparameters: what it is trained with.
        states: the folder of its states.
        why_large: what would explain a large loss before the first update.
    """

    def __init__(
        self,
        network: Network,
        task: Task,
        model: nn.Sequential,
        *,
        seed: int,
        hyperparameters: Hyperparameters,
        states: StateFolder,
        why_large: str,
    ) -> None:
        self.network = network
        self.task = task
        self.key = (seed, task.split, network.name)
        self.model = model
        self._layers = hashlib.sha256(repr(model).encode()).hexdigest()
        self._plans = network.layer_plans(len(model))
        self._learnable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.shared_depth = min(shareable_layers(self.model, plan) for plan in self._plans)
        self._own_layers = list(self.model)[self.shared_depth :]
        self.hyperparameters = hyperparameters
        self._begin_phase(0)
        self._states = states
        self.iteration = 0
        self.failure: str | None = None  # why it cannot go on
        self._why_large = why_large
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self._losses: list[float] = []  # of the iterations since the last evaluation
        self._unread_losses: list[torch.Tensor] = []  # the latest of them, which the device may still be computing
        self._exploded = EXPLOSION * math.log(len(task.classes))
        self._first_loss = 0.0  # before the first update
        self.guessing = task.guessing_facts(hyperparameters.label_smoothing)
        self.resume(states.load())

    def _begin_phase(self, phase: int) -> None:
        """Train by the plan with this index; the optimizer starts afresh, because other layers learn than before."""
        self.phase = phase
        for parameter in self._learnable:
            parameter.requires_grad_(True)
        freeze_layers(self.model, self._plan)
        self.draws = draws_in_training(self.model, self._plan)
        if self.network.is_trained:  # torch's optimizers refuse to update nothing
            self._optimizer = make_optimizer(self.model, self.hyperparameters, self.network.copied)

    @property
    def _plan(self) -> LayerPlan:
        return self._plans[self.phase]

    def _phase_after(self, iterations: int) -> int:
        """The phase after some iterations; each plan has an equal share of them."""
        phases = len(self._plans)
        return min(iterations * phases // self.hyperparameters.iterations, phases - 1)

    def update(self, features: torch.Tensor, targets: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
        """Make one update on a batch and return its loss; ``features`` is the shared layers' output for its images."""
        if self.draws:
            torch.manual_seed(seed_for(*self.key, "dropout", self.iteration))
        smoothing = self.hyperparameters.label_smoothing
        loss = nn.functional.cross_entropy(self.logits(features), targets, label_smoothing=smoothing)
        self._optimizer.step(loss, rate)
        return loss.detach()

    def note(self, loss: torch.Tensor) -> None:
        """Count an iteration."""
        self._unread_losses.append(loss)
        self.iteration += 1
        if (phase := self._phase_after(self.iteration)) != self.phase:
            self._begin_phase(phase)
            self.training_mode()

    def _losses_since_evaluation(self) -> list[float]:
        """The training losses since the last evaluation; waits for the device."""
        if self._unread_losses:
            self._losses += torch.stack(self._unread_losses).tolist()
            self._unread_losses.clear()
        if self._losses and self.iteration == len(self._losses):
            self._first_loss = self._losses[0]
        return self._losses

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """B x classes, float32."""
        return logits_of(self._own_layers, features, self.hyperparameters.precision)

    def training_mode(self) -> None:
        """See `networks.copying.training_mode`."""
        training_mode(self.model, self._plan)

    def evaluation_mode(self) -> None:
        """Switch dropout off, and batch norm to its running statistics."""
        self.model.eval()

    def record(self, on_validation: Evaluation) -> None:
        """Add an evaluation to the history, or note a failure if the loss has exploded since the last one."""
        loss, training_loss = on_validation.loss, fmean(self._losses_since_evaluation())
        if not math.isfinite(loss) or self._has_exploded(loss, ends=self.iteration == self.hyperparameters.iterations):
            self.failure = self._explosion(loss)
            return
        rate = self.hyperparameters.rate_at(self.iteration - 1)
        self.history.append(_row(self.iteration, rate, training_loss, on_validation))
        self._losses.clear()

    def record_untrained(self, on_validation: Evaluation, training_loss: float) -> None:
        """Make the history one evaluation before any update, or note a failure if a loss is not finite.

        Its training loss is measured by evaluating training images.
        """
        if not (math.isfinite(on_validation.loss) and math.isfinite(training_loss)):
            self.failure = f"{self.network.name}, in which nothing is trained, has no finite loss: {self._why_large}"
            return
        self.history = [_row(0, 0.0, training_loss, on_validation)]

    @property
    def lowest_training_loss(self) -> float:
        """The lowest mean training loss of any interval between evaluations."""
        return min(row["training_loss"] for row in self.history)

    @property
    def is_unlearned(self) -> bool:
        """Whether it is no better than guessing, by its last accuracy or all losses; False if it `may_be_at_chance`."""
        if may_be_at_chance(self.network) or not self.history:
            return False
        top1 = self.history[-1]["validation_top1"]
        chance, images = self.guessing["majority_baseline"], int(self.guessing["validation_images"])
        lowest = min(self.lowest_training_loss, *(row["validation_loss"] for row in self.history))
        return lowest >= self.guessing["guessing_loss"] or bool(is_at_chance(top1, chance, images))

    def warning(self) -> str | None:
        """What to change if the first evaluation after a quarter of the training is still no better than guessing."""
        quarter = self.hyperparameters.iterations / 4
        late = [row for row in self.history if row["iteration"] >= quarter]
        if len(late) != 1 or not self.is_unlearned:
            return None
        return (
            f"{self.network.name}: still no better than guessing at iteration {self.iteration} of "
            f"{self.hyperparameters.iterations}; if this continues, change its learning rate "
            f"({self.hyperparameters.learning_rate:g}), most likely to a lower one"
        )

    def _has_exploded(self, now: float, ends: bool = False) -> bool:
        """Whether the losses since the last evaluation and the current loss are too large for training to bring down.

        A large loss before the first update, such as from a base's large features, is not caused by training: only an
        even larger one is an explosion, unless training ends without having brought it down.
        """
        mean = fmean(self._losses)
        if not math.isfinite(mean):  # weights that are not finite never recover
            return True
        given = 0.0 if ends else self._first_loss
        return min(mean, now) >= self._exploded and min(mean, now) > given

    def _explosion(self, validation_loss: float) -> str:
        """What went wrong, and at which iteration."""
        since = self.iteration - len(self._losses)
        good = [i for i, loss in enumerate(self._losses, start=since + 1) if loss < self._exploded]
        iteration = min(max(good, default=since) + 1, self.iteration)  # the first after the last good one
        loss = validation_loss if iteration in good else self._losses[iteration - since - 1]
        where = f"{self.network.name}: the loss is {loss:g} at iteration {iteration}"
        rate = f"({self.hyperparameters.learning_rate:g})"
        if not self._first_loss < self._exploded:  # caused by the weights and images as given
            before = ", before any update"
            if iteration > 1:
                before = f" and was {self._first_loss:g} before the first update"
            return f"{where}{before}: {self._why_large}, or its own {rate}"
        return f"{where}; lower its learning rate {rate}"

    def _tensors(self) -> dict[str, torch.Tensor]:
        """The tensors that training changes, by their names in states."""
        return (
            {f"weights.{name}": p for name, p in self.model.named_parameters() if p.requires_grad}
            | {f"buffers.{name}": b for name, b in buffers_that_move(self.model, self._plan).items()}
            | {f"momentum.{name}": b for name, b in self._optimizer.buffers.items()}
        )

    def save_state(self) -> None:
        """Save a state of the network, unless it has failed or is about to."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        losses = self._losses_since_evaluation()
        exploded = bool(losses) and self._has_exploded(losses[-1])
        if self.failure is not None or exploded or not all(p.isfinite().all() for p in trained):
            return
        progress = {
            "layers": self._layers,
            "history": self.history,
            "losses": self._losses,
            "first_loss": self._first_loss,
            "seconds": self.seconds,
        }
        self._states.save(TrainingState(self._states.identity, self.iteration, self._tensors(), progress))

    def resume(self, state: TrainingState | None) -> None:
        """Resume from a state; start from the beginning if there is none that can be used."""
        if state is None:
            return
        if state.progress["layers"] != self._layers:  # the architecture's code was edited
            return
        if (phase := self._phase_after(state.iteration)) != self.phase:
            self._begin_phase(phase)
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(state.tensors[name])
        self.iteration = state.iteration
        self.history, self._losses = state.progress["history"], state.progress["losses"]
        self._first_loss, self.seconds = state.progress["first_loss"], state.progress["seconds"]


def _row(iteration: int, rate: float, training_loss: float, on_validation: Evaluation) -> dict[str, float]:
    """Of the history."""
    loss, top1, top5, balanced, _images = on_validation
    return dict(zip(HISTORY_COLUMNS, (iteration, rate, training_loss, loss, top1, top5, balanced), strict=True))
