"""Batch norm's statistics of frozen layers, measured once for all networks that have the same."""

from collections.abc import Hashable, Mapping

import torch

from transferability.study.names import Network
from transferability.training.batch_statistics import measured
from transferability.training.recipe import Recipe

_MOST_KEPT = 16  # a number for each channel: at most some MB


class Measurements:
    """What `measured` gives, remembered for the networks of a study that are checked one after the other.

    A layer's statistics depend on the layers below it only, and all of these are measured at once; so those of a split,
    seed, source and task serve every depth. The weights of a source must not change meanwhile.
    """

    def __init__(self) -> None:
        self._found: dict[Hashable, dict[str, torch.Tensor]] = {}

    def __call__(
        self, recipe: Recipe, network: Network, weights: Mapping[str, torch.Tensor], device: str
    ) -> dict[str, torch.Tensor]:
        task = network.target, network.examples_per_class
        key = recipe.split.name, recipe.seed, network.source, network.base, task, device
        if key not in self._found:
            if len(self._found) == _MOST_KEPT:
                del self._found[next(iter(self._found))]
            self._found[key] = measured(recipe, network, weights, device)
        return self._found[key]
