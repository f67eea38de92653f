"""Probe the layers of bases, and untrained ones, at all cut points on the images of a task."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from transferability.data.tasks import Task, rank_in_class
from transferability.files import sha256_of
from transferability.networks.copying import copy_layers
from transferability.networks.precision import use_precision
from transferability.proxies.features import Cut, SeenImages
from transferability.proxies.moments import Moments, Standardization
from transferability.proxies.probes import FURTHER_PASSES, PASSES, Probe, best_regularization
from transferability.proxies.similarity import Similarity, exchanges
from transferability.results.scores import balanced_accuracy
from transferability.seeding import generator_for
from transferability.study.names import PRETRAINED_SOURCE, Series
from transferability.study.proxies import FEATURES, FLATTENED, INDEPENDENT, SIMILARITY
from transferability.training.images import evaluation_set
from transferability.training.recipe import Recipe
from transferability.training.sources import frozen_weights, source_weights

_HELD_OUT = 5  # one in this many training images of each class is held out to choose the regularization

# For each source whose layers are probed: a base's checkpoint, or published weights; None for untrained layers.
SourceFiles = Mapping[str, Path | None]
Images = tuple[NDArray[np.int64], NDArray[np.int64]]  # positions in the store, and targets


class Probing(NamedTuple):
    """How to compute and log; none of it affects the results, except for a device's rounding."""

    device: str
    cache_bytes: float
    say: Callable[[str], None]


def made_from(files: SourceFiles) -> dict[str, str]:
    """The digests of what is probed."""
    names = {source: "weights" if source == PRETRAINED_SOURCE else f"base{source}" for source in files}
    return {f"{names[source]}_sha256": sha256_of(path) for source, path in files.items() if path}


def probe(
    recipe: Recipe, target: str, files: SourceFiles, probing: Probing, only: str | None = None
) -> list[dict[str, Any]]:
    """The proxies of every network with frozen layers for a target: a row per network and kind of features.

    Args:
        recipe: the recipe of networks with frozen layers.
        target: whose images are used, cropped as in validation.
        files: the files of all sources, including the target's own base.
        probing: how to compute and log.
        only: the one source to probe, with the same results as among all; None for all of them.

    Raises:
        CheckpointError: a base's checkpoint is damaged, or not from this split, seed and store.
        WeightsError: published weights do not fit.
    """
    task = recipe.task(target)
    use_precision(recipe.hyperparameters.precision)
    fit, held_out = held_out_part(task, recipe.seed)
    validation = _shuffled(task.validation(), task, recipe.seed)
    sources = [only] if only else list(files)
    seen: dict[str, SeenImages] = {}
    found: dict[str, dict[Cut, dict[str, Any]]] = {}
    # Features that may be kept at once: those of both parts of one source, and of all sources' validation images.
    share = probing._replace(cache_bytes=probing.cache_bytes / (2 + len(files)))
    for source in dict.fromkeys([*sources, target]):  # whose layers others are compared with
        trunk = _trunk(recipe, target, source, files[source], probing.device)
        seen[source] = _seen(recipe, task, validation, trunk, share)
        if source in sources:
            learned, choosing = (_seen(recipe, task, images, trunk, share) for images in (fit, held_out))
            found[source] = _Probes(learned, choosing, len(task.classes), probing.device).judged(seen[source])
    for source in sources:
        if source != target:
            random = generator_for(recipe.seed, task.split, target, "exchanged images")
            similarities = _similarities(seen[source], seen[target], random)
            for depth, kind in found[source]:
                found[source][depth, kind] |= similarities[depth]
    probing.say(
        f"{task.split}, seed {recipe.seed}: layers of {', '.join(sources)} probed on {len(validation[1]):,} validation "
        f"images of {target}, with {len(fit[1]):,} training images and {len(held_out[1]):,} held out of them"
    )
    depths = sorted({depth for depth, _ in found[sources[0]]})
    return [
        {**_facts(recipe, source, target, depth), "features": kind, **_of_kind(found[source], depth, kind)}
        for source in sources
        for depth in depths
        for kind in FEATURES
    ]


def _facts(recipe: Recipe, source: str, target: str, depth: int) -> dict[str, Any]:
    """What identifies the network whose frozen layers are probed, by column of tables."""
    facts = Series(source, target).at(depth).facts
    about = {"split": recipe.split.name, "split_type": recipe.split.split_type, "seed": recipe.seed}
    return {**about, **{key: facts[key] for key in ("network", "treatment", "source", "target", "n")}}


def _of_kind(found: Mapping[Cut, dict[str, Any]], depth: int, kind: str) -> dict[str, Any]:
    """The results for one kind of features; where features are vectors, both kinds are the same."""
    similarity = dict.fromkeys((SIMILARITY, INDEPENDENT))
    return {**similarity, **found.get((depth, kind), found[depth, FLATTENED])}


def _trunk(recipe: Recipe, target: str, source: str, file: Path | None, device: str) -> nn.Sequential:
    """All layers but the last, as in a network with frozen layers of this source."""
    model = recipe.build(2)
    network = Series(source, target).at(len(model) - 1)
    copied = source_weights(recipe, network, file)
    copy_layers(frozen_weights(recipe, network, copied, device), model, range(network.frozen))
    trunk = model[: network.frozen]
    return trunk.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def _seen(recipe: Recipe, task: Task, images: Images, trunk: nn.Sequential, probing: Probing) -> SeenImages:
    preprocessing = recipe.settings.preprocessing
    mean = task.mean_image(preprocessing.mean)
    on = evaluation_set(task, images, mean, preprocessing, probing.device, cache_bytes=0)
    return SeenImages(on, trunk, recipe.hyperparameters.precision, probing.cache_bytes)


