from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from tests.support import files_in
from transferability.networks.build import build_network
from transferability.networks.forward import logits_of
from transferability.networks.precision import PRECISIONS, computing_in, use_precision
from transferability.training.evaluation import evaluate
from transferability.training.train import train


@pytest.fixture(autouse=True)
def _float32_again():
    yield
    use_precision("float32")


@pytest.mark.parametrize(("precision", "expected"), [("float32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")])
def test_a_gpu_is_told_how_to_multiply(precision, expected):
    use_precision(precision)
    assert torch.backends.cuda.matmul.fp32_precision == expected
    assert torch.backends.cudnn.conv.fp32_precision == expected


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_products_are_computed_in_it(precision, dtype):
    with computing_in(precision, "cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


@pytest.mark.parametrize("name", ["baseB", "R3B", "R3B+"])
def test_networks_in_bf16_have_float32_weights_near_those_in_float32(name, recipe, running, tmp_path):
    weights = {}
    for precision in PRECISIONS:
        with_precision = recipe.with_hyperparameters(precision=precision, iterations=6)
        files = files_in(tmp_path / precision, name)
        states = tmp_path / "states" / precision
        train(with_precision, files, None, replace(running, states=states))
        (paths,) = files.values()
        weights[precision] = load_file(paths.checkpoint)
    assert all(tensor.dtype == torch.float32 for tensor in weights["bf16"].values())
    assert all(torch.equal(weights["tf32"][key], tensor) for key, tensor in weights["float32"].items())  # on the CPU
    learned = [key for key, tensor in weights["float32"].items() if not torch.equal(tensor, weights["bf16"][key])]
    assert learned
    for key in (key for key in learned if key.endswith("weight")):
        exact = weights["float32"][key]
        assert (weights["bf16"][key] - exact).norm() < 0.05 * exact.norm()


def test_the_last_layer_is_in_float32():
    """In bfloat16 the two best of many classes are often the same number."""
    network = build_network("mini_caffenet", (16, 16, 1), 100, 0)
    images = torch.randn(400, 1, 16, 16)
    with torch.no_grad():
        with computing_in("bf16", "cpu"):
            features, rounded = network[:-1](images), network(images)
        assert features.dtype == torch.bfloat16
        logits = logits_of(network, images, "bf16")
        assert torch.equal(logits, network[-1](features.float()))
    assert tied(rounded)
    assert not tied(logits)


def tied(logits):
    best = logits.topk(2).values
    return (best[:, 0] == best[:, 1]).any()


def test_an_evaluation_is_in_the_same_precision_as_the_training(recipe, running, tmp_path):
    in_bf16 = recipe.with_hyperparameters(precision="bf16")
    files = files_in(tmp_path, "baseB")
    train(in_bf16, files, None, running)
    ((network, paths),) = files.items()
    found, _ = evaluate(in_bf16, network, load_file(paths.checkpoint), "cpu")
    last = paths.history.read_text().splitlines()[-1].split(",")
    assert [found.loss, found.top1, found.top5, found.balanced] == [
        pytest.approx(float(value), abs=1e-6) for value in last[3:]
    ]
    assert evaluate(recipe, network, load_file(paths.checkpoint), "cpu")[0].loss != found.loss
