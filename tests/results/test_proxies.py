"""The table of proxies, and how they are compared with measured drops, on made-up accuracies."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tests.results.support import LAYERS, frame, results
from transferability.files import write_json, write_table
from transferability.results.proxies import (
    AGREEMENT,
    ALL,
    COLUMNS,
    WITHIN,
    agreement,
    beside_measured,
    collect_proxies,
    fisher_interval,
    read_proxies,
)
from transferability.study.names import Network
from transferability.study.split_types import split_type_of

DEPTHS = range(1, 8)
SPLITS = ("random0", "random1")


def row(name, split="random0", accuracy=0.5, features="flattened", **other):
    network = Network.parse(name)
    facts = {key: network.facts[key] for key in ("network", "treatment", "source", "target", "n")}
    return {
        "split": split,
        "split_type": split_type_of(split),
        "seed": 0,
        **facts,
        "features": features,
        **{f"{proxy}_{which}": accuracy for proxy in ("probe", "center") for which in ("top1", "balanced")},
        **dict.fromkeys(("dimension", "training_images", "validation_images"), 10),
        **dict.fromkeys(("regularization", "dead_units", "effective_dimension"), 0.5),
        **dict.fromkeys(("cka", "cka_independent"), None if network.treatment == "selffer" else 0.5),
        **other,
    }


@pytest.fixture
def part(tmp_path):
    def write(*rows, name="part.json"):
        path = tmp_path / name
        write_json(path, {"rows": list(rows)})
        return path

    return write


def proxies_of(part, told):
    """Proxies of AnB in both splits, with the accuracies by depth from flattened features; pooled ones give 0.5."""
    rows = [
        row(f"A{n}B", split, told(n, split) if features == "flattened" else 0.5, features)
        for split in SPLITS
        for n in DEPTHS
        for features in ("pooled", "flattened")
    ]
    return collect_proxies([part(*rows)], LAYERS)


def measured(accuracy):
    networks = [(split, 0, f"A{n}B", accuracy(n, split)) for split in SPLITS for n in DEPTHS]
    return results(frame(*networks, *((split, 0, base, 0.9) for split in SPLITS for base in ("baseA", "baseB"))))


def only(table, **columns):
    for column, value in columns.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_the_table_has_a_row_a_network_and_kind_in_the_paper_s_order_and_is_read_back(part, tmp_path):
    parts = [part(row("R2B"), row("A1B", features="pooled"), row("A1B"), name="1"), part(row("B1B"), name="2")]
    table = collect_proxies(parts, LAYERS)
    assert list(table.columns) == COLUMNS
    assert list(zip(table["network"], table["features"], strict=True)) == [
        ("B1B", "flattened"),
        ("A1B", "pooled"),
        ("A1B", "flattened"),
        ("R2B", "flattened"),
    ]
    assert list(table["layer"]) == ["conv1", "conv1", "conv1", "conv2"]
    write_table(tmp_path / "proxies.csv", table)
    pd.testing.assert_frame_equal(read_proxies(tmp_path / "proxies.csv"), table, check_dtype=False)


def test_a_file_that_is_none_is_refused_by_name(part, tmp_path):
    damaged = row("A1B")
    del damaged["probe_top1"]
    with pytest.raises(ValueError, match=r"part.json: no probes of bases.*probe_top1.*delete it"):
        collect_proxies([part(damaged)], LAYERS)


def test_drops_are_from_the_same_base_and_only_of_networks_that_were_trained(part):
    drops = beside_measured(proxies_of(part, lambda n, _: 0.9 - 0.1 * n), measured(lambda n, _: 0.9 - 0.05 * n))
    probe = drops[(drops["proxy"] == "probe") & (drops["features"] == "flattened")]
    assert np.allclose(probe["estimated"], 0.1 * probe["n"])
    assert np.allclose(probe["measured"], 0.05 * probe["n"])
    assert len(probe) == 14
    depth = drops[drops["proxy"] == "depth"]
    assert len(depth) == 14
    assert (depth["estimated"] == depth["n"]).all()


def test_a_proxy_that_ranks_as_measured_agrees_and_errs_by_what_it_understates(part):
    table = agreement(proxies_of(part, lambda n, _: 0.9 - 0.1 * n), measured(lambda n, _: 0.9 - 0.05 * n))
    assert list(table.columns) == AGREEMENT
    for scope, networks in (("random0", 7), ("random1", 7), (ALL, 14), (WITHIN, 14)):
        found = only(table, proxy="probe", features="flattened", scope=scope)
        assert found["rank_correlation"] == pytest.approx(1)
        assert found["networks"] == networks
        assert found["mean_error"] == pytest.approx(0.05 * 4)
    constant = only(table, proxy="probe", features="pooled", scope=ALL)
    assert math.isnan(constant["rank_correlation"])
    assert math.isnan(only(table, proxy="depth", scope=ALL)["mean_error"])


def test_correlations_within_splits_do_not_see_how_splits_differ(part):
    """Each split on its own is ranked backward, but both together forward, because they differ in difficulty."""
    shift = {"random0": 0.0, "random1": -0.4}
    table = agreement(
        proxies_of(part, lambda n, split: 0.8 + shift[split] - 0.01 * n),
        measured(lambda n, split: 0.8 + shift[split] + 0.01 * n),
    )
    of_probe = {"proxy": "probe", "features": "flattened"}
    assert only(table, **of_probe, scope=WITHIN)["rank_correlation"] == pytest.approx(-1)
    assert only(table, **of_probe, scope="random0")["rank_correlation"] == pytest.approx(-1)
    assert only(table, **of_probe, scope=ALL)["rank_correlation"] > 0.4


def test_networks_of_bases_that_learned_nothing_have_no_part(part):
    proxies = proxies_of(part, lambda n, _: 0.9 - 0.1 * n)
    networks = [("random0", 0, f"A{n}B", 0.5) for n in DEPTHS]
    guessing = {"classes": 10, "validation_images": 500, "majority_baseline": 0.1}
    accuracies = frame(*networks, ("random0", 0, "baseA", 0.1), ("random0", 0, "baseB", 0.9), **guessing)
    assert beside_measured(proxies, results(accuracies)).empty
    assert agreement(proxies, results(accuracies)).empty


def test_rank_correlations_are_spearman_s_with_ties(part):
    told, found = {n: [0.8, 0.7, 0.7, 0.6, 0.5, 0.5, 0.2][n - 1] for n in DEPTHS}, [5, 7, 4, 6, 2, 2, 1]
    table = agreement(proxies_of(part, lambda n, _: told[n]), measured(lambda n, _: found[n - 1] / 10))
    expected = spearmanr(list(told.values()), found).statistic
    one = only(table, proxy="probe", features="flattened", scope="random0")
    assert one["rank_correlation"] == pytest.approx(expected)
    assert one["low"] < expected < one["high"]


def test_the_interval_holds_the_true_rank_correlation_in_95_percent_of_all_cases():
    """There are 2000 draws of 14 pairs from a normal distribution, whose rank correlation is known."""
    random, true = np.random.default_rng(0), 0.8
    spearman = 6 / math.pi * math.asin(true / 2)
    held = 0
    for _ in range(2000):
        x, y = random.multivariate_normal([0, 0], [[1, true], [true, 1]], 14).T
        low, high = fisher_interval(float(spearmanr(x, y).statistic), 14)
        held += low <= spearman <= high
    assert 0.92 < held / 2000 < 0.98


@pytest.mark.parametrize(("correlation", "count"), [(0.5, 4), (1.0, 14), (-1.0, 14), (math.nan, 14)])
def test_of_too_little_there_is_no_interval(correlation, count):
    assert all(map(math.isnan, fisher_interval(correlation, count)))


@pytest.mark.parametrize("metric", ["top1_best", "top1_mean_best10"])
def test_what_a_proxy_tells_is_from_the_last_evaluation_whatever_the_metric_selects(part, metric):
    """Otherwise, a selected base would make every estimated drop too large."""
    networks = [("random0", 0, f"A{n}B", 0.5) for n in DEPTHS]
    accuracies = frame(*networks, ("random0", 0, "baseB", 0.9), ("random0", 0, "baseA", 0.9))
    accuracies[metric] += 0.05
    drops = beside_measured(proxies_of(part, lambda _n, _: 0.8), results(accuracies, metric))
    told = drops[(drops["proxy"] == "probe") & (drops["features"] == "flattened")]
    assert np.allclose(told["estimated"], 0.1)
    assert np.allclose(told["measured"], 0.4)
