"""Facts about a study, and whether its networks have learned, in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from transferability.data.images_of_two import images_in_both
from transferability.data.sharpness import unlike_in_words
from transferability.labels import visible
from transferability.report.runs import hours_by_device
from transferability.store.same_images import shared_images
from transferability.study.amounts import amount_in_words
from transferability.study.compared import is_selected, metric_in_words
from transferability.study.config import fine_tuned_depths
from transferability.study.design import Study
from transferability.study.names import HALVES
from transferability.study.pretrained_weights import images_in_words
from transferability.study.schema import in_yaml
from transferability.study.settings import ADAPT, FEW_IMAGES, SOURCE, Hyperparameters
from transferability.words import counted, duration, enumerated, percent, plural

_STATISTICS = {
    SOURCE: "statistics copied from the source; for untrained layers, measured on the target's training images",
    ADAPT: "statistics measured on the target's training images",
}


def facts_of(
    study: Study,
    accuracies: pd.DataFrame,
    jobs_made: pd.DataFrame,
    manifests: Mapping[str, Mapping[str, Any]],
    splits: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, str]]:
    """Yield facts about a study, each as its name and its value.

    Args:
        study: the study.
        accuracies: the accuracies of the networks that exist.
        jobs_made: the jobs, as returned by `transferability.report.runs.jobs`.
        manifests: the content of each store's manifest, by data set; data sets without a store are missing.
        splits: the contents of the split files that exist.
    """
    networks, training = study.config["networks"], study.settings("base").hyperparameters
    yield plural(len(study.data_sets), "data set"), ", ".join(map(visible, study.data_sets))
    for name, manifest in manifests.items():
        yield f"images{f' of {visible(name)}' * (len(study.data_sets) > 1)}", _images_in_words(manifest)
        yield f"duplicate images{f' in {visible(name)}' * (len(study.data_sets) > 1)}", shared_images(manifest)
    for split in splits:
        if found := images_in_both(split):
            yield f"images in both A and B of {split['split']}", found
        if found := unlike_in_words(split):
            yield f"validation images unlike training images in {split['split']}", found
    yield "network", str(networks["architecture"])
    yield "layers", f"{', '.join(study.layers)}; the last is always new"
    if (foreign := study.settings("base").foreign) is not None:
        yield "batch norm in frozen layers", _STATISTICS[foreign.frozen_batch_norm]
    if study.weights is not None:
        yield (
            "pretrained weights",
            f"{visible(study.weights.source)}, SHA-256 {study.weights.sha256 or 'not known yet'}",
        )
        yield "images of pretrained weights", images_in_words(study.weights, study.config["preprocessing"])
        yield (
            "validation images and pretrained weights",
            "not known: if the weights were trained on some of the validation images, PnB and PnB⁺ do better on these "
            "than on new ones",
        )
    named = [f"{name} ({_by_half(study.groups[name])})" if name in study.groups else name for name in study.splits]
    yield "splits", f"{len(study.splits)}: {', '.join(named)}"
    if study.targets != HALVES:
        yield "direction", ", ".join(study.config["networks"]["directions"])
    only = ", so nothing here tells how much another seed would change" if len(study.seeds) == 1 else ""
    yield "seeds", f"{len(study.seeds)} ({plural(len(study.seeds), 'seed')} {enumerated(study.seeds)}){only}"
    yield "depths n tried", enumerated(networks["depths"])
    if fine_tuned_depths(networks) != sorted(networks["depths"]):
        yield "depths n fine-tuned", enumerated(fine_tuned_depths(networks))
    if study.has_few:
        yield "training images", f"{_listed_amounts(study)}, drawn by the seed, smaller draws within larger ones"
        fixed = study.config["training"][FEW_IMAGES]
        yield "training on few images", f"as many {fixed} as on all images"
    yield "networks", f"{len(accuracies):,}"
    iterations, images = counted(training.iterations, "iteration"), counted(training.batch_size, "image")
    yield "training of base networks", f"{iterations} of {images}{_epochs(training, splits)}"
    yield from _own_recipes(study)
    yield "accuracy metric", metric_in_words(study.figures.metric)
    if (guessing := accuracies["majority_baseline"]).notna().any():
        low, high = percent(guessing.min()), percent(guessing.max())
        yield "accuracy by guessing", f"{low} %" if low == high else f"{low} to {high} %"
    spent = hours_by_device(jobs_made)
    yield (
        "training time, summed over jobs",
        "; ".join(f"{duration(3600 * hours)} on {device}" for device, hours in spent.items()),
    )
    yield from _imbalance(accuracies)


def _epochs(training: Hyperparameters, splits: Iterable[Mapping[str, Any]]) -> str:
    """How many epochs of a half's training images that is; empty if no split is made yet."""
    images = [half["training_images"] for split in splits for half in split["halves"].values()]
    epochs = sorted({f"{training.iterations * training.batch_size / count:.1f}" for count in images}, key=float)
    return f", {epochs[0]}{f' to {epochs[-1]}' * (len(epochs) > 1)} epochs" if epochs else ""


