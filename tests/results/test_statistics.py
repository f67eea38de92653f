import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.results.support import LAYERS, METRIC, PUBLISHED, frame, results
from tests.support import ROOT
from transferability.results.accuracies import Results, beside_bases, by_metric
from transferability.results.answers import headline
from transferability.results.comparison import compare
from transferability.results.effects import effects, paired_effects
from transferability.results.pairs import interval, paired_differences
from transferability.results.paper import drops, summarize, table1
from transferability.results.published import full_design, missing_networks, read_published
from transferability.results.reuse import deepest_within, reusable
from transferability.study.compared import LOSSES
from transferability.study.names import Network

PAPERS = "top1_mean_best10"
PUBLISHED_PAGE = ROOT / "docs" / "published.md"


@pytest.fixture(scope="module")
def published():
    return read_published(PUBLISHED)


@pytest.fixture
def unequal_halves():
    """Half B is much easier than A; AnB+ gains 2 points on its own base, BnB+ one."""
    rows = [("random0", 0, "baseA", 0.5), ("random0", 0, "baseB", 0.9)]
    rows += [("random0", 0, f"A{n}B+", 0.92) for n in range(1, 8)]
    rows += [("random0", 0, f"B{n}B+", 0.91) for n in range(1, 8)]
    rows += [("dissimilar", 0, "baseB", 0.1), ("dissimilar", 0, "A7B+", 0.2)]
    return frame(*rows)


def test_table_1_by_the_papers_formula_and_paired(unequal_halves):
    table = table1(results(unequal_halves)).set_index("layers")
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
    to_base = paired_differences(by_metric(data, METRIC), "transfer", "base")
    assert sorted(to_base["difference"].round(6)) == [-0.6, -0.4, -0.2]
    to_selffer = paired_differences(by_metric(data, METRIC), "selffer", "transfer")
    assert to_selffer["difference"].tolist() == pytest.approx([0.1])


def study(splits, seeds, effect, **facts):
    return frame(*study_rows(splits, seeds, effect), **facts)


def study_rows(splits, seeds, effect):
    rows = []
    for split in range(splits):
        for seed in range(seeds):
            rows += [(f"random{split}", seed, f"base{half}", 0.8) for half in "AB"]
            rows += [
                (f"random{split}", seed, f"{a}{n}{b}", 0.8 - effect(split, seed, n))
                for a, b in ("AB", "BA")
                for n in (1, 7)
            ]
    return rows


def effects_of(data, name="total drop"):
    table = paired_effects(results(data))
    return table[table["effect"] == name].set_index("n")


def test_effects_and_their_intervals():
    noise = np.random.default_rng(0).normal(0, 0.01, (4, 1, 8))
    table = effects_of(study(4, 1, lambda split, seed, n: 0.01 * n + noise[split, seed, n]))
    assert table["pairs"].tolist() == [8, 8]
    assert table["splits"].tolist() == [4, 4]
    for n in (1, 7):
        mean, error = 0.01 * n + noise[:, 0, n].mean(), noise[:, 0, n].std(ddof=1) / 2
        expected = [mean - 3.182446 * error, mean, mean + 3.182446 * error]
        assert table.loc[n, ["low", "mean", "high"]].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("splits", [2, 3, 4, 9])
def test_the_interval_holds_the_true_mean_in_95_of_100_studies(splits):
    """Both directions of a split share its classes, and so what is drawn for it."""
    random = np.random.default_rng(splits)
    targets = pd.DataFrame({"split": np.repeat(np.arange(splits), 2), "seed": 0})
    held = []
    for _ in range(1000):
        difference = np.repeat(random.normal(size=splits), 2) + 0.3 * random.normal(size=2 * splits)
        low, high = interval(targets.assign(difference=difference))
        held.append(low <= 0 <= high)
    assert 0.93 < np.mean(held) < 0.97


@pytest.mark.parametrize("splits", [2, 4, 40])
def test_the_interval_of_splits_with_a_pair_each_is_scipys(splits):
    differences = np.random.default_rng(splits).normal(0.01, 0.02, splits)
    pairs = pd.DataFrame({"split": range(splits), "seed": 0, "difference": differences})
    expected = stats.t.interval(0.95, splits - 1, differences.mean(), stats.sem(differences))
    assert interval(pairs) == pytest.approx(expected)


def test_seeds_alone_give_an_interval_too():
    table = effects_of(study(1, 3, lambda _split, seed, _n: 0.1 * seed))
    assert table.loc[1, "low"] < table.loc[1, "mean"] < table.loc[1, "high"]


