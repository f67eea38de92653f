import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferability.study.names import (
    COPYING,
    HALVES,
    OTHER_SOURCES,
    TREATMENTS,
    WHOLE,
    Network,
    Series,
    job_name,
    source_of,
)
from transferability.study.planned_treatments import KINDS_OF_PLANS, plan_of
from transferability.study.split_types import random_first, seed_of_split, split_type_of

halves = st.sampled_from(["A", "B"])
targets = st.sampled_from(["A", "B", WHOLE])
depths = st.integers(1, 30)


@st.composite
def all_series(draw: st.DrawFn) -> Series:
    fine_tuned = draw(st.booleans())
    target = draw(targets)
    source = draw(st.sampled_from([*OTHER_SOURCES, *([WHOLE] if target == WHOLE else HALVES)]))
    preserved, examples = draw(st.integers(0, 3)), draw(st.none() | st.integers(1, 2000))
    kind = Series(source, target).treatment
    plan = draw(st.none() | st.sampled_from([plan for plan, kinds in KINDS_OF_PLANS.items() if kind in kinds]))
    if plan:
        return Series(source, target, plan=plan, examples_per_class=examples)
    return Series(source, target, fine_tuned, 0 if fine_tuned else preserved, examples)


all_networks = st.one_of(
    st.builds(Network, targets),
    st.builds(lambda examples: Network(WHOLE, examples_per_class=examples, reduced=True), st.integers(1, 2000)),
    st.builds(lambda target, examples: Network(target, examples_per_class=examples), targets, st.integers(1, 2000)),
    st.builds(lambda series, n: series.at(n), all_series(), depths),
)


@given(all_networks)
def test_a_networks_name_says_all_about_it(network):
    assert Network.parse(network.name) == network
    assert network.treatment in TREATMENTS


@given(all_series(), depths)
def test_a_series_name_says_all_about_it(series, n):
    assert Series.parse(series.name) == series
    assert series.at(n).series == series
    assert series.at(n).n == n
    assert series.at(n).treatment == series.treatment


@given(st.text(alphabet="ABRbasewholn+_kpurgict0123456789- "))
def test_what_is_no_name_is_refused(text):
    try:
        network = Network.parse(text)
    except ValueError:
        return
    assert network.name == text


@pytest.mark.parametrize(
    ("name", "target", "source", "copied", "frozen", "treatment"),
    [
        ("baseA", "A", None, 0, 0, "base"),
        ("basewhole", "whole", None, 0, 0, "base"),
        ("B3B", "B", "B", 3, 3, "selffer"),
        ("B3B+", "B", "B", 3, 0, "selffer+"),
        ("A7B", "B", "A", 7, 7, "transfer"),
        ("A7B+", "B", "A", 7, 0, "transfer+"),
        ("R2A", "A", "R", 2, 2, "random"),
        ("R2whole", "whole", "R", 2, 2, "random"),
        ("whole2whole+", "whole", "whole", 2, 0, "selffer+"),
        ("P2B", "B", "P", 2, 2, "pretrained"),
        ("P2whole+", "whole", "P", 2, 0, "pretrained+"),
        ("A3B_images20", "B", "A", 3, 3, "transfer"),
        ("A3B_preserve2_images20", "B", "A", 5, 3, "transfer"),
        ("baseB_images20", "B", None, 0, 0, "base"),
        ("A3B_preserve2", "B", "A", 5, 3, "transfer"),
        ("A3B_surgical", "B", "A", 3, 3, "transfer_surgical"),
        ("P3whole_probe_then_tune_images5", "whole", "P", 3, 0, "pretrained_probe_then_tune"),
        ("B3B_reinitialized", "B", "B", 3, 3, "selffer_reinitialized"),
        ("reduced50", "whole", None, 0, 0, "reduced"),
    ],
)
def test_names_of_the_paper(name, target, source, copied, frozen, treatment):
    network = Network.parse(name)
    assert (network.target, network.source, network.copied, network.frozen) == (target, source, copied, frozen)
    assert network.treatment == treatment


