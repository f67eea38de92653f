import numpy as np
import pandas as pd
import pytest

from transferability.accuracies import beside_bases
from transferability.names import Network
from transferability.statistics import (
    headline,
    missing_networks,
    paired_differences,
    paired_effects,
    summarise,
    table1,
)

STATISTIC = "top1_final"


def frame(*rows):
    """Rows of (split, seed, network, accuracy)."""
    records = []
    for split, seed, name, accuracy in rows:
        network = Network.parse(name)
        records.append(
            {
                "split": split,
                "kind": "random" if split.startswith("random") else "grouped",
                "network": name,
                "treatment": network.treatment,
                "source": network.source,
                "target": network.target,
                "n": network.n,
                "copied": network.copied,
                "frozen": network.frozen,
                "seed": seed,
                "examples_per_class": None,
                "iterations": 1,
                "evaluations": 1,
                "top1_final": accuracy,
                "top1_mean_best10": accuracy,
            }
        )
    return beside_bases(pd.DataFrame(records))


@pytest.fixture
def unequal_halves():
    """Half B is much easier than A; AnB+ gains 2 points on its own base, BnB+ one."""
    rows = [("random0", 0, "baseA", 0.5), ("random0", 0, "baseB", 0.9)]
    rows += [("random0", 0, f"A{n}B+", 0.92) for n in range(1, 8)]
    rows += [("random0", 0, f"B{n}B+", 0.91) for n in range(1, 8)]
    rows += [("dissimilar", 0, "baseB", 0.1), ("dissimilar", 0, "A7B+", 0.2)]
    return frame(*rows)


def test_table_1_by_the_papers_formula_and_paired(unequal_halves):
    table = table1(unequal_halves, STATISTIC).set_index("layers")
    assert table["networks"].tolist() == [7, 5, 3]
    assert table["over_base"].to_numpy() == pytest.approx(0.92 - 0.7)
    assert table["over_base_paired"].to_numpy() == pytest.approx(0.02)
    assert table["over_selffer+"].to_numpy() == pytest.approx(0.01)
    assert table["over_selffer+_paired"].to_numpy() == pytest.approx(0.01)


def test_pairs_are_of_the_same_split_seed_target_and_depth():
    data = frame(
        ("random0", 0, "baseB", 0.6),
        ("random0", 1, "baseB", 0.7),
        ("random1", 0, "baseA", 0.8),
        ("random0", 0, "B3B", 0.5),
        ("random0", 0, "B4B", 0.45),
        ("random0", 0, "A3B", 0.4),
        ("random0", 1, "A3B", 0.3),
        ("random1", 0, "B3A", 0.2),
    )
    to_base = paired_differences(data, "transfer", "base", STATISTIC)
    assert sorted(to_base["difference"].round(6)) == [-0.6, -0.4, -0.2]
    to_selffer = paired_differences(data, "selffer", "transfer", STATISTIC)
    assert to_selffer["difference"].tolist() == pytest.approx([0.1])


def study(splits, seeds, effect):
    rows = []
    for split in range(splits):
        for seed in range(seeds):
            rows += [(f"random{split}", seed, f"base{half}", 0.8) for half in "AB"]
            rows += [
                (f"random{split}", seed, f"{a}{n}{b}", 0.8 - effect(split, seed, n))
                for a, b in ("AB", "BA")
                for n in (1, 7)
            ]
    return frame(*rows)


def effects_of(data, name="total loss"):
    table = paired_effects(data, STATISTIC)
    return table[table["effect"] == name].set_index("n")


def test_effects_and_their_intervals():
    noise = np.random.default_rng(0).normal(0, 0.01, (4, 1, 8))
    table = effects_of(study(4, 1, lambda split, seed, n: 0.01 * n + noise[split, seed, n]))
    assert table["pairs"].tolist() == [8, 8]
    assert table["splits"].tolist() == [4, 4]
    for n in (1, 7):
        mean = 0.01 * n + noise[:, 0, n].mean()
        assert table.loc[n, "mean"] == pytest.approx(mean)
        assert table.loc[n, "low"] < mean < table.loc[n, "high"]
        assert table.loc[n, "low"] >= 0.01 * n + noise[:, 0, n].min() - 1e-9
        assert table.loc[n, "high"] <= 0.01 * n + noise[:, 0, n].max() + 1e-9


def test_the_interval_is_that_of_resampled_splits():
    """With two splits, a mean of two draws is the one, the other or their middle: 1/4, 1/4, 1/2."""
    table = effects_of(study(2, 1, lambda split, _seed, _n: 0.1 * split))
    assert table.loc[1, ["low", "mean", "high"]].tolist() == pytest.approx([0.0, 0.05, 0.1])


def test_seeds_alone_give_an_interval_too():
    table = effects_of(study(1, 3, lambda _split, seed, _n: 0.1 * seed))
    assert table.loc[1, "low"] < table.loc[1, "mean"] < table.loc[1, "high"]


def test_one_split_and_seed_give_no_interval():
    table = effects_of(study(1, 1, lambda _split, _seed, n: 0.01 * n))
    assert table["mean"].tolist() == pytest.approx([0.01, 0.07])
    assert table[["low", "high"]].isna().all(axis=None)


def test_the_bootstrap_is_the_same_every_time():
    data = study(4, 2, lambda split, seed, n: 0.01 * n * split + 0.003 * seed)
    pd.testing.assert_frame_equal(paired_effects(data, STATISTIC), paired_effects(data, STATISTIC))


def test_summary_counts_and_compares(unequal_halves):
    table = summarise(unequal_halves, STATISTIC).set_index(["kind", "treatment", "n"])
    row = table.loc["random", "transfer+", 3]
    assert row["networks"] == 1
    assert row["mean_difference_to_base"] == pytest.approx(0.02)
    assert table.loc["random", "base", 0]["mean"] == pytest.approx(0.7)


def test_what_is_missing_is_listed_not_filled_in(unequal_halves):
    expected = [("random0", 0, "A1B+"), ("random0", 0, "A1B"), ("random1", 0, "baseA")]
    missing = missing_networks(unequal_halves, expected)
    assert missing["network"].tolist() == ["A1B", "baseA"]


def test_the_headline_says_the_numbers(unequal_halves):
    text = headline(unequal_halves, STATISTIC)
    assert "18 networks" in text
    assert "random halves: base 70.0 %" in text
    assert "+2.0" in text