def test_effects_are_computed_once_of_each_metric_and_nobody_changes_anothers_table(monkeypatch):
    made, loss = [], next(iter(LOSSES))
    monkeypatch.setattr(
        "transferability.results.effects._paired_effects",
        lambda _results, by: made.append(by) or pd.DataFrame({"mean": [len(made)]}),
    )
    data = study(2, 1, lambda split, seed, n: 0.01 * n)
    of_study = results(data)
    first = paired_effects(of_study)
    first["mean"] = 9
    assert paired_effects(of_study)["mean"].tolist() == [1]
    assert paired_effects(of_study, loss)["mean"].tolist() == [2]
    assert paired_effects(of_study.at_most)["mean"].tolist() == [1]
    assert paired_effects(results(data))["mean"].tolist() == [3]
    assert made == [None, loss, None]


def test_one_split_and_seed_give_no_interval():
    table = effects_of(study(1, 1, lambda _split, _seed, n: 0.01 * n))
    assert table["mean"].tolist() == pytest.approx([0.01, 0.07])
    assert table[["low", "high"]].isna().all(axis=None)


def test_summary_counts_and_compares(unequal_halves):
    table = summarize(results(unequal_halves)).set_index(["split_type", "treatment", "n"])
    row = table.loc["random", "transfer+", 3]
    assert row["networks"] == 1
    assert row["mean_difference_to_base"] == pytest.approx(0.02)
    assert table.loc["random", "base", 0]["mean"] == pytest.approx(0.7)


def test_what_is_missing_is_listed_not_filled_in(unequal_halves):
    expected = [("random0", 0, "A1B+"), ("random0", 0, "A1B"), ("random1", 0, "baseA")]
    missing = missing_networks(unequal_halves, expected)
    assert missing["network"].tolist() == ["A1B", "baseA"]


def test_the_headline_says_the_numbers(unequal_halves):
    text = headline(results(unequal_halves))
    assert "18 networks" in text
    assert "random halves: base 70.0 %" in text
    assert "+2.0" in text


def verdicts(table, treatment="transfer"):
    rows = table[table["treatment"] == treatment]
    return list(rows[["n", "layer", "verdict", "conclusive"]].itertuples(index=False, name=None))


def test_layers_are_reusable_for_certain_where_the_whole_interval_is_on_one_side_of_the_max_drop():
    """Losses at n = 1 and 7 are 0 and 6 points on average; the interval is 3.182 standard errors wide to each side."""
    data = study(4, 1, lambda split, _seed, n: 0.01 * (n - 1) + 0.001 * (split - 1.5))
    assert verdicts(reusable(results(data))) == [(1, "conv1", "within", True), (7, "fc7", "beyond", True)]
    half = 3.182446 * np.std([0, 0.001, 0.002, 0.003], ddof=1) / 2
    for tolerated, conclusive in ((0.99 * half, False), (1.01 * half, True)):
        assert verdicts(reusable(results(data, max_drop=tolerated)))[0] == (1, "conv1", "within", conclusive)
    for tolerated, conclusive in ((0.06 - 0.99 * half, False), (0.06 - 1.01 * half, True)):
        assert verdicts(reusable(results(data, max_drop=tolerated)))[1] == (7, "fc7", "beyond", conclusive)


def test_without_an_interval_no_verdict_is_certain():
    data = study(1, 1, lambda _split, _seed, n: 0.01 * n)
    assert verdicts(reusable(results(data))) == [(1, "conv1", "within", False), (7, "fc7", "beyond", False)]


def test_a_gain_is_no_loss(unequal_halves):
    table = reusable(results(unequal_halves, max_drop=0))
    of_random = table[table["split_type"] == "random"]
    assert of_random["drop"].to_numpy() == pytest.approx(-0.02)
    assert set(of_random["verdict"]) == {"within"}


def test_there_is_no_verdict_beside_a_base_at_chance_and_none_is_passed_over():
    data = study(4, 1, lambda _split, _seed, _n: 0.01)
    middle = data[data["n"] == 7].assign(n=3, copied=3, frozen=3, layer="conv3", network="A3B", flag="baseA at chance")
    table = reusable(results(pd.concat([data, middle])))
    assert [verdict if isinstance(verdict, str) else None for _, _, verdict, _ in verdicts(table)] == [
        *("within", None, "within")
    ]
    assert deepest_within(table, "transfer") == 1
    assert deepest_within(table, "transfer+") == 0


def test_the_headline_says_up_to_where_layers_can_be_copied(published):
    lines = [" ".join(line.split()) for line in headline(results(published, PAPERS)).splitlines()]
    assert [line for line in lines if "a drop of" in line] == [
        "reusable at a drop of at most 2 points, frozen: layers 1-3 together (up to conv3)",
        "reusable at a drop of at most 2 points, fine-tuned: layers 1-7 together (up to fc7) by the mean drop; "
        "for certain, by the whole 95 % interval, n = 2-4",
        "reusable at a drop of at most 2 points, frozen: layers 1-2 together (up to conv2), by the mean of one split "
        "and seed, no interval",
    ]