def held_out_part(task: Task, seed: int) -> tuple[Images, Images]:
    """The training images of a task in two parts, the second a fifth of each class, at least one if it has two."""
    positions, targets = task.training()
    drawn = generator_for(seed, task.split, task.target, "images that choose a regularization")
    order, images = drawn.permutation(len(targets)), np.bincount(targets)
    wanted = np.where(images > 1, np.maximum(images // _HELD_OUT, 1), 0)
    held_out = np.zeros(len(targets), dtype=bool)
    held_out[order] = rank_in_class(targets[order]) < wanted[targets[order]]
    return (positions[~held_out], targets[~held_out]), (positions[held_out], targets[held_out])


def _shuffled(images: Images, task: Task, seed: int) -> Images:
    """Images in random order: similarity is computed by batch, which must not have just a few classes."""
    order = generator_for(seed, task.split, task.target, "order of probed images").permutation(len(images[1]))
    return images[0][order], images[1][order]


class _Probes:
    """The proxies of one source at every cut, fitted on training images."""

    def __init__(self, fit: SeenImages, held_out: SeenImages, classes: int, device: str) -> None:
        self._classes = classes
        self._moments: dict[Cut, Moments] = {}
        for rows, targets in chain(fit, held_out):
            for cut, features in rows.items():
                if cut not in self._moments:
                    self._moments[cut] = Moments(features.shape[1], classes, device)
                self._moments[cut].add(features, targets)
        self._standards = {cut: Standardization.of(moments) for cut, moments in self._moments.items()}
        for images in (fit, held_out):
            images.standardize(self._standards)
        share = len(fit) / (len(fit) + len(held_out))
        self._probes = {cut: Probe(standard, share=share) for cut, standard in self._standards.items()}
        self._fit([fit], PASSES)
        hits = self._hits(held_out)
        for cut, one in self._probes.items():
            one.only(best_regularization(hits[cut]))
        self._fit([fit, held_out], FURTHER_PASSES)

    def _fit(self, parts: Sequence[SeenImages], passes: int) -> None:
        for _ in range(passes):
            for standardized, targets in chain.from_iterable(parts):
                members = functional.one_hot(targets, self._classes).float()
                for cut, features in standardized.items():
                    self._probes[cut].add(features, members)
            for one in self._probes.values():
                one.step()

    def _hits(self, images: SeenImages) -> dict[Cut, list[int]]:
        """How many images each regularization's classifier gets right."""
        hits = {cut: torch.zeros(len(one.regularizations), dtype=torch.int64) for cut, one in self._probes.items()}
        for standardized, targets in images:
            for cut, features in standardized.items():
                hits[cut] += (self._probes[cut].classes_of(features) == targets).sum(1).cpu()
        return {cut: counts.tolist() for cut, counts in hits.items()}

    def judged(self, images: SeenImages) -> dict[Cut, dict[str, Any]]:
        """The results for each cut, with the accuracies on images not used for fitting."""
        right: dict[Cut, dict[str, list[torch.Tensor]]] = {cut: {"probe": [], "center": []} for cut in self._probes}
        every_target = []
        for rows, targets in images:
            every_target.append(targets)
            for cut, features in rows.items():
                standardized = self._standards[cut].applied(features)
                right[cut]["probe"].append(self._probes[cut].classes_of(standardized)[0] == targets)
                right[cut]["center"].append(self._standards[cut].nearest_center(standardized) == targets)
        on = torch.cat(every_target).cpu().numpy()
        return {
            cut: {
                "dimension": moments.products.shape[0],
                "training_images": int(moments.images.sum()),
                "validation_images": len(on),
                **{
                    column: value
                    for proxy, parts in right[cut].items()
                    for column, value in _accuracies(proxy, torch.cat(parts).cpu().numpy(), on).items()
                },
                "regularization": self._probes[cut].regularizations[0],
                "dead_units": moments.dead_units,
                "effective_dimension": moments.effective_dimension,
            }
            for cut, moments in self._moments.items()
        }


def _accuracies(proxy: str, right: NDArray[np.bool_], targets: NDArray[np.int64]) -> dict[str, float]:
    return {f"{proxy}_top1": float(right.mean()), f"{proxy}_balanced": balanced_accuracy(right, targets)}


def _similarities(seen: SeenImages, own: SeenImages, random: np.random.Generator) -> dict[int, dict[str, float | None]]:
    """How similar a source's flattened features are to those of the target's base on the same images, by depth."""
    found: dict[int, Similarity] = {}
    for (rows, targets), (own_rows, _) in zip(seen, own, strict=True):
        orders = exchanges(len(targets), random)
        for (depth, kind), features in rows.items():
            if kind == FLATTENED:
                found.setdefault(depth, Similarity()).add(features, own_rows[depth, kind], orders)
    return {
        depth: {SIMILARITY: _number(one.value), INDEPENDENT: _number(one.independent)} for depth, one in found.items()
    }


def _number(value: float) -> float | None:
    """The value, or None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value