def _images_in_words(manifest: Mapping[str, Any]) -> str:
    """How many images of how many classes a store has, and their size."""
    height, width, channels = manifest["image_shape"]
    return (
        f"{counted(manifest['classes'], 'class')}, {counted(manifest['training'], 'training image')} and "
        f"{counted(manifest['validation'], 'validation image')} of {height} x {width} pixels, "
        f"{counted(channels, 'channel')}"
    )


def _own_recipes(study: Study) -> Iterator[tuple[str, str]]:
    """For stages with a recipe other than the bases': what differs, and what follows if accuracies chose it."""
    of_bases = study.settings("base").hyperparameters
    only_watching = set() if is_selected(study.figures.metric) else {"evaluate_every"}
    for stage in dict.fromkeys(network.stage for _, _, network in study.networks()):
        own = study.settings(stage).hyperparameters
        different = [
            f"{key} {in_yaml(getattr(own, key))} (bases: {in_yaml(getattr(of_bases, key))})"
            for key in dict.fromkeys([*of_bases.to_json(), *own.to_json()])
            if getattr(own, key) != getattr(of_bases, key) and key not in only_watching
        ]
        if different:
            yield (
                f"{stage.replace('_', '-')} networks' own recipe",
                f"{', '.join(different)}. A recipe that was chosen by these validation accuracies makes its networks "
                "look too good next to the others; one fixed beforehand, or chosen on other images, does not",
            )


def _listed_amounts(study: Study) -> str:
    *fewer, most = map(amount_in_words, study.amounts)
    return f"{', '.join(fewer)} and {most}" if fewer else most


def _by_half(groups: Mapping[str, str]) -> str:
    return ", ".join(f"{half}: {visible(group)}" for half, group in groups.items())


def _imbalance(accuracies: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """How much the most common class weighs, if it has more than twice an equal share of the validation images."""
    uneven = accuracies[accuracies["majority_baseline"] > 2 / accuracies["classes"].astype("float64")]
    for most in uneven.sort_values("majority_baseline", ascending=False).head(1).to_dict("records"):
        yield (
            "classes of unequal size",
            f"the most common of the {most['classes']} classes of half {most['target']} of {most['split']} has "
            f"{100 * most['majority_baseline']:.0f} % of its validation images: top-1 accuracy rewards predicting it; "
            f"balanced accuracy, {percent(1 / most['classes'])} % for predicting nothing else, does not",
        )


def flags_in_words(accuracies: pd.DataFrame) -> str:
    """How many networks are flagged, and if none is, whether the bases are known to have learned."""
    bases = accuracies[accuracies["treatment"] == "base"]
    if flagged := int(accuracies["flag"].notna().sum()):
        return (
            f"{counted(flagged, 'network')} {'is' if flagged == 1 else 'are'} flagged: the network itself, or a base "
            "that it is compared with or copied from, is or may be unlearned"
        )
    if bases["at_chance"].isna().any():
        return "It is not known whether some bases are at chance: they were trained before this was recorded"
    return "No network is flagged: all that should have learned have"
