"""Batch norm statistics of frozen layers, measured once for all networks that share them."""

from collections.abc import Hashable, Mapping

import torch

from transferability.study.names import Network
from transferability.training.batch_statistics import measured
from transferability.training.recipe import Recipe

_MOST_KEPT = 16  # each has a few numbers per channel: a few MB at most in all


class Measurements:
    """The results of `measured`, cached while the networks of a study are checked one after the other.

    A layer's statistics depend only on the layers below it, and those of all layers are measured at once, so one
    measurement per split, seed, source and task serves every depth. The weights of a source must not change meanwhile.
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