GUESSED = {"classes": 32, "validation_images": 1600, "majority_baseline": 1 / 32}
# A split whose baseA has learned nothing.
DEAD = [
    ("random7", 0, name, accuracy)
    for name, accuracy in {"baseA": 0.03, "baseB": 0.8, "A1B": 0.1, "B1A": 0.6, "A7B": 0.1, "B7A": 0.6}.items()
]


NUMBERS = ("difference", "mean", "low", "high", "paired", "drop", "standard_deviation")


@pytest.mark.parametrize("make", [summarize, drops, paired_effects, reusable])
def test_networks_of_a_base_at_chance_are_in_no_mean_and_are_counted(make):
    rows = study_rows(3, 1, lambda split, _seed, n: 0.01 * n + 0.001 * split)
    clean, table = (make(results(frame(*data, **GUESSED))) for data in (rows, [*rows, *DEAD]))
    numbers = [column for column in clean if column.startswith(NUMBERS)]
    alike = table[table["treatment"] != "base"] if make is summarize else table
    clean = clean[clean["treatment"] != "base"] if make is summarize else clean
    pd.testing.assert_frame_equal(alike[numbers], clean[numbers])
    assert (alike["left_out"] == 2).all()
    assert (clean["left_out"] == 0).all()


def test_where_all_bases_are_at_chance_rows_stay_and_say_nothing():
    data = frame(*DEAD, **GUESSED)
    reuse, effects = reusable(results(data)), paired_effects(results(data))
    assert reuse[["pairs", "left_out"]].to_numpy().tolist() == [[0, 2], [0, 2]]
    assert reuse[["drop", "verdict"]].isna().all(axis=None)
    assert effects["mean"].isna().all()
    assert "random halves: base 80.0 % (1 base at chance left out)" in headline(results(data))


@pytest.mark.parametrize("name", ["R7B", "A1B_truncated", "B1B_reinitialized"])
def test_a_network_that_may_be_at_chance_beside_bases_that_are_not_is_in_its_mean_and_told(name):
    data = frame(("random0", 0, "baseA", 0.8), ("random0", 0, "baseB", 0.8), ("random0", 0, name, 0.03), **GUESSED)
    treatment = Network.parse(name).treatment
    assert data["flag"].isna().all()
    summary = summarize(results(data)).set_index("treatment")
    assert summary.loc[treatment, ["networks", "left_out", "at_chance"]].tolist() == [1, 0, 1]
    assert summary.loc[treatment, "mean"] == pytest.approx(0.03)
    assert f"{name} of random0, seed 0. This may be a finding" in headline(results(data))


@pytest.mark.parametrize("name", ["B1B", "A1B", "B1B+", "A1B+"])
def test_a_dead_network_is_in_no_mean_but_is_counted_and_named_and_can_be_included(name):
    rows = [("random0", 0, "baseA", 0.8), ("random0", 0, "baseB", 0.8), ("random0", 0, name, 0.03)]
    data = frame(*rows, **GUESSED)
    treatment = data.loc[data["network"] == name, "treatment"].item()
    row = summarize(results(data)).set_index("treatment").loc[treatment]
    assert row[["networks", "left_out"]].tolist() == [0, 1]
    assert f"unlearned, 1 besides the bases: {name} of random0, seed 0." in headline(results(data))
    included = Results.by(data, METRIC, 0.02, LAYERS, "include")
    row = summarize(included).set_index("treatment").loc[treatment]
    assert row[["networks", "left_out"]].tolist() == [1, 0]
    assert row["mean"] == pytest.approx(0.03)
    assert "left out of means" not in headline(included)
    assert f"{name} of random0, seed 0." in headline(included)


@pytest.mark.parametrize(
    ("in_training", "in_the_end", "left_out"),
    [(3.5, None, 1), (3.45, None, 0), (3.5, 3.5, 1), (3.45, 3.5, 0), (3.5, 0.3, 0)],
)
def test_a_network_is_unlearned_if_its_loss_was_never_below_that_of_guessing(in_training, in_the_end, left_out):
    facts = {**GUESSED, "guessing_loss": 3.466, "lowest_training_loss": in_training}
    facts["training_cross_entropy"] = in_the_end
    data = frame(("random0", 0, "baseB", 0.8), ("random0", 0, "B1B", 0.2), **facts)
    row = summarize(results(data)).set_index("treatment").loc["selffer"]
    assert row["left_out"] == left_out


