"""What affects the training of a network, and nothing else."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from transferability.networks.layer_plan import REINITIALIZED
from transferability.study.names import HALVES
from transferability.words import counted

# Raised by hand when the same config would give other weights; every network then trains again.
ENGINE_VERSION = 5

OWN_MEAN, WHOLE_MEAN = "own", "whole"
SOURCE, ADAPT = "source", "adapt"
DRAWN_BATCH_NORM = "drawn_batch_norm"  # in the identity of networks with a reinitialized layer
FROZEN_BATCH_NORM = "frozen_batch_norm"  # the key for which of the two, in a network's identity, metrics and row
WHITE = 255  # the largest value of a pixel, which becomes 1 if pixels are scaled to 0 to 1

FEW_IMAGES = "few_images"  # key of the section training: what networks on few images have the same number of
ITERATIONS, EPOCHS = "iterations", "epochs"

CAFFE_SGD, SGD, ADAMW = "caffe_sgd", "sgd", "adamw"

# Which parameters weight decay acts on.
ALL, ALL_BUT_BIASES, WEIGHTS = "all", "all_but_biases", "weights"


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Settings of one training run; the config's section ``training`` explains each.

    Attributes:
        learning_rate: at the start, or after the warm-up. With Caffe's update, biases learn at ``bias_lr_multiplier``
            times this rate.
        schedule: ``step`` (times ``step_factor`` every ``step_every`` iterations), ``cosine`` (to 0), ``constant``.
        clip_norm: the largest norm of a network's gradient; larger ones are scaled down to it; 0 for no limit.
        precision: ``float32``, or ``tf32`` or ``bf16`` for products in reduced precision on a GPU.
        evaluate_every: iterations between validations; the last iteration is always validated.
        optimizer: `CAFFE_SGD`, or `SGD` or `ADAMW` from torch.optim.
        decay: which parameters decay: `ALL`, `ALL_BUT_BIASES`, or `WEIGHTS`, those of several dimensions that are
            neither class token nor position embedding.
        warmup_iterations: iterations in which the rate rises linearly; the schedule begins after them.
        label_smoothing: share of the training targets that is spread evenly over all classes.
        layer_decay: with n copied layers, layer k (from 0) learns at the rate times this to the power n - k.
        few_images: whether a network on few images trains for the iterations given, `ITERATIONS`, or for its share of
            them, and so as many epochs as on all images, `EPOCHS`.
    """

    iterations: int
    batch_size: int
    learning_rate: float
    schedule: str
    momentum: float = 0.0
    weight_decay: float
    bias_lr_multiplier: float = 1.0
    clip_norm: float
    precision: str
    evaluate_every: int
    step_every: int = 1
    step_factor: float = 1.0
    optimizer: str = CAFFE_SGD
    decay: str = ALL_BUT_BIASES
    warmup_iterations: int = 0
    label_smoothing: float = 0.0
    layer_decay: float = 1.0
    few_images: str = ITERATIONS

    def to_json(self) -> dict[str, Any]:
        """Everything that affects training, without keys that the schedule or optimizer does not use.

        Keys added after networks had been trained are included only if they differ from what those networks had, so
        that these stay the same.
        """
        unused = {key for key in _LATER_HYPERPARAMETERS if getattr(self, key) == getattr(Hyperparameters, key)}
        if self.schedule != "step":
            unused |= {"step_every", "step_factor"}
        if self.optimizer != CAFFE_SGD:
            unused |= {"bias_lr_multiplier"}
        if self.optimizer == ADAMW:
            unused |= {"momentum"}
        return {key: value for key, value in asdict(self).items() if key not in unused}

    @property
    def kept_per_parameter(self) -> int:
        """How many numbers, at most, the optimizer keeps for each one that learns."""
        return 2 if self.optimizer == ADAMW else 1

    @property
    def evaluations(self) -> int:
        return math.ceil(self.iterations / self.evaluate_every)

    def rate_at(self, iteration: int) -> float:
        """The learning rate of iteration number ``iteration``, counted from 0."""
        if iteration < self.warmup_iterations:
            return self.learning_rate * (iteration + 1) / self.warmup_iterations
        since, iterations = iteration - self.warmup_iterations, self.iterations - self.warmup_iterations
        match self.schedule:
            case "step":
                return self.learning_rate * self.step_factor ** (since // self.step_every)
            case "cosine":
                return self.learning_rate * 0.5 * (1 + math.cos(math.pi * since / iterations))
            case "constant":
                return self.learning_rate
        raise ValueError(f"training: schedule is {self.schedule!r}; it must be step, cosine or constant")

    def on_share(self, images: int, of_all: int) -> Self:
        """These settings for a share of all images: with the same iterations or, with `EPOCHS`, the same epochs."""
        if self.few_images == ITERATIONS:
            return self

        def share(number: int) -> int:
            return math.floor(number * images / of_all + 0.5)

        iterations = max(min(2, self.iterations), share(self.iterations))  # with one, no second half is left for tuning
        return replace(
            self,
            iterations=iterations,
            warmup_iterations=min(share(self.warmup_iterations), iterations - 1),
            step_every=max(1, share(self.step_every)),
            evaluate_every=max(1, share(self.evaluate_every)),
        )

    def evaluates_after(self, iteration: int) -> bool:
        """Whether the network is validated after this many iterations."""
        return iteration % self.evaluate_every == 0 or iteration == self.iterations


_LATER_HYPERPARAMETERS = (
    *("optimizer", "decay", "warmup_iterations", "label_smoothing", "layer_decay"),
    FEW_IMAGES,
)


@dataclass(frozen=True)
class RandomResizedCrop:
    """A random rectangle of an image, scaled to the size that the network sees.

    Attributes:
        scale: its smallest and largest area, as a share of the image's.
        ratio: its smallest and largest width, as a multiple of its height.
    """

    scale: tuple[float, float]
    ratio: tuple[float, float]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to an image between the store and the network.

    Attributes:
        crop: side of the square the network sees, 0 for the whole image. Training crops at random, validation
            in the center.
        mirror: whether training mirrors every other image at random.
        mean: the mean image subtracted: ``own``, of the images that the network is trained on, as in the paper;
            ``whole``, of the whole training set of its data set; or ``A`` or ``B``, of all training images of this half
            of its split, whichever half it is trained for. Or a number for each channel, for pixels from 0 to 1.
        scale: pixel values minus the mean image are divided by this; unused if the mean is numbers.
        std: if the mean is numbers, pixels from 0 to 1, minus the mean, are divided by these, one per channel.
        random_resized_crop: what training cuts out instead of a crop of the size that the network sees.
    """

    crop: int
    mirror: bool
    mean: str | tuple[float, ...]
    scale: float = 1.0
    std: tuple[float, ...] = ()
    random_resized_crop: RandomResizedCrop | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything that affects the images; keys added after networks had been trained only if they are used."""
        content: dict[str, Any] = {"crop": self.crop, "mirror": self.mirror}
        if isinstance(self.mean, str):
            content |= {"mean": self.mean, "scale": self.scale}
        else:
            content |= {"mean": list(self.mean), "std": list(self.std)}
        if self.random_resized_crop:
            content["random_resized_crop"] = {k: list(v) for k, v in asdict(self.random_resized_crop).items()}
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The preprocessing that `to_json`, or the config's section, describes."""
        mean, resized = content["mean"], content.get("random_resized_crop")
        return cls(
            crop=content["crop"],
            mirror=content["mirror"],
            mean=mean if isinstance(mean, str) else _numbers(mean),
            scale=content.get("scale", 1.0),
            std=_numbers(content.get("std", ())),
            random_resized_crop=RandomResizedCrop(*(_pair(resized[key]) for key in ("scale", "ratio")))
            if resized
            else None,
        )

    @property
    def factors(self) -> float | tuple[float, ...]:
        """What pixel values minus the mean image are multiplied by: a number, or one for each channel."""
        return 1.0 / self.scale if isinstance(self.mean, str) else tuple(1.0 / (WHITE * one) for one in self.std)

    @property
    def half_of_mean(self) -> str | None:
        """The half whose mean image is subtracted for networks of both halves; None if there is none."""
        return self.mean if isinstance(self.mean, str) and self.mean in HALVES else None

    def seen_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Height, width and channels of what the network sees; ValueError if these settings do not fit the images."""
        height, width, channels = image_shape
        if self.crop > min(height, width):
            raise ValueError(f"preprocessing: crop is {self.crop}, but the images are {height} x {width} pixels")
        if not isinstance(self.mean, str) and len(self.mean) != channels:
            numbers = counted(len(self.mean), "number")
            raise ValueError(f"preprocessing: mean has {numbers}, but the images have {counted(channels, 'channel')}")
        return (self.crop or height, self.crop or width, channels)


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    """Values as floats, so that 0 and 0.0 are the same in an identity."""
    return tuple(map(float, values))


def _pair(values: Iterable[float]) -> tuple[float, float]:
    low, high = _numbers(values)
    return low, high


@dataclass(frozen=True)
class Foreign:
    """What affects networks whose architecture is not this project's own.

    Attributes:
        cuts: names of the modules after which the model is cut into layers.
        options: further arguments of the function that builds it, by name.
        code_sha256: of the code in its file, ignoring comments, docstrings and layout; empty for libraries' models.
        frozen_batch_norm: the statistics of frozen layers: ``source``, as copied, or ``adapt``, measured on the target.
    """

    cuts: tuple[str, ...]
    options: tuple[tuple[str, Any], ...] = ()
    code_sha256: str = ""
    frozen_batch_norm: str = SOURCE

    def to_json(self) -> dict[str, Any]:
        """All of these; the statistics only if they are not the source's, because most networks have none."""
        adapted = {FROZEN_BATCH_NORM: self.frozen_batch_norm} if self.frozen_batch_norm != SOURCE else {}
        of_file = {"code_sha256": self.code_sha256} if self.code_sha256 else {}
        return {"cuts": list(self.cuts), "options": dict(self.options), **of_file, **adapted}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The settings that `to_json` gives, from a mapping that may have other keys."""
        return cls(
            cuts=tuple(content["cuts"]),
            options=tuple(sorted(content["options"].items())),
            code_sha256=content.get("code_sha256", ""),
            frozen_batch_norm=content.get(FROZEN_BATCH_NORM, SOURCE),
        )


@dataclass(frozen=True)
class Settings:
    """Everything in a config that affects the networks of a stage, apart from their names and their data.

    A rule's parameters, a network's identity and whether a network is outdated all derive from `to_json`.
    """

    architecture: str
    preprocessing: Preprocessing
    hyperparameters: Hyperparameters
    foreign: "Foreign | None" = None
    engine_version: int = ENGINE_VERSION

    @property
    def building(self) -> dict[str, Any]:
        """Arguments of `build_network` besides the architecture's name, images and classes."""
        return {"cuts": self.foreign.cuts, "options": dict(self.foreign.options)} if self.foreign else {}

    def of_plan(self, plan: str | None) -> dict[str, str]:
        """What the identity of a network with a plan for every layer has besides, because of these settings."""
        return {DRAWN_BATCH_NORM: ADAPT} if plan == REINITIALIZED and self.foreign else {}

    def on_few_images(self, few_images: str) -> Self:
        """The settings for networks on few images, with as many `ITERATIONS` or as many `EPOCHS` as those on all."""
        return replace(self, hyperparameters=replace(self.hyperparameters, few_images=few_images))

    def to_json(self) -> dict[str, Any]:
        return {
            "engine_version": self.engine_version,
            "architecture": self.architecture,
            **(self.foreign.to_json() if self.foreign else {}),
            "preprocessing": self.preprocessing.to_json(),
            "hyperparameters": self.hyperparameters.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The settings that `to_json` gives."""
        return cls(
            architecture=content["architecture"],
            preprocessing=Preprocessing.from_json(content["preprocessing"]),
            hyperparameters=Hyperparameters(**content["hyperparameters"]),
            foreign=Foreign.from_json(content) if "cuts" in content else None,
            engine_version=content["engine_version"],
        )
