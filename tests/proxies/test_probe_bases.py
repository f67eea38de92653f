"""Probes of small trained bases: what they see, what chooses, and that the deepest matches a trained network."""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
import pytest
from safetensors.torch import save_file

from tests.support import Patterns, files_in, running_in
from transferability.data.build import build_store
from transferability.data.splits import random_split, whole_split
from transferability.data.tasks import Task
from transferability.files import read_json, sha256_of
from transferability.proxies.probe_bases import Probing, held_out_part, made_from, probe
from transferability.records.checkpoints import CheckpointError
from transferability.store.reading import open_store
from transferability.training.train import train

DEPTHS = 7


@dataclass(frozen=True)
class Blurred(Patterns):
    """Patterns that hardly stand out from noise, so that no classifier is always right."""

    def _image(self, index, label):
        pattern = np.random.default_rng([1, label]).integers(0, 90, self.image_shape)
        noise = np.random.default_rng([2, index]).integers(0, 160, self.image_shape)
        return (pattern + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def small(recipe, tmp_path_factory):
    """A recipe, and a folder of its bases and of networks with all layers but the last frozen."""
    folder = tmp_path_factory.mktemp("bases")
    build_store(Blurred(training_per_class=80, validation_per_class=80), folder / "store")
    store = open_store(folder / "store")
    blurred = replace(recipe, store=store, split=random_split(store.classes, "random0", 0))
    blurred = blurred.with_hyperparameters(iterations=150, batch_size=16, schedule="cosine", learning_rate=0.05)
    running = running_in(folder)
    for name in ("baseA", "baseB", "A7B", "R7B"):
        source = folder / "baseA.safetensors" if name == "A7B" else None
        train(blurred, files_in(folder, name), source, running)
    return blurred, folder


def probed(small, target="B", **changes):
    recipe, folder = small
    files = {"A": folder / "baseA.safetensors", "B": folder / "baseB.safetensors", "R": None}
    return probe(recipe, target, files, Probing(**{"device": "cpu", "cache_bytes": 1e9, "say": str} | changes))


@pytest.fixture(scope="module")
def rows(small):
    return probed(small)


def test_every_network_with_frozen_layers_is_probed_by_both_kinds_of_features(rows):
    names = [f"{source}{n}B" for source in "ABR" for n in range(1, DEPTHS + 1)]
    assert [(row["network"], row["features"]) for row in rows] == [
        (name, kind) for name in names for kind in ("pooled", "flattened")
    ]
    assert {row["training_images"] for row in rows} == {240}
    assert {row["validation_images"] for row in rows} == {240}
    assert all(0 <= row[f"{proxy}_top1"] <= 1 for row in rows for proxy in ("probe", "center"))
    assert all(row["probe_top1"] == pytest.approx(row["probe_balanced"]) for row in rows)


def test_similarity_is_to_the_own_base_so_that_this_has_none(rows):
    for row in rows:
        assert (row["cka"] is None) == (row["source"] == "B")
    assert rows[0]["cka"] > rows[0]["cka_independent"]


@pytest.mark.parametrize("name", ["A7B", "R7B"])
def test_at_the_deepest_cut_the_probe_gets_what_the_network_gets(rows, small, name):
    """Both are linear classifiers of the same features; within three standard deviations of their difference."""
    (row,) = (row for row in rows if (row["network"], row["features"]) == (name, "flattened"))
    measured = read_json(small[1] / f"{name}.metrics.json")["top1_final"]
    images = row["validation_images"]
    deviation = sqrt((measured * (1 - measured) + row["probe_top1"] * (1 - row["probe_top1"])) / images)
    assert 1 / 3 + 0.05 < measured < 1
    assert abs(row["probe_top1"] - measured) < 3 * deviation


def test_probes_are_the_same_to_the_bit_again_and_where_no_features_are_kept(rows, small):
    assert probed(small, cache_bytes=0) == rows


@pytest.mark.parametrize("source", ["A", "B", "R"])
def test_one_source_alone_is_probed_as_among_all(rows, small, source):
    recipe, folder = small
    files = {"A": folder / "baseA.safetensors", "B": folder / "baseB.safetensors", "R": None}
    found = probe(recipe, "B", files, Probing("cpu", 1e9, str), only=source)
    assert found == [row for row in rows if row["source"] == source]


def test_validation_images_choose_nothing(rows, small, monkeypatch):
    """With other validation targets everything is the same, except the accuracies on them."""
    true = Task.validation

    def others(task):
        positions, targets = true(task)
        return positions, np.roll(targets, 1)

    monkeypatch.setattr(Task, "validation", others)
    found = probed(small)
    fitted = ("regularization", "dead_units", "effective_dimension", "training_images")
    assert [[row[key] for key in fitted] for row in found] == [[row[key] for key in fitted] for row in rows]
    assert max(row["probe_top1"] for row in found) < max(row["probe_top1"] for row in rows)


def test_a_fifth_of_each_class_is_held_out_of_training(small):
    recipe, _ = small
    task = recipe.task("B")
    (fit, fit_targets), (held_out, targets) = held_out_part(task, seed=0)
    assert sorted([*fit, *held_out]) == sorted(task.training()[0])
    assert np.bincount(targets).tolist() == [16, 16, 16]
    assert np.bincount(fit_targets).tolist() == [64, 64, 64]
    assert held_out_part(task, seed=1)[1][0].tolist() != held_out.tolist()


def test_a_base_of_another_split_is_refused(small):
    recipe, folder = small
    bases = {"A": folder / "baseB.safetensors", "B": folder / "baseA.safetensors", "R": None}
    with pytest.raises(CheckpointError, match="its network is 'baseB', not 'baseA'"):
        probe(recipe, "B", bases, Probing("cpu", 1e9, str))


def test_of_all_classes_the_own_base_and_published_layers_are_probed(small, tmp_path):
    """Published weights are here those of another network, with a head for other classes."""
    recipe, _ = small
    whole = replace(recipe, split=whole_split(recipe.store.classes))
    train(whole, files_in(tmp_path, "basewhole"), None, running_in(tmp_path))
    published = tmp_path / "published.safetensors"
    save_file(
        {name: tensor.contiguous() for name, tensor in recipe.build(9, "published").state_dict().items()}, published
    )
    files = {"whole": tmp_path / "basewhole.safetensors", "R": None, "P": published}
    found = probe(whole, "whole", files, Probing("cpu", 1e9, str))
    names = [f"{source}{n}whole" for source in files for n in range(1, DEPTHS + 1)]
    assert list(dict.fromkeys(row["network"] for row in found)) == names
    assert all((row["cka"] is None) == (row["source"] == "whole") for row in found)
    assert {row["treatment"] for row in found} == {"selffer", "random", "pretrained"}
    assert made_from(files) == {
        "basewhole_sha256": sha256_of(files["whole"]),
        "weights_sha256": sha256_of(published),
    }
