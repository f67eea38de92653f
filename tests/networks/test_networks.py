import pytest
import torch
from torch import nn

from transferability.networks.architectures import architecture_layers
from transferability.networks.architectures.mini_caffenet import LAYERS
from transferability.networks.build import ARCHITECTURES, build_network, shareable_layers
from transferability.networks.copying import copy_layers
from transferability.networks.layer_plan import layer_plans

PAPERS_LAYERS = (*(f"conv{n}" for n in range(1, 6)), "fc6", "fc7", "fc8")
SHAPES = [(24, 24, 1), (32, 32, 3), (28, 28, 1)]


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [
        *(("mini_caffenet", shape) for shape in SHAPES),
        ("small_caffenet", (28, 28, 3)),
        ("small_caffenet", (64, 48, 3)),
        ("caffenet", (67, 67, 3)),
        ("caffenet", (100, 68, 1)),
    ],
)
def test_eight_layers_with_the_papers_names(architecture, shape):
    network = build_network(architecture, shape, 11, 0)
    assert tuple(name for name, _ in network.named_children()) == architecture_layers(architecture) == PAPERS_LAYERS
    assert network(torch.zeros(2, shape[2], *shape[:2])).shape == (2, 11)
    learned = [[m for m in layer.modules() if isinstance(m, nn.Conv2d | nn.Linear)] for layer in network]
    assert [len(modules) for modules in learned] == [1] * 8
    assert [type(modules[0]) for modules in learned] == [nn.Conv2d] * 5 + [nn.Linear] * 3


def test_a_layer_draws_the_same_weights_whatever_the_others_are():
    one, other = (
        build_network("mini_caffenet", shape, classes, 0, "x") for shape, classes in ((SHAPES[0], 5), ((32, 32, 1), 9))
    )
    same = [
        all(torch.equal(a, b) for a, b in zip(x.parameters(), y.parameters(), strict=True) if a.shape == b.shape)
        for x, y in zip(one, other, strict=True)
    ]
    assert same[:5] == [True] * 5
    assert same[6]


def test_another_name_or_seed_draws_other_weights():
    networks = [build_network("mini_caffenet", SHAPES[0], 5, seed, name) for seed in (0, 1) for name in ("A1B", "A2B")]
    firsts = [tuple(network[0][0].weight.flatten().tolist()) for network in networks]
    assert len(set(firsts)) == 4


@pytest.mark.parametrize("architecture", ["mini_caffenet", "small_caffenet"])
def test_the_networks_for_small_images_draw_he_weights(architecture):
    network = build_network(architecture, (24, 24, 1), 5, 0)
    for layer in network[1:7]:
        module = next(m for m in layer if isinstance(m, nn.Conv2d | nn.Linear))
        inputs = module.weight[0].numel()
        assert module.weight.var().item() == pytest.approx(2 / inputs, rel=0.15)
        assert not module.bias.any()


def test_copying_is_bit_for_bit_and_goes_no_further():
    source, network = (build_network("mini_caffenet", SHAPES[0], 5, name) for name in "AB")
    before = {k: v.clone() for k, v in network.state_dict().items()}
    copy_layers(source.state_dict(), network, range(3))
    for key, value in network.state_dict().items():
        expected = source.state_dict() if LAYERS.index(key.split(".")[0]) < 3 else before
        assert torch.equal(value, expected[key])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_images_that_are_too_small_are_refused_and_the_next_size_works(architecture):
    side = ARCHITECTURES[architecture].smallest_side
    with pytest.raises(ValueError, match=f"at least {side} pixels a side; these are {side - 1} x 99"):
        build_network(architecture, (side - 1, 99, 1), 2, 0)
    assert build_network(architecture, (side, side, 1), 2, 0)(torch.zeros(1, 1, side, side)).shape == (1, 2)


def test_the_first_layer_with_dropout():
    (both_frozen,) = layer_plans("A", 2, 2, 2)
    for probability, shared in ((0.0, 2), (0.5, 1)):
        network = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Dropout(probability), nn.Linear(1, 1)))
        assert shareable_layers(network, both_frozen) == shared
