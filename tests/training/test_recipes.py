"""Every recipe preserves what the paper's does: siblings are independent, and interruptions leave no trace."""

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.support import dying_after, files_in, running_in, train_until_it_dies, with_settings
from transferability.study.settings import RandomResizedCrop
from transferability.training.learner import Learner
from transferability.training.lock_step import replays
from transferability.training.recipe import Recipe
from transferability.training.train import train

RECIPES = {
    "sgd": {"optimizer": "sgd", "clip_norm": 0.5, "warmup_iterations": 8},
    "sgd without momentum": {"optimizer": "sgd", "momentum": 0.0, "label_smoothing": 0.1},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.05, "decay": "weights", "clip_norm": 1.0},
    "caffe_sgd": {"decay": "all", "warmup_iterations": 8, "label_smoothing": 0.1},
}
RESIZED = RandomResizedCrop(scale=(0.3, 1.0), ratio=(0.75, 1.3333))


@pytest.fixture(params=RECIPES)
def special(request, recipe: Recipe) -> Recipe:
    return recipe.with_hyperparameters(**RECIPES[request.param])


@pytest.fixture(scope="module")
def base_a(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("base")
    train(recipe, files_in(folder, "baseA"), None, running_in(folder))
    return folder / "baseA.safetensors"


def contents(files):
    return {path.name: path.read_bytes() for one in files.values() for path in (one.checkpoint, one.history)}


def assert_same_alone_and_interrupted(recipe, source, running, folder, names):
    """Assert that the last of the networks, trained alone and killed once, is the same as beside the others."""
    together, alone = files_in(folder / "together", *names), files_in(folder / "alone", names[-1])
    train(recipe, together, source, replace(running, states=folder / "other states"))
    train_until_it_dies(dying_after(13), recipe, alone, source, running)
    lines = []
    train(recipe, alone, source, replace(running, say=lines.append))
    assert "resuming at iteration 13" in lines
    assert contents(alone).items() <= contents(together).items()


@pytest.mark.parametrize("suffix", ["", "+"])
def test_networks_are_the_same_alone_beside_siblings_and_interrupted(suffix, special, running, base_a, tmp_path):
    names = [f"A{n}B{suffix}" for n in (1, 7, 3)]
    assert_same_alone_and_interrupted(special, base_a, running, tmp_path, names)


def test_fine_tuned_networks_with_a_layer_decay_are_too(recipe, running, base_a, tmp_path):
    recipe = recipe.with_hyperparameters(layer_decay=0.7)
    assert_same_alone_and_interrupted(recipe, base_a, running, tmp_path, ["A1B+", "A3B+"])


@pytest.mark.parametrize(
    "changes",
    [
        {"random_resized_crop": RESIZED, "crop": 12, "mirror": True},
        {"mean": (0.4,), "std": (0.2,), "mirror": True},
    ],
)
@pytest.mark.parametrize("cache_bytes", [0.0, float("inf")])
def test_of_any_images_they_are_too(changes, cache_bytes, recipe, running, base_a, tmp_path):
    recipe = with_settings(recipe, preprocessing=replace(recipe.settings.preprocessing, **changes))
    running = replace(running, cache_bytes=cache_bytes)
    train(recipe, files_in(tmp_path, "baseA"), None, running)
    assert_same_alone_and_interrupted(recipe, tmp_path / "baseA.safetensors", running, tmp_path, ["A1B", "A3B"])


def test_images_held_or_read_give_the_same_network(recipe, running, tmp_path):
    resized = replace(recipe.settings.preprocessing, random_resized_crop=RESIZED, mirror=True)
    recipe, found = with_settings(recipe, preprocessing=resized), []
    for cached in (0.0, 1e9):
        files = files_in(tmp_path / str(cached), "baseA")
        train(recipe, files, None, replace(running, cache_bytes=cached, states=tmp_path / str(cached) / "states"))
        found.append(contents(files))
    assert found[0] == found[1]


def test_frozen_layers_stay_what_they_were_and_the_others_learn(special, running, base_a, tmp_path):
    train(special, files_in(tmp_path, "A3B", "A3B_preserve2"), base_a, running)
    source = load_file(base_a)
    for name in ("A3B", "A3B_preserve2"):
        weights = load_file(tmp_path / f"{name}.safetensors")
        same = {key.split(".")[0] for key, tensor in weights.items() if torch.equal(tensor, source[key])}
        assert same == {"conv1", "conv2", "conv3"}


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_gives_networks_of_its_own(name, recipe, running, tmp_path):
    """An identity has the settings that a recipe asks for, and leaves out those that ask for what was done before."""
    special, found = recipe.with_hyperparameters(**RECIPES[name]), []
    for one in (recipe, special):
        folder = tmp_path / str(len(found))
        train(one, files_in(folder, "baseA"), None, replace(running, states=folder / "states"))
        found.append(json.loads((folder / "baseA.metrics.json").read_text()))
    assert found[0]["sha256"] != found[1]["sha256"]
    asked = found[1]["made_from"]["hyperparameters"]
    unused = {"momentum"} if asked.get("optimizer") == "adamw" else set()
    assert {key: asked[key] for key in RECIPES[name].keys() - unused} == {
        key: value for key, value in RECIPES[name].items() if key not in unused
    }
    assert not found[0]["made_from"]["hyperparameters"].keys() & {"optimizer", "decay", "label_smoothing"}


def test_labels_are_smoothed_in_the_training_loss_only(recipe, running, base_a, tmp_path):
    """The weights hardly change, so only the loss that training minimizes differs."""
    slow = recipe.with_hyperparameters(learning_rate=1e-30)
    history = {}
    for smoothing in (0.0, 0.3):
        folder = tmp_path / str(smoothing)
        own = slow.with_hyperparameters(label_smoothing=smoothing)
        train(own, files_in(folder, "A7B"), base_a, replace(running, states=folder / "states"))
        with (folder / "A7B.history.csv").open() as file:
            history[smoothing] = list(csv.DictReader(file))
        history[smoothing].append(json.loads((folder / "A7B.metrics.json").read_text()))
    *plain, plain_metrics = history[0.0]
    *smoothed, smoothed_metrics = history[0.3]
    for row, other in zip(plain, smoothed, strict=True):
        assert row.pop("training_loss") != other.pop("training_loss")
        assert row == other
    for key in ("validation_cross_entropy", "training_cross_entropy", "top1_final"):
        assert plain_metrics[key] == smoothed_metrics[key]


def test_a_smoothed_training_loss_is_that_of_smoothed_targets(recipe, running, base_a, tmp_path, monkeypatch):
    seen = []
    original = Learner.update

    def spy(self, features, targets, rate):
        with torch.no_grad():
            logits = self.logits(features).double().log_softmax(1)
        wanted = 0.8 * nn.functional.one_hot(targets, 3) + 0.2 / 3
        loss = original(self, features, targets, rate)
        seen.append((loss.item(), -(wanted * logits).sum(1).mean().item()))
        return loss

    monkeypatch.setattr(Learner, "update", spy)
    train(recipe.with_hyperparameters(label_smoothing=0.2), files_in(tmp_path, "A3B"), base_a, running)
    assert len(seen) == recipe.hyperparameters.iterations
    assert np.allclose(*zip(*seen, strict=True), rtol=1e-4)


def test_a_smoothed_loss_is_judged_by_smoothed_guessing(recipe, running, tmp_path):
    """On unequal classes, where guessing does worse against smoothed targets."""
    labels, (one, other, _) = recipe.store.labels.copy(), recipe.split.halves["B"]
    labels[np.flatnonzero(labels[recipe.store.training] == one)[1:]] = other
    recipe = replace(recipe, store=replace(recipe.store, labels=labels)).with_hyperparameters(label_smoothing=0.3)
    train(recipe, files_in(tmp_path, "baseB"), None, running)
    recorded = json.loads((tmp_path / "baseB.metrics.json").read_text())["guessing_loss"]
    plain, smoothed = (recipe.task("B").guessing_facts(label_smoothing=s)["guessing_loss"] for s in (0.0, 0.3))
    assert recorded == smoothed > plain + 0.1


def test_only_caffes_updates_are_captured(recipe, running):
    on_gpu = replace(running, device="cuda", cuda_graphs=True)
    for optimizer in ("caffe_sgd", "sgd", "adamw"):
        settings = replace(recipe.hyperparameters, optimizer=optimizer)
        learner = SimpleNamespace(hyperparameters=settings, draws=False)
        assert replays([learner], on_gpu) == (optimizer == "caffe_sgd")