def test_no_verdict_is_certain_where_a_base_is_judged_on_too_few_images():
    few = {"classes": 2, "validation_images": 5, "majority_baseline": 0.5}
    data = study(4, 1, lambda split, _seed, n: 0.01 * (n - 1) + 0.001 * (split - 1.5), **few)
    table = reusable(results(data))
    assert table["verdict"].tolist() == ["within", "beyond"]
    assert not table["conclusive"].any()


def lines_of(text, words):
    return [" ".join(line.split()) for line in text.splitlines() if words in line]


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ({7: 0.01}, "layers 1-7 together (up to fc7), with n = 7 tried"),
        ({7: 0.05}, "no layer, with n = 7 tried"),
        (
            {3: 0.01, 5: 0.05, 7: 0.01},
            "layers 1-3 together (up to conv3), with n = 3, 5, 7 tried, but the drop at n = 7 is small enough",
        ),
        ({1: 0.05, 2: 0.05, 3: 0.05}, "no layer, with n = 1-3 tried"),
        (dict.fromkeys(range(1, 8), 0.05), "no layer"),
    ],
)
def test_the_headline_speaks_of_depths_that_were_tried_and_of_no_others(losses, words):
    rows = [("random0", 0, "baseB", 0.8)] + [("random0", 0, f"A{n}B", 0.8 - loss) for n, loss in losses.items()]
    text = headline(results(frame(*rows)))
    expected = (
        f"reusable at a drop of at most 2 points, frozen: {words}, by the mean of one split and seed, no interval"
    )
    assert lines_of(text, "a drop of") == [expected]
    assert "fine-tuned" not in text
    assert "without selffer networks" in text


def test_differences_of_the_headline_have_the_intervals_of_the_effects():
    data = study(4, 1, lambda split, _seed, n: 0.01 * n + 0.001 * split)
    row = paired_effects(results(data)).set_index(["effect", "n"]).loc[("total drop", 7)]
    half = 50 * (row["high"] - row["low"])
    assert half > 0.1
    [line] = lines_of(headline(results(data)), "other half's frozen layers")
    assert line == f"total drop, base - A7B, the other half's frozen layers: {100 * row['mean']:.1f} ± {half:.1f}"


def test_fine_tuned_transfer_stands_beside_training_twice_and_their_difference():
    """At n = 7 nothing was trained twice, and so the gain of transfer is that at n = 1."""
    accuracies = {"baseB": 0.8, "A1B+": 0.85, "A7B+": 0.83, "B1B+": 0.82}
    text = headline(results(frame(*(("random0", 0, name, accuracy) for name, accuracy in accuracies.items()))))
    assert [line for line in lines_of(text, "(no interval)") if "B+" in line] == [
        "retraining gain, BnB+ - base, own layers, n = 1: +2.0 (no interval)",
        "fine-tuning gain, AnB+ - base, the other half's layers, n = 1, 7: +4.0 (no interval)",
        "transfer gain, AnB+ - BnB+, n = 1: +3.0 (no interval)",
    ]
    assert "cannot tell whether fine-tuning the other half's layers gains more than training its own twice" in text


@pytest.mark.parametrize(
    ("gain", "told"),
    [
        (0.03, "fine-tuning the other half's layers gains more than training its own twice"),
        (-0.03, "fine-tuning the other half's layers gains less than training its own twice"),
        (0.0, "does not gain distinguishably more than training its own twice, or less"),
    ],
)
def test_what_fine_tuned_transfer_adds_to_training_twice_is_said_in_words(gain, told):
    rows = [
        (f"random{split}", 0, name, accuracy + 0.001 * split * (-1) ** split)
        for split in range(4)
        for name, accuracy in {"baseB": 0.8, "B3B+": 0.82, "A3B+": 0.82 + gain + 0.002 * (split - 1.5)}.items()
    ]
    [line] = lines_of(headline(results(frame(*rows))), "training its own twice")
    assert told in line


def test_the_headline_shows_specificity_and_with_one_split_both_directions():
    accuracies = {"baseA": 0.8, "baseB": 0.9, "A7A": 0.79, "B7B": 0.9, "B7A": 0.6, "A7B": 0.85}
    text = headline(results(frame(*(("random0", 0, name, accuracy) for name, accuracy in accuracies.items()))))
    assert "specificity drop, B7B - A7B: 12.0 (no interval)" in " ".join(text.split())
    assert "the total drop at n = 7 is 20.0 for A, 5.0 for B" in text
    of_splits = study(4, 1, lambda split, _seed, n: 0.01 * n + 0.001 * split)
    assert "for A" not in headline(results(of_splits))


def test_a_drop_that_is_too_large_by_the_mean_only_is_said_to_be_not_conclusive():
    data = study(4, 1, lambda split, _seed, n: 0.015 * n + 0.01 * (split - 1.5))
    [line] = lines_of(headline(results(data, max_drop=0.014)), "a drop of")
    assert line.endswith("no layer, with n = 1, 7 tried; whether n = 1 exceeds it is not certain")


