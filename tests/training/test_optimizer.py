from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.support import SETTINGS
from transferability.training.optimizer import CaffeSGD, clipped, is_capturable, make_optimizer, rate_at
from transferability.training.parameter_groups import decays

OPTIMIZERS = ["caffe_sgd", "sgd", "adamw"]
CPU = torch.device("cpu")


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


def updated(network, settings, updates=30, copied=0):
    """The network after this many updates on made-up inputs, which are the same each time."""
    inputs = torch.randn(updates, 4, 3, generator=torch.Generator().manual_seed(1)).to(network[0].weight.dtype)
    optimizer = make_optimizer(network, settings, copied)
    for i, x in enumerate(inputs):
        optimizer.step((network(x) ** 4).sum(dim=1).mean() / 4, rate_at(i, settings, x.device))
    return network


def linear(*, layers=1):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(3, 3) for _ in range(layers))).double()


def by_hand(settings, change):
    """A linear layer's weight and bias after 30 updates by ``change(name, parameter, gradient, rate, t)``."""
    network = linear()
    inputs = torch.randn(30, 4, 3, generator=torch.Generator().manual_seed(1)).double()
    for t, x in enumerate(inputs, start=1):
        gradients = torch.autograd.grad((network(x) ** 4).sum(dim=1).mean() / 4, list(network.parameters()))
        with torch.no_grad():
            for (name, parameter), gradient in zip(network.named_parameters(), gradients, strict=True):
                parameter.sub_(change(name, parameter, gradient, settings.rate_at(t - 1), t))
    return network


def assert_close(one, other):
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_as_torch_documents_it(momentum):
    """b <- m b + g + d w; w <- w - r b. Biases neither decay nor have a rate of their own."""
    settings, buffers = replace(SETTINGS, optimizer="sgd", momentum=momentum), {}

    def change(name, parameter, gradient, rate, _t):
        decayed = gradient + (0.01 * parameter if name == "0.weight" else 0)
        buffers[name] = momentum * buffers.get(name, 0) + decayed
        return rate * buffers[name]

    assert_close(updated(linear(), settings), by_hand(settings, change))


def test_adamw_is_as_its_paper_has_it():
    """Algorithm 2 of Loshchilov and Hutter (ICLR 2019), but with the rate multiplying the decay too, as in torch."""
    settings, first, second = replace(SETTINGS, optimizer="adamw", weight_decay=0.3), {}, {}

    def change(name, parameter, gradient, rate, t):
        first[name] = 0.9 * first.get(name, 0) + 0.1 * gradient
        second[name] = 0.999 * second.get(name, 0) + 0.001 * gradient**2
        step = (first[name] / (1 - 0.9**t)) / ((second[name] / (1 - 0.999**t)).sqrt() + 1e-8)
        kept = (1 - rate * 0.3) * parameter if name == "0.weight" else parameter
        return parameter - (kept - rate * step)

    assert_close(updated(linear(), settings), by_hand(settings, change))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_needs_no_gradient_is_left_alone(optimizer):
    """Neither decay, nor momentum, nor a leftover gradient changes it."""
    network = linear(layers=2)
    network[0].requires_grad_(False)
    before = {name: parameter.clone() for name, parameter in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    updated(network, replace(SETTINGS, optimizer=optimizer, decay="all"), updates=3)
    same = {name for name, parameter in network.named_parameters() if torch.equal(parameter, before[name])}
    assert same == {"0.weight", "0.bias"}
    buffers = make_optimizer(network, replace(SETTINGS, optimizer=optimizer)).buffers
    assert {name.split(".", 1)[-1] if optimizer != "caffe_sgd" else name for name in buffers} == {"1.weight", "1.bias"}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_gradient_that_somebody_has_left_moves_nothing(optimizer):
    settings = replace(SETTINGS, optimizer=optimizer)
    clean, littered = linear(), linear()
    for parameter in littered.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    one, other = updated(clean, settings), updated(littered, settings)
    assert all(map(torch.equal, one.parameters(), other.parameters()))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_torchs_optimizers_have_no_rate_for_biases(optimizer):
    one, other = (
        updated(linear(), replace(SETTINGS, optimizer=optimizer, bias_lr_multiplier=multiplier))
        for multiplier in (1.0, 5.0)
    )
    assert all(map(torch.equal, one.parameters(), other.parameters()))


@pytest.mark.parametrize(
    ("decay", "decayed"),
    [
        ("all", {"weight", "norm.weight", "norm.bias", "bias", "cls_token", "pos_embed", "encoder.pos_embedding"}),
        ("all_but_biases", {"weight", "norm.weight", "cls_token", "pos_embed", "encoder.pos_embedding"}),
        ("weights", {"weight"}),
    ],
)
def test_what_decays(decay, decayed):
    shapes = {"weight": (2, 3), "norm.weight": (3,), "norm.bias": (3,), "bias": (3,), "cls_token": (1, 1, 3)}
    shapes |= {"pos_embed": (1, 4, 3), "encoder.pos_embedding": (1, 4, 3)}
    assert {name for name, shape in shapes.items() if decays(name, torch.zeros(shape), decay)} == decayed


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("decay", ["all", "all_but_biases"])
def test_decay_moves_what_decays(optimizer, decay):
    """With a loss that depends on nothing, only decay changes weights."""
    network = linear()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    settings = replace(SETTINGS, optimizer=optimizer, decay=decay, bias_lr_multiplier=1.0)
    optimizer = make_optimizer(network, settings)
    optimizer.step(sum((0 * parameter).sum() for parameter in network.parameters()), rate_at(0, settings, CPU))
    decayed = [1 - 0.1 * 0.01, 1 - 0.1 * 0.01 * (decay == "all")]
    for parameter, was, factor in zip(network.parameters(), before, decayed, strict=True):
        assert torch.allclose(parameter, factor * was, rtol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("copied", [0, 1, 2])
def test_copied_layers_learn_at_rates_that_decay_downward_and_new_ones_at_the_whole_rate(optimizer, copied):
    """The first update of each copied layer is 0.5 to the power of how far below the new ones it is."""
    plain = replace(SETTINGS, optimizer=optimizer, weight_decay=0.0)
    start, one, other = linear(layers=3), linear(layers=3), linear(layers=3)
    updated(one, plain, updates=1)
    updated(other, replace(plain, layer_decay=0.5), updates=1, copied=copied)
    for name, parameter in start.named_parameters():
        factor = 0.5 ** max(copied - int(name[0]), 0)
        wanted = parameter + factor * (one.get_parameter(name) - parameter)
        assert torch.allclose(other.get_parameter(name), wanted, rtol=1e-9, atol=1e-12)
        assert not torch.equal(one.get_parameter(name), parameter)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_is_given_clipped_gradients(optimizer):
    """So a first update from a gradient of any length is the same as from one of the largest allowed."""
    settings = replace(SETTINGS, optimizer=optimizer, clip_norm=1e-3)
    one, other = linear(), linear()
    for network, length in ((one, 1.0), (other, 1e6)):
        loss = length * (network(torch.ones(4, 3).double()) ** 2).mean()
        make_optimizer(network, settings).step(loss, rate_at(0, settings, CPU))
    assert_close(one, other)


def test_only_what_reads_its_rate_from_the_device_is_captured():
    for optimizer in OPTIMIZERS:
        settings = replace(SETTINGS, optimizer=optimizer)
        assert is_capturable(settings) == (optimizer == "caffe_sgd")
        assert rate_at(8, settings, CPU).item() == pytest.approx(0.01)


def gradients_of(length):
    """Two tensors that together have this norm."""
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