@pytest.mark.parametrize(
    "name",
    [
        *("", "A0B", "A03B", "C3B", "A3", "a3B", "A3B++", "A3B+_preserve2", "base", "baseR", "A3B "),
        *("A3B+_surgical", "A3B_preserve2_surgical", "A3B_images5_surgical", "A3B_reinitialized", "baseB_truncated"),
    ],
)
def test_near_misses_are_refused_by_name(name):
    with pytest.raises(ValueError, match="not the name of a network"):
        Network.parse(name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "A"},
        {"copied": 2},
        {"source": "A", "copied": 2, "frozen": 3},
        {"reduced": True, "examples_per_class": 5},
        {"examples_per_class": 0},
        {"plan": "probe_then_tune"},
        {"source": "A", "copied": 2, "frozen": 2, "plan": "probe_then_tune"},
        {"source": "A", "copied": 2, "plan": "surgical"},
        {"source": "A", "copied": 3, "frozen": 2, "plan": "surgical"},
        {"source": "A", "copied": 2, "frozen": 2, "plan": "reinitialized"},
        {"source": "A", "copied": 2, "frozen": 2, "plan": "sugical"},
    ],
)
def test_impossible_networks_cannot_be_made(wrong):
    with pytest.raises(ValueError):  # noqa: PT011
        Network("B", **wrong)


@pytest.mark.parametrize(
    ("networks", "name"),
    [(["baseA"], "baseA"), (["reduced10"], "reduced10"), (["A3B+"], "A3B+"), (["R1A", "R2A", "R7A"], "R1-7A")],
)
def test_a_job_is_named_by_its_networks(networks, name):
    assert job_name([Network.parse(network) for network in networks]) == name


def test_the_whole_set_has_no_other_half_to_copy_from():
    assert not source_of("transfer", WHOLE)
    assert source_of("selffer", WHOLE) == WHOLE
    for wrong in ({"target": "B", "source": WHOLE}, {"target": WHOLE, "source": "A"}):
        with pytest.raises(ValueError, match="do not copy from each other"):
            Network(**wrong, copied=1, frozen=1)


@pytest.mark.parametrize("target", HALVES)
@pytest.mark.parametrize("treatment", COPYING)
def test_a_treatment_is_told_by_where_its_layers_come_from(treatment, target):
    series = Series(source_of(treatment, target), target, treatment.endswith("+"), plan=plan_of(treatment))
    assert series.treatment == treatment


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("A3B", "baseA"),
        ("B3B+", "baseB"),
        ("whole3whole", "basewhole"),
        ("A3B_images20", "baseA"),
        ("B3B_images20", "baseB_images20"),
    ],
)
def test_the_base_that_copied_layers_are_made_from(name, base):
    found = Network.parse(name).base
    assert found is not None
    assert found.name == base


@pytest.mark.parametrize("name", ["R3B", "R3whole", "P3B", "baseB", "baseB_images20"])
def test_layers_that_are_made_from_no_base(name):
    assert Network.parse(name).base is None


@pytest.mark.parametrize(
    ("split", "split_type", "seed"),
    [
        ("random0", "random", 0),
        ("images12", "images", 12),
        ("whole", "whole", None),
        ("man_made_natural", "semantic", None),
        ("random", "semantic", None),
        ("images01", "semantic", None),
        ("my_images0", "semantic", None),
    ],
)
def test_a_split_that_is_drawn_is_called_by_its_type_and_seed(split, split_type, seed):
    assert split_type_of(split) == split_type
    assert seed_of_split(split) == seed


def test_readers_see_random_splits_first_then_by_images_then_semantic_then_all_classes():
    in_order = ["random2", "random10", "images0", "images11", "a_b", "whole"]
    assert sorted(set(in_order), key=random_first) == in_order
