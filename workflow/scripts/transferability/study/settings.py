"""What shapes the training of a network, and nothing else."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

# Raised by hand when the same config would give other weights; it makes every network train again.
ENGINE_VERSION = 5

WHOLE_MEAN = "whole"
SOURCE, ADAPT = "source", "adapt"


@dataclass(frozen=True)
class Hyperparameters:
    """Settings of one training run; the config's section ``training`` explains each.

    Attributes:
        learning_rate: at the start, for weights; biases learn at ``bias_lr_multiplier`` times this rate, undecayed.
        schedule: ``step`` (times ``step_factor`` every ``step_every`` iterations), ``cosine`` (to 0), ``constant``.
        clip_norm: the largest norm of a network's gradient, to which longer ones are scaled down; 0 for none.
        precision: ``float32``, or ``tf32`` or ``bf16`` for products in reduced precision on a GPU.
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


@dataclass(frozen=True)
class Preprocessing:
    """What is done to an image between the store and the network.

    Attributes:
        crop: side of the square the network sees, 0 for the whole image. Training crops at random, validation
            in the center.
        mirror: whether training mirrors every other image at random.
        mean: the mean image subtracted: ``own``, of the images that the network is trained on, as in the paper, or
            ``whole``, of the whole training set.
        scale: pixel values, less the mean image, are divided by this.
    """

    crop: int
    mirror: bool
    mean: str
    scale: float

    def seen_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Height, width and channels of what the network sees; ValueError if the crop does not fit."""
        height, width, channels = image_shape
        if self.crop > min(height, width):
            raise ValueError(f"preprocessing: crop is {self.crop}, but the images are {height} x {width} pixels")
        return (self.crop or height, self.crop or width, channels)


@dataclass(frozen=True)
class Foreign:
    """What shapes networks whose architecture is not this project's own.

    Attributes:
        cuts: names of the modules behind which the model is cut into layers.
        options: further arguments of what builds it, by name.
        code_sha256: of the file that it is in, but for comments and layout; empty for those of libraries.
        frozen_batch_norm: the statistics of frozen layers: ``source``, as copied, or ``adapt``, measured on the target.
    """

    cuts: tuple[str, ...]
    options: tuple[tuple[str, Any], ...] = ()
    code_sha256: str = ""
    frozen_batch_norm: str = SOURCE

    def to_json(self) -> dict[str, Any]:
        """The statistics only where they are not the source's, which most networks have none of."""
        adapted = {"frozen_batch_norm": self.frozen_batch_norm} if self.frozen_batch_norm != SOURCE else {}
        of_file = {"code_sha256": self.code_sha256} if self.code_sha256 else {}
        return {"cuts": list(self.cuts), "options": dict(self.options), **of_file, **adapted}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `to_json` gives, among other keys."""
        return cls(
            cuts=tuple(content["cuts"]),
            options=tuple(sorted(content["options"].items())),
            code_sha256=content.get("code_sha256", ""),
            frozen_batch_norm=content.get("frozen_batch_norm", SOURCE),
        )


@dataclass(frozen=True)
class Settings:
    """All of a config that shapes the networks of a stage, apart from their names and their data.

    What it is to be outdated, a rule's parameters and a network's identity are all made of `to_json`.
    """

    architecture: str
    preprocessing: Preprocessing
    hyperparameters: Hyperparameters
    foreign: "Foreign | None" = None
    engine_version: int = ENGINE_VERSION

    @property
    def building(self) -> dict[str, Any]:
        """What `build_network` takes besides the architecture's name, images and classes."""
        return {"cuts": self.foreign.cuts, "options": dict(self.foreign.options)} if self.foreign else {}

    def to_json(self) -> dict[str, Any]:
        return {
            "engine_version": self.engine_version,
            "architecture": self.architecture,
            **(self.foreign.to_json() if self.foreign else {}),
            "preprocessing": asdict(self.preprocessing),
            "hyperparameters": self.hyperparameters.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The settings that `to_json` gives."""
        return cls(
            architecture=content["architecture"],
            preprocessing=Preprocessing(**content["preprocessing"]),
            hyperparameters=Hyperparameters(**content["hyperparameters"]),
            foreign=Foreign.from_json(content) if "cuts" in content else None,
            engine_version=content["engine_version"],
        )
