"""What tests of training need: a program to kill, settings for few iterations, and a stand-in for a GPU's capture."""

from pathlib import Path

import torch

from tests.networks import own_networks
from tests.support import with_settings
from transferability.study.settings import Foreign, Hyperparameters

# A network of batch norm, drop path and functional dropout, and where it is cut; its head is fc.
CUTS = ("stem", "block1", "block2")
FOREIGN = Foreign(cuts=CUTS)

TRAIN_IN_PROCESS = Path(__file__).with_name("train_in_process.py")

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