def test_of_selffer_networks_alone_the_headline_says_nothing_of_the_other_half():
    text = headline(results(frame(("random0", 0, "baseB", 0.8), ("random0", 0, "B7B", 0.75))))
    assert lines_of(text, "own frozen") == ["co-adaptation drop, base - B7B, own frozen layers: 5.0 (no interval)"]
    assert not any(word in text for word in ("other", "transfer", "a drop of", "without"))


def test_an_empty_table_has_its_columns():
    data = frame(("random0", 0, "baseB", 0.8), ("random0", 0, "B7B", 0.75))
    assert list(table1(results(data)).columns) == list(table1(results(read_published(PUBLISHED))).columns)
    assert table1(results(data)).empty
    assert drops(results(data)).empty


def test_table_1_names_the_depths_that_its_ranges_have():
    rows = [("random0", 0, "baseB", 0.8), ("random0", 0, "A1B+", 0.8), ("random0", 0, "A4B+", 0.8)]
    table = table1(results(frame(*rows)))
    assert table[["layers", "depths"]].to_numpy().tolist() == [["1-7", "1, 4"], ["3-7", "4"]]


def in_points(values):
    return [round(100 * value, 1) for value in values]


def test_the_published_accuracies_give_the_papers_table_1(published):
    table = table1(results(published, PAPERS))
    assert table["layers"].tolist() == ["1-7", "3-7", "5-7"]
    assert in_points(table["over_base"]) == [1.6, 1.8, 2.1]
    assert in_points(table["over_selffer+"]) == [1.4, 1.4, 1.7]


def effects_page_row(effects, n):
    """What docs/published.md should say of depth n: bold where the interval does not include zero."""
    cells = [str(n), LAYERS[n - 1]]
    for name in ("co-adaptation drop", "specificity drop", "total drop"):
        mean, low, high = effects.loc[(name, "random", n), ["mean", "low", "high"]]
        text = f"{100 * mean:.2f} ± {50 * (high - low):.2f}"
        cells.append(f"**{text}**" if low > 0 or high < 0 else text)
    cells.append(f"{100 * effects.loc[('total drop', 'semantic', n), 'mean']:.2f}")
    return f"| {' | '.join(cells)} |".replace("-", "−")


def test_the_page_on_the_published_accuracies_has_their_effects(published):
    page = PUBLISHED_PAGE.read_text(encoding="utf-8")
    effects = paired_effects(results(published, PAPERS)).set_index(["effect", "split_type", "n"])
    for n in range(1, 8):
        assert effects_page_row(effects, n) in page


def parts_page_row(table, n):
    """What docs/published.md should say of depth n in nats: bold where the interval does not include zero."""
    cells = [str(n), LAYERS[n - 1]]
    for name in ("co-adaptation drop", "specificity drop"):
        for loss in LOSSES:
            mean, low, high = table.loc[(name, loss, n), ["mean", "low", "high"]]
            text = f"{mean:.3f} ± {(high - low) / 2:.3f}"
            cells.append(f"**{text}**" if low > 0 or high < 0 else text)
    return f"| {' | '.join(cells)} |".replace("-", "−")


def test_the_page_on_the_published_accuracies_has_their_losses(published):
    page = PUBLISHED_PAGE.read_text(encoding="utf-8")
    table = effects(results(published, PAPERS))
    of_random = table[table["split_type"] == "random"].set_index(["effect", "metric", "n"])
    for n in range(1, 8):
        assert parts_page_row(of_random, n) in page
    mean, low, high = of_random.loc[("co-adaptation drop", "training_cross_entropy", 5), ["mean", "low", "high"]]
    error = (high - low) / 2 / stats.t.ppf(0.975, 3)
    assert (round(mean, 3), round(error, 4)) == (0.617, 0.0026)
    assert "conv5's selffer fits worse by 0.617 nats, with a standard error of 0.003" in " ".join(page.split())


LOSSY = {
    "validation_cross_entropy": lambda accuracy: 4 - 3 * accuracy,
    "training_cross_entropy": lambda accuracy: 1 - accuracy,
}


def with_losses(data, **losses):
    """Add losses that follow from the accuracy, or the given ones."""
    for name, of in (LOSSY | losses).items():
        data[name] = of(data["top1_final"])
    return beside_bases(data[[column for column in data if not column.startswith(("base", "difference_"))]])


