from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.support import SETTINGS
from transferability.training.optimizer import CaffeSGD


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


def test_rates():
    assert [SETTINGS.rate_at(i) for i in (0, 6, 7, 14)] == pytest.approx([0.1, 0.1, 0.01, 0.001])
    cosine = replace(SETTINGS, schedule="cosine")
    assert cosine.rate_at(0) == 0.1
    assert cosine.rate_at(15) == pytest.approx(0.05)
    assert 0 < cosine.rate_at(29) < 0.001
    assert replace(SETTINGS, schedule="constant").rate_at(29) == 0.1
