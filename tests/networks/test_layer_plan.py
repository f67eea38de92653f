"""Plans of networks: what is copied, drawn, frozen and learned, layer by layer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from transferability.networks.copying import training_mode
from transferability.networks.layer_plan import PLANS, layer_plans

HELD, TUNED, NEW = ("A", 0), ("A", 1), ("new", 1)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ("surgical", [[HELD, TUNED, HELD, HELD, NEW]]),
        ("statistics", [[HELD, HELD, ("S", 1), ("S", 1), NEW]]),
        ("truncated", [[HELD, HELD, ("dropped", 0), ("dropped", 0), NEW]]),
        ("probe_then_tune", [[HELD, HELD, NEW, NEW, NEW], [TUNED, TUNED, NEW, NEW, NEW]]),
        ("reinitialized", [[HELD, ("new", 0), HELD, HELD, HELD]]),
    ],
)
def test_a_plan_at_the_second_of_five_layers(plan, expected):
    assert [list(phase.layers) for phase in layer_plans("A", 2, 2, 5, plan)] == expected


@given(st.integers(1, 9), st.data())
def test_without_a_plan_the_lowest_layers_are_copied_and_the_lowest_of_these_frozen(copied, data):
    frozen, layers = data.draw(st.integers(0, copied)), data.draw(st.integers(copied + 1, 12))
    (plan,) = layer_plans("A", copied, frozen, layers)
    assert plan.copied == tuple(range(copied))
    assert plan.frozen == tuple(range(frozen))
    assert plan.trunk == frozen
    assert plan.learning == tuple(range(frozen, layers))


@given(st.sampled_from(PLANS), st.integers(1, 9), st.data())
def test_every_layer_is_told_and_the_trunk_is_what_is_frozen_below_the_first_that_is_not_a_copy(plan, n, data):
    layers = data.draw(st.integers(n + 1, 12))
    for phase in layer_plans("A", n, n, layers, plan):
        assert len(phase.layers) == layers
        assert sorted((*phase.learning, *phase.frozen)) == [
            k for k, x in enumerate(phase.layers) if x.source != "dropped"
        ]
        assert all(phase.layers[k] == HELD for k in range(phase.trunk))
        assert phase.layers[phase.trunk] != HELD


def test_dropout_of_frozen_layers_is_kept_below_what_learns_as_in_caffe_and_rests_above_it():
    network = nn.Sequential(*(nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2)) for _ in range(4)))
    training_mode(network, *layer_plans("A", 2, 2, 4, "surgical"))
    assert [layer[0].training for layer in network] == [True, True, False, True]
    assert [layer[1].training for layer in network] == [False, True, False, True]


def test_a_base_copies_nothing():
    (plan,) = layer_plans(None, 0, 0, 3)
    assert plan.layers == (NEW, NEW, NEW)
    assert not plan.copied
