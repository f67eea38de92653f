"""What tests of training need: a program to kill, settings for few iterations, and a stand-in for a GPU's capture."""

import json
import os
import sys
from pathlib import Path

import torch

from tests.networks import own_networks
from tests.support import with_settings
from transferability.study.settings import Foreign, Hyperparameters

# A network of batch norm, drop path and functional dropout, and where it is cut; its head is fc.
CUTS = ("stem", "block1", "block2")
FOREIGN = Foreign(cuts=CUTS)

SETTINGS = Hyperparameters(
    iterations=30,
    batch_size=4,
    learning_rate=0.1,
    schedule="step",
    step_every=7,
    step_factor=0.1,
    momentum=0.9,
    weight_decay=0.01,
    bias_lr_multiplier=2.0,
    clip_norm=0.0,
    precision="float32",
    evaluate_every=10,
)


def of_dropping(recipe, foreign=FOREIGN):
    """The recipe for that network."""
    return with_settings(recipe, architecture=f"{Path(own_networks.__file__)}:Dropping", foreign=foreign)


def below(weights, depth):
    """The part of that network below a cut, including batch norm statistics."""
    return {key: tensor for key, tensor in weights.items() if key.startswith(CUTS[:depth])}


def equal(one, other):
    """Whether weights are the same to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def in_a_process(recipe, store_folder, source, folder, names, **more):
    """What `subprocess` is told of a process that trains networks into a folder, with their states beside it."""
    arguments = {
        "store": str(store_folder),
        "settings": recipe.settings.to_json(),
        "source": str(source),
        "folder": str(folder),
        "states": f"{folder} states",
        "names": names,
        **more,
    }
    script = str(Path(__file__).with_name("train_in_process.py"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return {"args": [sys.executable, script, json.dumps(arguments)], "env": environment}


class Capture:
    """Captures as a GPU does: what is replayed reads the tensors given then, and writes into the same result."""

    def __init__(self):
        self.captured = self.replays = 0

    def __call__(self, function, inputs):
        self.captured += 1
        result = torch.empty(0)

        def replay():
            self.replays += 1
            now = function(*inputs)
            result.resize_(now.shape).copy_(now)

        return replay, result
