"""The operations counted from shapes, against those that torch counts while the engine really trains."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.support import Patterns, files_in, with_settings
from transferability.data.build import build_store
from transferability.data.splits import random_split
from transferability.networks import build as networks
from transferability.networks.architecture import Architecture, he_normal
from transferability.networks.architectures import caffenet
from transferability.networks.architectures.mini_caffenet import mini_caffenet
from transferability.planning.flops import flops_per_image
from transferability.store.reading import open_store
from transferability.study.names import Network
from transferability.training.train import train

JOBS = ("baseA", "A3B+", "R7B", "R1B+ R4B+ R7B+", "R1B R4B R7B", "R2B_preserve3 R4B_preserve3")


@pytest.fixture(scope="module")
def caffenet_recipe(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    build_store(Patterns(class_count=4, training_per_class=2, validation_per_class=1, image_shape=(67, 67, 3)), folder)
    store = open_store(folder)
    of_store = replace(recipe, store=store, split=random_split(store.classes, "random0", 0))
    short = of_store.with_hyperparameters(iterations=2, batch_size=2, evaluate_every=1)
    return with_settings(short, architecture="caffenet")


def trained(recipe, names, running, folder, counter):
    """Operations that torch counts in a job with these networks, and those that the formula says."""
    files = files_in(folder, *names)
    source = None
    if names[0].startswith("A"):
        source = folder / "baseA.safetensors"
        train(recipe, files_in(folder, "baseA"), None, running)
    with counter:
        train(recipe, files, source, running)
    settings, target = recipe.hyperparameters, next(iter(files)).target
    task = recipe.task(target)
    flops = flops_per_image(
        recipe.settings.architecture,
        recipe.seen_shape,
        len(task.classes),
        [Network.parse(name).frozen for name in names],
    )
    evaluations = math.ceil(settings.iterations / settings.evaluate_every)
    evaluated = evaluations * len(task.validation()[0]) + len(task.training_sample(recipe.seed)[0])
    images = settings.iterations * settings.batch_size
    return counter.get_total_flops(), images * flops.training + evaluated * flops.forward


@pytest.mark.parametrize("job", JOBS)
def test_torch_counts_the_same_while_a_job_trains(job, recipe, running, tmp_path):
    counted, expected = trained(recipe, job.split(), running, tmp_path, FlopCounterMode(display=False))
    assert counted == expected


@pytest.mark.parametrize("job", ["baseA", "R1B R7B"])  # with dropout in fc7, and so six layers to share
def test_the_papers_network_too(job, caffenet_recipe, running, tmp_path, monkeypatch):
    # The engine's own normalization is a convolution, which torch would count.
    monkeypatch.setattr(caffenet, "CrossChannelNormalization", lambda channels: nn.LocalResponseNorm(5, 1e-4))

    def gradients(output, _inputs, weights, *rest, **_):
        """For a convolution with groups, torch's own count of the weights' gradient assumes a single group."""
        wanted = rest[-1][:2]  # of the inputs, of the weights
        return sum(wanted) * 2 * output[0] * math.prod(output[2:]) * math.prod(weights)

    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.convolution_backward: gradients})
    counted, expected = trained(caffenet_recipe, job.split(), running, tmp_path, counter)
    assert counted == expected


def test_shared_layers_cost_once_and_frozen_ones_have_no_backward_pass():
    base = flops_per_image("mini_caffenet", (24, 24, 1), 32)
    tuned = flops_per_image("mini_caffenet", (24, 24, 1), 32, (0,) * 7)
    frozen = flops_per_image("mini_caffenet", (24, 24, 1), 32, range(1, 8))
    assert (tuned.forward, tuned.backward) == (7 * base.forward, 7 * base.backward)
    assert base.forward < frozen.forward < tuned.forward
    assert frozen.backward < tuned.backward
    assert flops_per_image("mini_caffenet", (24, 24, 1), 32, (7,)).backward == 2 * 128 * 32


def test_the_papers_network_at_its_own_size():
    """Computed by hand from the shapes in the authors' files: weights per filter x filters x positions."""
    uses = [363 * 96 * 55**2, 1200 * 256 * 27**2, 2304 * 384 * 13**2, 1728 * 384 * 13**2, 1728 * 256 * 13**2]
    uses += [9216 * 4096, 4096 * 4096, 4096 * 1000]
    flops = flops_per_image("caffenet", (227, 227, 3), 1000)
    assert flops.forward == 2 * sum(uses)
    assert flops.backward == 2 * (2 * sum(uses) - uses[0])


def test_layers_may_nest_and_normalize_by_batch(monkeypatch):
    """Batch norm of one image and one position has no variance, and a layer need not be a chain of modules."""

    class Sum(nn.Module):
        def __init__(self, one, other):
            super().__init__()
            self.one, self.other = one, other

        def forward(self, features):
            return self.one(features) + self.other(features)

    def build(image_shape, classes):
        network = mini_caffenet(image_shape, classes)
        network.conv3 = Sum(network.conv3, nn.Sequential(nn.Conv2d(32, 48, 1)))
        network.fc7 = nn.Sequential(network.fc7, nn.BatchNorm1d(128))
        return network

    monkeypatch.setitem(networks.ARCHITECTURES, "nested", Architecture(build, he_normal, smallest_side=7))
    plain, nested = (flops_per_image(name, (24, 24, 1), 32).forward for name in ("mini_caffenet", "nested"))
    assert nested - plain == 2 * 32 * 48 * 3 * 3
