"""Treatments with a plan in a config: which networks and rules they make, and what is refused."""

import copy

import pytest

from tests.support import DEFAULT
from transferability.study.design import read_study
from transferability.study.schema import ConfigError


def with_treatments(*treatments, depths="all", **training):
    config = copy.deepcopy(DEFAULT)
    config["networks"] |= {"treatments": list(treatments), "depths": depths, "fine_tuned_depths": [2]}
    config["training"] |= training
    return config


def test_each_plan_has_its_depths_and_is_trained_as_what_it_is_compared_with():
    plans = ("surgical", "statistics", "truncated", "probe_then_tune", "reinitialized")
    study = read_study(with_treatments(*(f"selffer_{plan}" for plan in plans)))
    depths = {}
    for network in study.networks_of("random0"):
        if network.source:
            depths.setdefault((network.plan, network.stage), set()).add(network.n)
    assert depths == {
        ("surgical", "frozen"): {*range(1, 8)},
        ("statistics", "frozen"): {*range(1, 7)},
        ("truncated", "frozen"): {*range(1, 8)},
        ("probe_then_tune", "fine_tuned"): {2},
        ("reinitialized", "frozen"): {*range(1, 8)},
    }


def test_the_rules_of_plans_train_the_networks_of_the_study():
    study = read_study(with_treatments("transfer", "transfer_surgical", "transfer_probe_then_tune"))
    rules = {rule.name: rule for rule in study.training_rules}
    assert rules["train_frozen_surgical_n1_to_7"].networks[0] == "{source}1{target}_surgical"
    assert rules["train_fine_tuned_probe_then_tune_n2"].stage == "fine_tuned"
    made = {
        name.format(source=source, target=target)
        for rule in rules.values()
        for name in rule.networks
        for source, target in ("AB", "BA")
        if "{source}" in name
    }
    assert made == {network.name for network in study.networks_of("random0") if network.source}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            with_treatments("transfer_statistics", depths=[7]),
            "transfer_statistics draws the layers between the n-th and",
        ),
        (with_treatments("transfer_probe_then_tune", iterations=1, evaluate_every=1), "give them at least 2"),
        (with_treatments("transfer_probe_then_tune", depths=[3]), "networks.fine_tuned_depths: none of 2 is in"),
        (with_treatments("random_surgical"), "is 'random_surgical'; it must be one of"),
        (with_treatments("transfer_reinitialized"), "is 'transfer_reinitialized'; it must be one of"),
        (with_treatments("transfer_surgical") | {"splits": ["whole"]}, "transfer_surgical copies from another half"),
    ],
)
def test_what_cannot_be_trained_is_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        read_study(config)
