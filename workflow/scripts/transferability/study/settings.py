"""What shapes the training of a network, and nothing else."""

import math
from dataclasses import asdict, dataclass
from typing import Any

# Raised by hand when the same config would give other weights; it makes every network train again.
ENGINE_VERSION = 5


@dataclass(frozen=True)
class Hyperparameters:
    """Settings of one training run; the config's section ``training`` explains each.

    Attributes:
        learning_rate: at the start, for weights; biases learn at ``bias_lr_multiplier`` times this rate, undecayed.
        schedule: ``step`` (times ``step_factor`` every ``step_every`` iterations), ``cosine`` (to 0), ``constant``.
        clip_norm: the largest norm of a network's gradient, to which longer ones are scaled down; 0 for none.
        precision: ``float32``, or ``tf32`` or ``bf16`` for products in fewer bits on a GPU.
        evaluate_every: iterations between validations; the last iteration is always validated.
    """

    iterations: int
    batch_size: int
    learning_rate: float
    schedule: str
    momentum: float
    weight_decay: float
    bias_lr_multiplier: float
    clip_norm: float
    precision: str
    evaluate_every: int
    step_every: int = 1
    step_factor: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """All that shapes the training: the keys of the schedule ``step`` only if that is the schedule."""
        unused = () if self.schedule == "step" else ("step_every", "step_factor")
        return {key: value for key, value in asdict(self).items() if key not in unused}

    @property
    def evaluations(self) -> int:
        return math.ceil(self.iterations / self.evaluate_every)

    def rate_at(self, iteration: int) -> float:
        """The learning rate of the update numbered ``iteration``, counted from 0."""
        match self.schedule:
            case "step":
                return self.learning_rate * self.step_factor ** (iteration // self.step_every)
            case "cosine":
                return self.learning_rate * 0.5 * (1 + math.cos(math.pi * iteration / self.iterations))
            case "constant":
                return self.learning_rate
        raise ValueError(f"training: schedule is {self.schedule!r}; it must be step, cosine or constant")

    def evaluates_after(self, updates: int) -> bool:
        """Whether the network is validated once it has made this many updates."""
        return updates % self.evaluate_every == 0 or updates == self.iterations
