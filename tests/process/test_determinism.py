"""The switches of deterministic GPU computing; whether they do what they promise takes a GPU to show."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from tests.support import files_in
from transferability.files import read_json
from transferability.networks.build import ARCHITECTURES, build_network
from transferability.process.determinism import deterministic_algorithms
from transferability.training.train import train

SCRIPT = """
import json, os, sys
import torch
from transferability.process.determinism import deterministic_algorithms

def switches():
    return [
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.utils.deterministic.fill_uninitialized_memory,
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    ]

torch.backends.cudnn.benchmark = True
seen = []
for device, wanted, workspace in json.loads(sys.argv[1]):
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
    if workspace:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = workspace
    before, within = switches(), None
    try:
        with deterministic_algorithms(device, wanted=wanted):
            within = switches()
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        seen.append([before, within, switches()])
print(json.dumps(seen))
"""


def test_the_switches_are_set_on_a_gpu_only_and_reset_however_the_block_ends():
    cases = [
        ("cuda", True, None),
        ("cuda", False, None),
        ("cpu", True, None),
        ("cuda", True, ":16:8"),  # deterministic, and kept
        ("cuda", True, ":4096:2"),  # several streams share it
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(cases)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    def off(workspace):
        return [False, False, True, True, workspace]

    def on(workspace):
        return [True, True, False, False, workspace]

    assert json.loads(done.stdout) == [
        [off(None), on(":4096:8"), off(None)],
        [off(None), off(None), off(None)],
        [off(None), off(None), off(None)],
        [off(":16:8"), on(":16:8"), off(":16:8")],
        [off(":4096:2"), on(":4096:8"), off(":4096:2")],
    ]


def test_the_mode_changes_no_network_on_the_cpu_and_is_recorded(recipe, running, tmp_path):
    train(recipe, files_in(tmp_path / "plain", "baseA"), None, running)
    with deterministic_algorithms("cuda", wanted=True):
        train(recipe, files_in(tmp_path / "strict", "baseA"), None, replace(running, states=tmp_path / "other states"))
    plain, strict = ((tmp_path / name / "baseA.safetensors").read_bytes() for name in ("plain", "strict"))
    assert plain == strict
    assert read_json(tmp_path / "plain" / "baseA.metrics.json")["deterministic"] is True


# Backward passes that PyTorch's documentation calls nondeterministic on a GPU, by the name they have in a graph.
NONDETERMINISTIC = (
    "AvgPool3D",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "MaxPool3D",
    "Upsample",
    "NllLoss2D",
    "GridSampler",
)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_network_has_an_operation_that_the_mode_refuses(architecture):
    side = ARCHITECTURES[architecture].smallest_side
    network = build_network(architecture, (side, side, 3), 2)
    loss = torch.nn.functional.cross_entropy(network(torch.zeros(2, 3, side, side)), torch.tensor([0, 1]))
    waiting, names = [loss.grad_fn], set()
    while waiting:
        node = waiting.pop()
        names.add(type(node).__name__)
        waiting += [following for following, _ in node.next_functions if following is not None]
    assert "ConvolutionBackward0" in names
    assert not [name for name in names if name.startswith(NONDETERMINISTIC)]
