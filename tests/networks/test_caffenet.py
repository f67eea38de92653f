"""The paper's network against the authors' files, and against arithmetic that shares no code with torch."""

import numpy as np
import pytest
import torch
from torch import nn

from transferability.networks.architecture import CrossChannelNormalization
from transferability.networks.architectures.caffenet import LAYERS
from transferability.networks.build import build_network, shareable_layers
from transferability.networks.layer_plan import layer_plans

# Worked out by hand from the authors' imagenet_train.prototxt: what each layer hands on for 227 x 227 pixels, and its
# weights and biases. The total, 60,965,224, is also the known size of Caffe's reference network.
OUTPUTS = {
    "conv1": (96, 27, 27),
    "conv2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 6, 6),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
}
PARAMETERS = {
    "conv1": 96 * 3 * 11 * 11 + 96,
    "conv2": 256 * 48 * 5 * 5 + 256,
    "conv3": 384 * 256 * 3 * 3 + 384,
    "conv4": 384 * 192 * 3 * 3 + 384,
    "conv5": 256 * 192 * 3 * 3 + 256,
    "fc6": 4096 * 256 * 6 * 6 + 4096,
    "fc7": 4096 * 4096 + 4096,
    "fc8": 1000 * 4096 + 1000,
}
DEVIATIONS = dict.fromkeys(LAYERS, 0.01) | {"fc6": 0.005, "fc7": 0.005}
BIASES = {"conv1": 0, "conv2": 1, "conv3": 0, "conv4": 1, "conv5": 1, "fc6": 1, "fc7": 1, "fc8": 0}


@pytest.fixture(scope="module")
def caffenet():
    return build_network("caffenet", (227, 227, 3), 1000, 0, "caffenet").eval()


def learned(layer):
    return next(module for module in layer.modules() if isinstance(module, nn.Conv2d | nn.Linear))


def test_shapes_and_parameters(caffenet):
    features = torch.zeros(1, 3, 227, 227)
    for name, layer in caffenet.named_children():
        features = layer(features)
        assert tuple(features.shape[1:]) == OUTPUTS[name]
        assert sum(p.numel() for p in layer.parameters()) == PARAMETERS[name]
    assert sum(p.numel() for p in caffenet.parameters()) == 60_965_224


def test_fillers(caffenet):
    for name, layer in caffenet.named_children():
        module = learned(layer)
        assert module.weight.std().item() == pytest.approx(DEVIATIONS[name], rel=0.02)
        assert abs(module.weight.mean().item()) < DEVIATIONS[name] / 50
        assert (module.bias == BIASES[name]).all()


def test_half_of_what_fc7_and_fc8_see_is_dropped_in_training_only(caffenet):
    assert shareable_layers(caffenet, *layer_plans("A", 8, 8, 8)) == LAYERS.index("fc7")
    dropouts = [name for name, m in caffenet.named_modules() if isinstance(m, nn.Dropout) and m.p == 0.5]
    assert dropouts == ["fc7.0", "fc8.0"]
    features = torch.rand(1, 4096) + 1
    assert torch.equal(caffenet.fc7[0](features), features)


def convolution(images, weights, biases, stride=1, pad=0, groups=1):
    """Channels x height x width, one window at a time."""
    images = np.pad(images, ((0, 0), (pad, pad), (pad, pad)))
    filters, depth, side, _ = weights.shape
    rows, columns = ((length - side) // stride + 1 for length in images.shape[1:])
    out = np.empty((filters, rows, columns))
    for group in range(groups):
        mine = slice(group * filters // groups, (group + 1) * filters // groups)
        seen = images[group * depth : (group + 1) * depth]
        for row in range(rows):
            for column in range(columns):
                window = seen[:, row * stride : row * stride + side, column * stride : column * stride + side]
                out[mine, row, column] = np.tensordot(weights[mine], window, 3) + biases[mine]
    return out


def relu(values):
    return np.maximum(values, 0)


def pool(images):
    """Windows of 3 every 2 pixels; a last one may reach over the edge (Caffe rounds up)."""
    rows, columns = (int(np.ceil((length - 3) / 2)) + 1 for length in images.shape[1:])
    windows = [
        [images[:, 2 * r : 2 * r + 3, 2 * c : 2 * c + 3].max((1, 2)) for c in range(columns)] for r in range(rows)
    ]
    return np.array(windows).transpose(2, 0, 1)


def normalize(images):
    """Krizhevsky et al. (2012), as in Caffe: alpha is divided by the number of channels summed over."""
    channels = len(images)
    squares = [np.square(images[max(0, i - 2) : min(channels, i + 3)]).sum(0) for i in range(channels)]
    return images / (1 + 1e-4 / 5 * np.array(squares)) ** 0.75


REFERENCE = {
    "conv1": lambda x, w, b: normalize(pool(relu(convolution(x, w, b, stride=4)))),
    "conv2": lambda x, w, b: normalize(pool(relu(convolution(x, w, b, pad=2, groups=2)))),
    "conv3": lambda x, w, b: relu(convolution(x, w, b, pad=1)),
    "conv4": lambda x, w, b: relu(convolution(x, w, b, pad=1, groups=2)),
    "conv5": lambda x, w, b: pool(relu(convolution(x, w, b, pad=1, groups=2))),
    "fc6": lambda x, w, b: relu(w @ x.ravel() + b),
    "fc7": lambda x, w, b: relu(w @ x + b),
    "fc8": lambda x, w, b: w @ x + b,
}


def test_each_layer_computes_what_the_paper_says():
    network = build_network("caffenet", (99, 83, 3), 10, 1).eval()
    features = np.random.default_rng(0).normal(0, 60, (3, 99, 83))
    for name, layer in network.named_children():
        module = learned(layer)
        weights, biases = (p.detach().double().numpy() for p in (module.weight, module.bias))
        with torch.no_grad():
            ours = layer(torch.from_numpy(features)[None].float())[0].numpy()
        features = REFERENCE[name](features, weights, biases)
        assert ours.shape == features.shape
        np.testing.assert_allclose(ours, features, rtol=1e-4, atol=1e-4 * np.abs(features).max())


def test_the_normalization_is_torchs_in_both_directions():
    images = torch.from_numpy(np.random.default_rng(0).normal(0, 60, (2, 24, 5, 4))).float()
    results = []
    for module in (CrossChannelNormalization(24), nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)):
        seen = images.clone().requires_grad_(True)
        output = module(seen)
        results.append((output.detach(), torch.autograd.grad(output.square().sum(), seen)[0]))
    (ours, our_gradient), (torchs, torchs_gradient) = results
    assert (ours - images).abs().max() > 10
    torch.testing.assert_close(ours, torchs, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(our_gradient, torchs_gradient, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("pooling", [nn.MaxPool2d(3, stride=2, ceil_mode=True), nn.MaxPool2d(2)])
def test_relu_may_come_after_a_maximum(pooling):
    """To the bit, gradients too, ties and windows without a positive value included."""
    numbers = np.random.default_rng(0).integers(-6, 3, (4, 8, 12, 11))
    results = []
    for order in ([nn.ReLU(), pooling], [pooling, nn.ReLU(inplace=True)]):
        seen = torch.from_numpy(numbers).float().requires_grad_(True)
        output = nn.Sequential(*order)(seen)
        weights = torch.arange(output.numel()).reshape(output.shape)
        results.append((output.detach(), torch.autograd.grad((output * weights).sum(), seen)[0]))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
