from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.support import SETTINGS
from transferability.training.optimizer import CaffeSGD, clipped


def rate_of(iteration):
    return torch.tensor(SETTINGS.rate_at(iteration), dtype=torch.float64)


def test_updates_are_caffes():
    """Against Caffe's formula in float64, over steps of the rate: v <- m v + r (g + d w), w <- w - v."""
    torch.manual_seed(0)
    network = nn.Linear(3, 2).double()
    weight, bias = (p.detach().numpy().copy() for p in (network.weight, network.bias))
    v_weight, v_bias = np.zeros_like(weight), np.zeros_like(bias)
    optimizer = CaffeSGD(network, SETTINGS)
    inputs = torch.randn(30, 4, 3, dtype=torch.float64)
    for iteration in range(30):
        x = inputs[iteration].numpy()
        g_out = (x @ weight.T + bias) ** 3 / x.shape[0]  # the gradient of the mean of y^4 / 4
        rate = 0.1 * 0.1 ** (iteration // 7)
        v_weight = 0.9 * v_weight + rate * (g_out.T @ x + 0.01 * weight)
        v_bias = 0.9 * v_bias + 2 * rate * g_out.sum(axis=0)
        weight, bias = weight - v_weight, bias - v_bias
        optimizer.step((network(inputs[iteration]) ** 4).sum(dim=1).mean() / 4, rate_of(iteration))
        assert np.allclose(network.weight.detach().numpy(), weight, atol=1e-12)
        assert np.allclose(network.bias.detach().numpy(), bias, atol=1e-12)


def test_what_needs_no_gradient_is_left_alone():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    network[0].requires_grad_(False)
    before = network[0].weight.clone()
    optimizer = CaffeSGD(network, SETTINGS)
    optimizer.step(network(torch.ones(1, 3)).square().mean(), rate_of(0))
    assert torch.equal(network[0].weight, before)
    assert set(optimizer.buffers) == {"1.weight", "1.bias"}


def gradients_of(length):
    """Two tensors, of this norm together."""
    return torch.tensor([[0.6 * length]]), torch.tensor([0.0, 0.8 * length])


@pytest.mark.parametrize("length", [0.0, 0.3, 1.999])
def test_short_gradients_stay_as_they_are_to_the_bit(length):
    before = gradients_of(length)
    assert all(map(torch.equal, clipped(before, 2.0), before))


@pytest.mark.parametrize("length", [2.5, 1e3, 1e15])
def test_long_gradients_keep_their_direction(length):
    after = clipped(gradients_of(length), 2.0)
    assert all(torch.allclose(got, wanted) for got, wanted in zip(after, gradients_of(2.0), strict=True))


def test_gradients_that_are_no_numbers_are_not_hidden():
    assert clipped((torch.tensor([1.0]), torch.tensor([float("nan")])), 2.0)[0].isnan().all()


def test_clipping_comes_before_decay_and_bounds_the_first_update():
    """As Caffe's ApplyUpdate: clip over all parameters, then decay the weights, then the rate."""
    network = nn.Linear(3, 2).double()
    weight, bias = network.weight.detach().clone(), network.bias.detach().clone()
    loss = 100 * (network(torch.ones(4, 3, dtype=torch.float64)) - 5).square().mean()
    of_weight, of_bias = torch.autograd.grad(loss, (network.weight, network.bias), retain_graph=True)
    scale = 0.5 / torch.cat([of_weight.flatten(), of_bias]).norm()
    CaffeSGD(network, replace(SETTINGS, clip_norm=0.5)).step(loss, rate_of(0))
    assert torch.allclose(network.weight, weight - 0.1 * (scale * of_weight + 0.01 * weight), atol=1e-12)
    assert torch.allclose(network.bias, bias - 0.2 * scale * of_bias, atol=1e-12)


def test_rates():
    assert [SETTINGS.rate_at(i) for i in (0, 6, 7, 14)] == pytest.approx([0.1, 0.1, 0.01, 0.001])
    cosine = replace(SETTINGS, schedule="cosine")
    assert cosine.rate_at(0) == 0.1
    assert cosine.rate_at(15) == pytest.approx(0.05)
    assert 0 < cosine.rate_at(29) < 0.001
    assert replace(SETTINGS, schedule="constant").rate_at(29) == 0.1