def test_a_drop_is_positive_where_the_network_is_worse_and_a_gain_where_it_is_better_by_every_metric(unequal_halves):
    table = effects(results(with_losses(unequal_halves))).set_index(["effect", "metric", "n"])
    for metric, factor in {"top1_final": 1, "training_cross_entropy": 1, "generalization_gap": 2}.items():
        assert table.loc[("fine-tuning gain", metric, 3), "mean"] == pytest.approx(0.02 * factor)
        assert table.loc[("transfer gain", metric, 3), "mean"] == pytest.approx(0.01 * factor)
    lost = study(2, 1, lambda _split, _seed, n: 0.01 * n)
    table = effects(results(with_losses(lost))).set_index(["effect", "metric", "n"])
    assert table.loc[("total drop", "validation_cross_entropy", 7), "mean"] == pytest.approx(0.21)


def test_each_part_of_an_effect_has_the_interval_of_its_own_differences():
    noise = np.random.default_rng(1).normal(0, 0.1, 4)
    data = study(4, 1, lambda split, _seed, n: 0.001 * n * (split + 1))
    data["training_cross_entropy"] = data["n"] * noise[data["split"].str[-1].astype(int)]
    data["validation_cross_entropy"] = 3.0
    columns = [column for column in data if not column.startswith(("base", "difference_"))]
    table = effects(results(beside_bases(data[columns]))).set_index(["effect", "metric", "n"])
    low, high = stats.t.interval(0.95, 3, 7 * noise.mean(), 7 * stats.sem(noise))
    fit = table.loc[("total drop", "training_cross_entropy", 7), ["low", "high"]]
    assert fit.tolist() == pytest.approx([low, high])
    generalization = table.loc[("total drop", "generalization_gap", 7), ["low", "high"]]
    assert generalization.tolist() == pytest.approx([-high, -low])
    assert table.loc[("total drop", "validation_cross_entropy", 7), ["low", "high"]].tolist() == [0, 0]


def test_networks_without_cross_entropy_give_rows_that_are_empty():
    table = effects(results(study(2, 1, lambda _split, _seed, n: 0.01 * n)))
    of_losses = table[table["unit"] == "nats"]
    assert len(of_losses) == 3 * 2
    assert (of_losses[["pairs", "splits", "left_out"]] == 0).all(axis=None)
    assert of_losses[["mean", "low", "high"]].isna().all(axis=None)
    assert (table.loc[table["unit"] == "share", "pairs"] == 4).all()


def co_adapted(fit, generalization, splits=4, **facts):
    """A study whose selffers lose this much of each part at n = 3, varying by split, and nothing at n = 5."""
    rows = []
    for split in range(splits):
        rows += [(f"random{split}", 0, name, 0.8) for name in ("baseB", "B3B", "B5B")]
    data = frame(*rows, **facts)
    lost = (data["n"] == 3).astype(float)
    split = data["split"].str[-1].astype(int)
    data["training_cross_entropy"] = 1 + lost * (fit + 0.01 * split)
    data["validation_cross_entropy"] = 2 + lost * (fit + generalization + 0.01 * split * (-1) ** split)
    return beside_bases(data[[column for column in data if not column.startswith(("base", "difference_"))]])


def line_of_co_adaptation(data):
    lines = [" ".join(line.split()) for line in headline(results(data)).splitlines()]
    return next((line for line in lines if "drop in cross-entropy" in line), None)


@pytest.mark.parametrize(
    ("fit", "generalization", "which"),
    [
        (0.5, -0.3, "due to fit: fit +0.515"),
        (-0.3, 0.5, "due to generalization: fit -0.285"),
        (0.3, 0.3, "due to fit and generalization: fit +0.315"),
        (-0.3, 0.1, None),
    ],
)
def test_the_headline_says_of_which_part_the_co_adaptation_drop_is(fit, generalization, which):
    line = line_of_co_adaptation(co_adapted(fit, generalization))
    assert line.startswith("co-adaptation drop in cross-entropy: ")
    if which is None:  # the selffers are better, and so no depth is beyond its interval
        assert "not distinguishable from zero; largest at n = 5 (cut above conv5), 0.000" in line
    else:
        assert f"largest at n = 3 (cut above conv3), {fit + generalization - 0.005:+.3f} ± " in line
        assert f"nats, {which}" in line
        assert line.endswith("; as the largest of 2 depths it is a little overstated")


def test_what_cannot_be_told_of_co_adaptation_is_said_to_be_so():
    assert "not conclusive with one split and seed; largest at n = 3" in line_of_co_adaptation(co_adapted(0.5, 0, 1))
    without = study(2, 1, lambda _split, _seed, n: 0.01 * n)
    assert line_of_co_adaptation(without) is None
    selffers = frame(("random0", 0, "baseB", 0.8), ("random0", 0, "B3B", 0.7))
    assert "unknown, because no networks have one" in line_of_co_adaptation(selffers)
    few = {"classes": 2, "validation_images": 9, "majority_baseline": 0.5}
    assert "where a base may be at chance" in line_of_co_adaptation(co_adapted(0.5, 0.2, **few))


