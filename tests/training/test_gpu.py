"""What only a GPU can show; skipped without one.

The tests use deterministic mode, so that two ways of computing the same thing can be compared to the bit.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.networks import own_networks
from tests.support import files_in, with_settings
from transferability.data.resized_crops import ResizedCropLoader
from transferability.data.stream import ImageLoader
from transferability.files import read_json
from transferability.networks.precision import PRECISIONS
from transferability.process.determinism import deterministic_algorithms
from transferability.study.settings import Foreign, Preprocessing, RandomResizedCrop
from transferability.training.recipe import Running
from transferability.training.train import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
JOBS = [["baseB"], ["R1B", "R3B", "R7B"], ["R1B+", "R3B+", "R7B+"]]


@pytest.fixture(scope="module", autouse=True)
def _deterministic() -> Iterator[None]:
    with deterministic_algorithms("cuda", wanted=True):
        yield


@pytest.fixture
def on_gpu(running: Running) -> Running:
    return replace(running, device="cuda")


def weights(files):
    return {network.name: load_file(one.checkpoint) for network, one in files.items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, tensors in one.items():
        assert all(torch.equal(tensor, other[name][key]) for key, tensor in tensors.items()), name


@pytest.fixture
def trained(on_gpu, tmp_path):
    """Returns a function that trains networks in a folder of their own, and returns their files."""

    def train_in(name, recipe, names, **running):
        files = files_in(tmp_path / name, *names)
        train(recipe, files, None, replace(on_gpu, states=tmp_path / name / "states", **running))
        return files

    return train_in


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("names", JOBS, ids=lambda names: names[0])
class TestSameBits:
    @pytest.fixture
    def recipe(self, recipe, precision):
        return recipe.with_hyperparameters(precision=precision)

    def test_of_a_second_training(self, trained, recipe, names):
        assert_same(*(weights(trained(folder, recipe, names)) for folder in ("one", "other")))

    def test_of_recorded_updates(self, trained, recipe, names):
        plain, recorded = trained("plain", recipe, names), trained("recorded", recipe, names, cuda_graphs=True)
        assert_same(weights(plain), weights(recorded))
        assert all(plain[n].history.read_text() == recorded[n].history.read_text() for n in plain)

    def test_of_networks_trained_alone(self, trained, recipe, names):
        together = weights(trained("together", recipe, names))
        alone = {name: weights(trained(name, recipe, [name]))[name] for name in names}
        assert_same(together, alone)

    def test_of_images_read_from_the_store(self, trained, recipe, names):
        recipe = with_settings(recipe, preprocessing=Preprocessing(crop=14, mirror=True, mean="own", scale=64.0))
        held, stored = (trained(str(size), recipe, names, cache_bytes=size) for size in (1e9, 0.0))
        assert_same(weights(held), weights(stored))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("names", JOBS, ids=lambda names: names[0])
def test_torchs_optimizers_repeat_to_the_bit_alone_and_where_graphs_are_wanted(trained, recipe, names, optimizer):
    recipe = recipe.with_hyperparameters(optimizer=optimizer, learning_rate=0.002)
    together = weights(trained("together", recipe, names))
    assert_same(together, weights(trained("again", recipe, names, cuda_graphs=True)))
    assert_same(together, {name: weights(trained(name, recipe, [name]))[name] for name in names})


@pytest.mark.parametrize("graphs", [False, True])
def test_frozen_layers_stay_where_they_were(trained, recipe, graphs):
    at_first = recipe.with_hyperparameters(learning_rate=1e-30)
    drawn, moved = (
        weights(trained(name, of, ["R3B"], cuda_graphs=graphs))["R3B"]
        for name, of in (("drawn", at_first), ("moved", recipe))
    )
    same = {key.split(".")[0] for key, tensor in moved.items() if torch.equal(tensor, drawn[key])}
    assert same == {"conv1", "conv2", "conv3"}


def test_it_computes_what_a_cpu_does(trained, running, recipe, tmp_path):
    """There are just a few iterations, so that rounding differences have no time to grow."""
    recipe = recipe.with_hyperparameters(iterations=5, evaluate_every=5)
    on_gpu, on_cpu = trained("gpu", recipe, ["baseB"]), files_in(tmp_path / "cpu", "baseB")
    train(recipe, on_cpu, None, running)
    for key, tensor in weights(on_cpu)["baseB"].items():
        assert torch.allclose(tensor, weights(on_gpu)["baseB"][key], atol=1e-5), key
    one, other = (read_json(files[network].metrics) for files in (on_cpu, on_gpu) for network in files)
    assert one["top1_final"] == pytest.approx(other["top1_final"], abs=0.1)


@pytest.mark.parametrize("cache_bytes", [1e9, 0.0])
@pytest.mark.parametrize("crop", [0, 11])
def test_it_sees_the_images_that_a_cpu_does(recipe, crop, cache_bytes):
    store, preprocessing = recipe.store, Preprocessing(crop=crop, mirror=True, mean="own", scale=64.0)
    positions = np.arange(store.training_count)
    mean = store.mean_image(range(len(store.classes)))
    cpu, gpu = (
        ImageLoader(store, positions, mean, preprocessing, torch.device(device), cache_bytes=cache_bytes)
        for device in ("cpu", "cuda")
    )
    crops = cpu.random_crops(np.random.default_rng(0).permutation(len(cpu)), np.random.default_rng(1))
    assert torch.equal(cpu.batch(crops), gpu.batch(crops).cpu())


@pytest.mark.parametrize("cache_bytes", [1e9, 0.0])
def test_it_scales_crops_as_a_cpu_does(recipe, cache_bytes):
    store, resized = recipe.store, RandomResizedCrop(scale=(0.08, 1.0), ratio=(0.75, 4 / 3))
    preprocessing = Preprocessing(crop=11, mirror=True, mean="own", scale=61.0, random_resized_crop=resized)
    mean = store.mean_image(range(len(store.classes)))
    cpu, gpu = (
        ResizedCropLoader(store, np.arange(40), mean, preprocessing, torch.device(device), cache_bytes=cache_bytes)
        for device in ("cpu", "cuda")
    )
    of_each = (one.start_training(np.arange(40), np.random.default_rng(1))().cpu() for one in (cpu, gpu))
    assert torch.equal(*of_each)


@pytest.mark.parametrize("names", [["baseB"], ["R1B", "R2B", "R3B"], ["R1B+", "R3B+"]], ids=lambda names: names[0])
def test_a_network_of_ones_own_is_the_same_alone_and_again(trained, recipe, names):
    """With batch norm, drop path and a functional dropout, whose random numbers a GPU draws."""
    architecture = f"{Path(own_networks.__file__)}:Dropping"
    dropping = with_settings(recipe, architecture=architecture, foreign=Foreign(cuts=("stem", "block1", "block2")))
    together = weights(trained("together", dropping, names))
    assert_same(together, weights(trained("again", dropping, names)))
    for name in names:
        assert_same(weights(trained(f"alone_{name}", dropping, [name])), {name: together[name]})
