"""Contradictions within the config's section ``training``."""

from collections.abc import Iterator, Mapping
from typing import Any

from transferability.study.settings import Hyperparameters

_FINE_TUNED = "fine_tuned"


def training_problems(training: Mapping[str, Any], settings: Mapping[str, Hyperparameters]) -> Iterator[str]:
    """A sentence for each problem.

    Args:
        training: the section, which the schema accepts.
        settings: those of the stages that networks are trained in.
    """
    stages = [stage for stage, of_stage in settings.items() if of_stage.evaluate_every > of_stage.iterations]
    if stages:
        worst = settings[stages[0]]
        yield (
            f"training: evaluate_every is {worst.evaluate_every}, more than the {worst.iterations} iterations of "
            f"{' and '.join(stages)} networks"
        )
    stages = [stage for stage, of_stage in settings.items() if of_stage.warmup_iterations >= of_stage.iterations]
    if stages:
        worst = settings[stages[0]]
        yield (
            f"training: warmup_iterations is {worst.warmup_iterations}, but {' and '.join(stages)} networks have "
            f"{worst.iterations} iterations; it must be less"
        )
    yield from _layer_decay_problems(training)


def _layer_decay_problems(training: Mapping[str, Any]) -> Iterator[str]:
    """Layer decay is for layers that have been trained before; elsewhere the lowest would hardly learn at all."""
    places = {"training": training} | {
        f"training.{key}": value for key, value in training.items() if key != _FINE_TUNED
    }
    for place, keys in places.items():
        if isinstance(keys, Mapping) and keys.get("layer_decay", 1) != 1:
            yield (
                f"{place}.layer_decay: is {keys['layer_decay']}, but it is for fine-tuned networks only; "
                f"give it as training.{_FINE_TUNED}.layer_decay"
            )