def test_the_headline_says_that_published_training_losses_are_in_training_mode(published):
    lines = headline(results(published, PAPERS)).splitlines()
    found = f"{'co-adaptation drop in cross-entropy:':70} largest at n = 5 (cut above conv5), +0.041 ± 0.018 nats"
    assert f"{found}, due to fit" in "\n".join(lines)
    assert lines[-1].startswith("training cross-entropies are from the last iterations, in training mode")


def test_a_comparison_has_both_parts_better_being_positive(published):
    table = compare(*(by_metric(published, PAPERS),) * 2).set_index(["treatment", "split_type", "n"])
    row = table.loc["selffer", "random", 5]
    assert row["fit_ours"] == pytest.approx(-0.617, abs=0.001)
    assert row["fit_ours"] + row["generalization_ours"] == pytest.approx(row["cross_entropy_ours"])
    assert row["fit_ours_less_published"] == 0


def test_by_either_statistic_the_same_published_losses_are_beyond_noise(published):
    beyond = []
    for metric in (PAPERS, "top1_final"):
        table = paired_effects(results(published, metric))
        losses = table[table["effect"].str.endswith("drop") & ((table["low"] > 0) | (table["high"] < 0))]
        beyond.append(set(losses[["effect", "split_type", "n"]].itertuples(index=False, name=None)))
    assert beyond[0] == beyond[1]
    assert len(beyond[0]) == 3 + 4 + 6


def test_paired_the_published_gains_are_smaller(published):
    table = table1(results(published, PAPERS))
    assert in_points(table["over_base_paired"]) == [1.0, 1.2, 1.2]
    # The authors' AnB+ are all of half B, their BnB+ all of half A: no pairs, and next to nothing between their gains.
    assert table["over_selffer+_paired"].isna().all()
    assert (table["gain_over_selffer+"].abs() < 0.002).all()
    assert table["over_base_paired_low"].isna().tolist() == [False, False, True]


def test_the_published_accuracies_give_the_papers_drops_in_points(published):
    table = drops(results(published, PAPERS)).set_index("split_type")
    assert table["networks"].to_dict() == {"random": 8, "semantic": 2}
    assert round(100 * table.loc["random", "drop"]) == 8
    assert round(100 * table.loc["semantic", "drop"]) == 25
    assert table["paired"].tolist() == pytest.approx(table["drop"].tolist())
    assert table["relative"].tolist() == pytest.approx((table["drop"] / table["base"]).tolist())


def test_paired_differences_take_out_how_hard_a_half_is(unequal_halves):
    table = table1(results(unequal_halves))
    assert table["gain_over_selffer+"].to_numpy() == pytest.approx(0.01)
    harder = unequal_halves.assign(**{METRIC: unequal_halves[METRIC] - 0.3 * (unequal_halves["target"] == "B")})
    paired = [name for name in table.columns if "paired" in name or "gain" in name]
    pd.testing.assert_frame_equal(table1(results(harder))[paired], table[paired])


def test_published_networks_that_were_never_trained_are_listed(published):
    missing = missing_networks(published, full_design(published))
    assert set(missing["split"]) == {"random0", "random1", "random2", "random3"}
    assert len(missing) == 4 * (2 + 4 * 2 * 7) - (published["split_type"] == "random").sum()
    assert set(missing.loc[missing["split"] == "random0", "network"]) == {
        *(f"B{n}B{plus}" for n in range(1, 8) for plus in ("", "+")),
        *(f"B{n}A+" for n in range(1, 8)),
    }


@pytest.mark.parametrize(
    ("split", "network"), [("whole", "R3whole"), ("man_made_natural", "B4A"), ("random2", "baseB")]
)
def test_a_published_network_that_is_removed_is_missing(split, network, published):
    rest = published[(published["split"] != split) | (published["network"] != network)]
    before, after = (missing_networks(table, full_design(table)) for table in (published, rest))
    new = set(after.itertuples(index=False, name=None)) - set(before.itertuples(index=False, name=None))
    assert new == {(split, 0, network)}


def test_networks_that_preserve_layers_do_not_mix_with_the_papers():
    plain = [("random0", 0, "baseB", 0.9), ("random0", 0, "B3B", 0.8), ("random0", 0, "A3B", 0.7)]
    alone, mixed = (
        frame(*plain),
        frame(*plain, ("random0", 0, "A3B_preserve2", 0.1), ("random0", 0, "B3B_preserve2", 0.2)),
    )
    pd.testing.assert_frame_equal(paired_effects(results(mixed)), paired_effects(results(alone)))
    summary = summarize(results(mixed)).set_index(["treatment", "preserved"])
    assert summary.loc[("transfer", 0), "mean"] == pytest.approx(0.7)
    assert summary.loc[("transfer", 2), "mean"] == pytest.approx(0.1)


