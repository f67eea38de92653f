"""Variants not yet measured on a GPU compute what the engine computes, as far as a CPU can tell."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import variants
from safetensors.torch import load_file
from torch import nn

from tests.support import files_in, with_settings
from tests.training.support import SETTINGS, Capture
from transferability.data import stream
from transferability.networks.architecture import Architecture, he_normal
from transferability.networks.build import ARCHITECTURES
from transferability.study.settings import Preprocessing
from transferability.training import lock_step
from transferability.training.graphs import Replayed
from transferability.training.optimizer import CaffeSGD
from transferability.training.train import train


@pytest.fixture
def cropped(recipe):
    return with_settings(recipe, preprocessing=Preprocessing(crop=14, mirror=True, mean="own", scale=64.0))


def weights_with(way, recipe, running, folder, names=("R1B+", "R3B+"), **about):
    files = files_in(folder, *names)
    with way():
        train(recipe, files, None, replace(running, states=folder / "states", **about))
    return {network.name: load_file(one.checkpoint) for network, one in files.items()}


def ways_of(way):
    return enumerate((usual, variants.VARIANTS[way]))


def usual():
    return nullcontext()


def largest_difference(one, other):
    return max(float((one[n][k] - other[n][k]).abs().max()) for n in one for k in one[n])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_fused_updates_are_caffes_with_a_rate_that_changes(layout):
    def trained(apply, rate_of):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
        network.to(memory_format=layout)
        optimizer, random = CaffeSGD(network, SETTINGS), torch.Generator().manual_seed(1)
        for iteration in range(30):
            loss = network(torch.randn(4, 3, 6, 6, generator=random)).square().mean()
            gradients = torch.autograd.grad(loss, optimizer._parameters)
            apply(optimizer, gradients, rate_of(SETTINGS.rate_at(iteration)))
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    caffe, fused = trained(CaffeSGD.apply, torch.tensor), trained(variants.apply_fused, float)
    assert torch.allclose(caffe, fused, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(caffe, trained(variants.apply_fused, lambda rate: 0.9 * rate), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("way", ["fused_sgd", "contiguous"])
def test_weights_are_the_same_but_for_rounding(way, cropped, running, tmp_path):
    recipe = cropped.with_hyperparameters(iterations=8, evaluate_every=8)
    one, other = (weights_with(w, recipe, running, tmp_path / str(i)) for i, w in ways_of(way))
    assert largest_difference(one, other) < 1e-5


@pytest.mark.parametrize("way", ["copy_stream", "one_copy"])
@pytest.mark.parametrize("cache_bytes", [1e9, 0.0])
def test_images_are_the_same_to_the_bit(way, cache_bytes, cropped, running, tmp_path, monkeypatch):
    """The functions for a GPU are tested on the CPU, which can run them."""
    monkeypatch.setattr(stream, "less_mean_on_host", stream.less_mean_on_gpu)
    if cache_bytes:
        monkeypatch.setattr(stream, "HostImages", stream.GPUImages)
    about = {"cache_bytes": cache_bytes}
    one, other = (weights_with(w, cropped, running, tmp_path / str(i), **about) for i, w in ways_of(way))
    assert largest_difference(one, other) == 0


def test_small_numbers_are_copied_once_an_iteration(cropped, running, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "HostImages", stream.GPUImages)
    monkeypatch.setattr(stream, "less_mean_on_host", stream.less_mean_on_gpu)
    copied = []
    to_device = stream.to_device
    monkeypatch.setattr(
        stream, "to_device", lambda numbers, device: copied.append(np.shape(numbers)) or to_device(numbers, device)
    )
    weights_with(variants.one_copy, cropped, running, tmp_path)
    batch, iterations = cropped.hyperparameters.batch_size, cropped.hyperparameters.iterations
    assert copied.count((5, batch)) >= iterations  # those read ahead too
    assert (3, batch) not in copied


def with_dropout(image_shape, classes):
    network = ARCHITECTURES["mini_caffenet"].build(image_shape, classes)
    network[6].add_module("dropout", nn.Dropout(0.5))
    return network


def test_recorded_dropout_is_seeded_by_network_and_iteration(recipe, running, tmp_path, monkeypatch):
    """A stand-in captures, and calls the update again; without that iteration's seed the result would differ."""
    monkeypatch.setitem(ARCHITECTURES, "dropping", Architecture(with_dropout, he_normal, 7))
    recipe = with_settings(recipe, architecture="dropping")
    plain = weights_with(usual, recipe, running, tmp_path / "plain")
    capture = Capture()

    def way():
        block = variants.recorded_dropout()
        return Within(block, capture, monkeypatch)

    captured = weights_with(way, recipe, running, tmp_path / "captured", cuda_graphs=True)
    assert capture.replays > 0
    assert largest_difference(plain, captured) == 0
    learner = type("Learner", (), {"key": (0, "random0", "R1B+"), "iteration": 3})
    other = type("Learner", (), {"key": (0, "random0", "R1B+"), "iteration": 4})
    assert variants.dropout_seed(learner) != variants.dropout_seed(other)


class Within:
    """The variant's block, with a stand-in that captures on a CPU."""

    def __init__(self, block, capture, monkeypatch):
        self._block, self._recorder, self._patch = block, capture, monkeypatch

    def __enter__(self):
        self._block.__enter__()
        self._patch.setattr(lock_step, "replays", lambda learning, running: running.cuda_graphs)
        self._patch.setattr(lock_step, "Replayed", partial(Replayed, capture=self._recorder))

    def __exit__(self, *about):
        self._patch.undo()
        self._block.__exit__(*about)