def test_the_summary_keeps_numbers_of_examples_apart(published):
    table = summarize(results(published, PAPERS))
    assert (table.loc[table["treatment"] == "reduced", "networks"] == 1).all()
    assert table["networks"].sum() == len(published)


def test_a_split_counts_by_its_pairs_and_its_seeds_are_one_observation():
    """Split 0 has two seeds, with losses 0 and 0.1, and split 1 one, with 0.3: their deviations sum to ∓1/6."""
    rows = [("random0", seed, "baseB", 0.8) for seed in (0, 1)] + [("random1", 0, "baseB", 0.8)]
    rows += [("random0", 0, "A1B", 0.8), ("random0", 1, "A1B", 0.7), ("random1", 0, "A1B", 0.5)]
    table = effects_of(frame(*rows))
    assert table.loc[1, ["pairs", "splits"]].tolist() == [3, 2]
    mean, error = 0.4 / 3, (4 * (1 / 6) ** 2) ** 0.5 / 3
    expected = [mean - 12.706205 * error, mean, mean + 12.706205 * error]
    assert table.loc[1, ["low", "mean", "high"]].tolist() == pytest.approx(expected)


def test_a_study_compared_with_itself_does_not_differ(published):
    table = compare(*[by_metric(published, PAPERS)] * 2)
    same = table[["difference_ours_less_published", "relative_ours_less_published"]]
    assert (same == 0).all(axis=None)
    assert table["networks_ours"].sum() == len(published[published["n"] > 0])


def test_studies_are_compared_by_their_differences_to_base(published):
    ours = frame(
        ("random0", 0, "baseB", 0.8),
        ("random0", 0, "A3B", 0.6),
        ("letters", 0, "baseB", 0.5),
        ("letters", 0, "B3B", 0.4),
        ("letters", 0, "R1B", 0.1),
    )
    table = compare(by_metric(ours, METRIC), by_metric(published, METRIC)).set_index(["treatment", "split_type", "n"])
    row = table.loc["transfer", "random", 3]
    assert row[["difference_ours", "relative_ours"]].tolist() == pytest.approx([-0.2, -0.25])
    assert row["difference_ours_less_published"] == pytest.approx(-0.2 - row["difference_published"])
    # Random filters of halves and of all classes are compared; what only one study has stays, with a gap.
    assert table.loc["random", "any", 1]["difference_ours_less_published"] == pytest.approx(
        -0.4 - (0.490781 - 0.575179)
    )
    assert np.isnan(table.loc["selffer", "semantic", 3]["difference_published"])
    assert np.isnan(table.loc["transfer", "semantic", 7]["difference_ours"])


@pytest.mark.parametrize(("unlearned", "networks", "difference"), [("leave_out", 1, -0.1), ("include", 2, -0.435)])
def test_unlearned_networks_are_compared_as_the_config_says(published, unlearned, networks, difference):
    rows = [("random0", 0, base, 0.8) for base in ("baseA", "baseB")]
    ours = frame(*rows, ("random0", 0, "A7B", 0.7), ("random0", 0, "B7A", 0.03), **GUESSED)
    table = compare(by_metric(ours, METRIC, unlearned), by_metric(published, METRIC, unlearned))
    row = table.set_index(["treatment", "split_type", "n"]).loc["transfer", "random", 7]
    assert row["networks_ours"] == networks
    assert row["left_out_ours"] == 2 - networks
    assert row["difference_ours"] == pytest.approx(difference)
    mean = paired_effects(Results.by(ours, METRIC, 0.02, LAYERS, unlearned)).set_index("effect").loc["total drop"]
    assert mean["mean"] == pytest.approx(-difference)


@pytest.mark.parametrize(("rate", "images", "told"), [(0.8, 100, True), (0.5, 1000, True), (0.8, 1000, False)])
def test_validation_images_too_few_to_tell_the_tolerated_drop_are_told_of(rate, images, told):
    facts = {"validation_images": images, "majority_baseline": 0.1}
    text = headline(results(frame(("random0", 0, "baseB", rate), ("random0", 0, "B7B", rate), **facts)))
    draws = np.random.default_rng(0).binomial(images, rate, (2, 100_000)) / images
    error = 100 * (draws[0] - draws[1]).std()
    assert (error > 2) == told
    expected = (
        f"with {images} validation images, these alone give the difference between two networks a standard error of "
    )
    assert (f"{expected}up to about {error:.0f} points" in text) == told
    assert ("validation images" in text) == told
