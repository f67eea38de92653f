"""What holds for any name, split, study and table of accuracies; and nonsense is refused with a clear message."""

import contextlib
import copy
import csv
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support import DEFAULT
from transferability.data.splits import (
    Split,
    SplitError,
    image_lines,
    make_split,
    split_from_json,
    split_to_json,
)
from transferability.data.tasks import first_of_each_class
from transferability.delimited_text import text_key
from transferability.files import write_table
from transferability.networks.architectures import architecture_layers
from transferability.results.accuracies import METRICS, Results, by_metric, collect, read_accuracies
from transferability.results.answers import headline
from transferability.results.comparison import compare
from transferability.results.effects import EFFECTS, effects, paired_effects
from transferability.results.pairs import paired_differences
from transferability.results.paper import drops, summarize, table1
from transferability.results.published import PUBLISHED_COLUMNS, full_design, missing_networks, read_published
from transferability.results.reuse import reusable
from transferability.store.reading import Store
from transferability.store.source import ImageClass, Sample
from transferability.study.design import read_study
from transferability.study.groups import grouped, read_groups
from transferability.study.names import COPYING, HALVES, WHOLE, Network, Series, source_of
from transferability.study.planned_treatments import plan_of
from transferability.study.schema import ConfigError
from transferability.study.split_types import RANDOM, SEMANTIC

LAYERS = architecture_layers("mini_caffenet")

# All examples of a test share its folder, and each of them rewrites its files.
IN_A_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
FEW = settings(IN_A_FOLDER, max_examples=10)

json_values = st.recursive(
    # Subnormal floats are flushed to zero in this process.
    st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


# ---- Names -----------------------------------------------------------------------------------------------------------

# Digits of other scripts are digits to Python, as ² is to some of its functions.
name_like = st.text(alphabet="ABRbasewholnrducpk+_ \n0123456789٣²", max_size=12)
near_names = st.from_regex(r"[ABR]?(base|reduced|n)?\d{0,3}(A|B|whole)?\+?(_keep\d)?\s?", fullmatch=True)


@given(name_like | near_names | st.text())
def test_only_what_names_print_is_parsed(text):
    for split_type in (Network, Series):
        try:
            parsed = split_type.parse(text)
        except ValueError as error:
            assert repr(text) in str(error)  # noqa: PT017
        else:
            assert parsed.name == text


halves_or_not = st.sampled_from([*HALVES, WHOLE, "R", "C", "", None])


@given(halves_or_not, halves_or_not, st.integers(-1, 9), st.integers(-1, 9), st.none() | st.integers(-1, 50))
def test_every_network_that_can_be_made_is_known_by_its_name(target, source, copied, frozen, examples):
    try:
        network = Network(target, source, copied, frozen, examples)
    except ValueError:
        return
    assert Network.parse(network.name) == network
    if network.source:
        assert network.series.at(network.n) == network
        assert Series.parse(network.series.name) == network.series


# ---- Splits ----------------------------------------------------------------------------------------------------------

class_names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6).map(str.strip)
data_sets = st.dictionaries(class_names.filter(bool), st.sampled_from(["wild", "tame", "stone"]), min_size=4)


def classes_of(groups):
    return tuple(ImageClass(name, groups[name]) for name in sorted(groups))


def store_of(classes, images=40, seed=0):
    """A store with one pixel per image, and each class in both parts."""
    labels = np.random.default_rng(seed).integers(0, len(classes), images)
    labels = np.concatenate([np.arange(len(classes)), labels, np.arange(len(classes))])
    pixels, sums = np.zeros((len(labels), 1, 1, 1), np.uint8), np.zeros((len(classes), 1, 1, 1), np.uint32)
    return Store("any", pixels, labels, tuple(classes), sums, len(labels) - len(classes), "checksum")


@given(data_sets, st.integers(0, 2**32 - 1))
def test_random_halves_are_balanced_disjoint_and_all_there_is(groups, seed):
    classes = classes_of(groups)
    split = make_split(classes, f"random{seed}", seed, None)
    half_a, half_b = split.halves["A"], split.halves["B"]
    assert sorted((*half_a, *half_b)) == list(range(len(classes)))
    assert 0 <= len(half_b) - len(half_a) <= 1
    assert split == make_split(classes, f"random{seed}", seed, None)


@given(data_sets, st.permutations(["wild", "tame", "stone", "none such"]))
def test_grouped_halves_are_the_classes_of_their_groups(groups, wanted):
    classes = classes_of(groups)
    by_half = dict(zip(HALVES, wanted, strict=False))
    try:
        split = make_split(classes, "s", None, by_half)
    except SplitError:
        assert min(list(groups.values()).count(group) for group in by_half.values()) < 2
        return
    assert not set(split.halves["A"]) & set(split.halves["B"])
    for half, group in by_half.items():
        assert [i for i, c in enumerate(classes) if c.group == group] == list(split.halves[half])


splits = st.sampled_from([("random5", 5, None), (WHOLE, None, None), ("w_t", None, {"A": "wild", "B": "tame"})])


@given(data_sets, splits)
def test_a_split_is_read_back_as_written(groups, plan):
    classes = classes_of(groups)
    assume(plan[2] is None or min(list(groups.values()).count(group) for group in plan[2].values()) >= 2)
    store = store_of(classes)
    split = make_split(classes, *plan)
    assert split_from_json(json.loads(json.dumps(split_to_json(split, store))), store) == split


STORE = store_of([ImageClass(name) for name in "abcdefg"])
SPLIT = split_to_json(make_split(STORE.classes, "random0", 0, None), STORE)


def places(content, path=()):
    """The paths of all values in a JSON document."""
    yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def with_value(content, path, value):
    if not path:
        return value
    content = copy.deepcopy(content)
    target = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return content


@given(st.sampled_from(sorted(places(SPLIT), key=str)), json_values)
def test_a_damaged_split_is_refused_or_still_one_of_the_store(path, value):
    try:
        split = split_from_json(with_value(SPLIT, path, value), STORE)
    except SplitError:
        return
    assert isinstance(split, Split)
    assert all(len(split.task(STORE, half).training()[0]) for half in split.halves)
    every = [index for classes in split.halves.values() for index in classes]
    assert len(every) == len(set(every))


@given(data_sets, st.integers(0, 99))
def test_every_image_is_of_one_half_and_has_its_place_in_it(groups, seed):
    store = store_of(classes_of(groups), seed=seed)
    split = make_split(store.classes, "random0", 0, None)
    tasks = [split.task(store, half) for half in split.halves]
    for part, of_each in (
        (store.training, [task.training() for task in tasks]),
        (store.validation, [task.validation() for task in tasks]),
    ):
        assert sorted(np.concatenate([positions for positions, _ in of_each])) == list(range(part.start, part.stop))
    samples = [Sample(int(label), f"{i}.png") for i, label in enumerate(store.labels)]
    lists = [image_lines(samples, classes).splitlines() for classes in split.halves.values()]
    assert sum(map(len, lists)) == len(samples)
    for classes, lines in zip(split.halves.values(), lists, strict=True):
        for line in lines:
            file, target = line.split()
            assert classes[int(target)] == store.labels[int(file.removesuffix(".png"))]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 6))
def test_the_first_of_each_class_are_as_many_as_asked_for_or_all(targets, examples):
    targets = np.array(targets)
    kept = first_of_each_class(targets, examples)
    for target in np.unique(targets):
        assert kept[targets[kept] == target].tolist() == np.flatnonzero(targets == target)[:examples].tolist()


# ---- Groups ----------------------------------------------------------------------------------------------------------


@given(st.dictionaries(class_names.filter(bool), class_names.filter(bool), min_size=1))
@IN_A_FOLDER
def test_a_file_of_groups_says_what_was_written(tmp_path, groups):
    path = tmp_path / "groups.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("group", "note", "class"), *((group, "", name) for name, group in groups.items())])
    known = {text_key(name): text_key(group) for name, group in groups.items()}
    assume(len(known) == len(groups))
    assert read_groups(path) == known
    assert {text_key(c.name): c.group for c in grouped([ImageClass(name) for name in groups], known, path)} == known


@given(st.binary() | st.text().map(str.encode) | st.text(alphabet='class,group\n\r"\0 ').map(lambda t: t.encode()))
@IN_A_FOLDER
def test_any_other_file_of_groups_is_refused_by_name(tmp_path, content):
    path = tmp_path / "groups.csv"
    for begin in (b"", b"class,group\n"):
        path.write_bytes(begin + content)
        try:
            groups = read_groups(path)
        except ValueError as error:
            assert str(error).startswith(str(path))  # noqa: PT017
        else:
            assert all(name and group for name, group in groups.items())


# ---- Studies ---------------------------------------------------------------------------------------------------------

treatment_lists = st.lists(
    st.sampled_from([one for one in COPYING if not one.startswith("pretrained")]), min_size=1, unique=True
)
networks_sections = st.fixed_dictionaries(
    {
        "architecture": st.just("mini_caffenet"),
        "cuts": st.just("stages"),
        "options": st.just({}),
        "batch_norm": st.just({"frozen": "source"}),
        "pretrained": st.just(""),
        "depths": st.lists(st.integers(1, len(LAYERS) - 1), min_size=1, unique=True),
        "fine_tuned_depths": st.lists(st.integers(1, len(LAYERS) - 1), max_size=3, unique=True),
        "treatments": treatment_lists,
        "directions": st.lists(st.sampled_from(["AnB", "BnA"]), min_size=1, unique=True),
        "examples_per_class": st.lists(st.sampled_from([5, 20, "all"]), min_size=1, unique=True),
        "preserve": st.lists(st.integers(1, 6), max_size=2, unique=True),
        "random_for": st.sampled_from(["halves", WHOLE]),
        "reduced": st.lists(st.integers(1, 99), max_size=2, unique=True),
    }
)


def names_by(rule, network):
    """The networks of the job of a rule that has this network's wildcards."""
    wildcards = {"source": network.source, "target": network.target, "examples": network.examples_per_class}
    return [name.format(**wildcards) for name in rule.networks]


@given(networks_sections, st.integers(1, 9), st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))
def test_each_network_is_trained_by_one_job_and_after_its_source(networks, per_job, seeds):
    config = DEFAULT | {
        "networks": networks,
        "seeds": seeds,
        "running": DEFAULT["running"] | {"networks_per_job": per_job},
    }
    try:
        study = read_study(config)
    except ConfigError as error:
        refused = (
            "networks.preserve",
            "networks.fine_tuned_depths",
            "networks.treatments",
            "networks.examples_per_class",
        )
        assert any(key in str(error) for key in refused)  # noqa: PT017
        return
    every = list(study.networks())
    assert len(every) == len(set(every))
    for split, seed, network in every:
        assert network.base is None or (split, seed, network.base) in every
        assert (split, seed, network.compared_with) in every
    training_rules = list(study.training_rules)
    assert len({rule.name for rule in training_rules}) == len(training_rules)
    for _, _, job in study.jobs():
        (rule,) = (rule for rule in training_rules if names_by(rule, job[0]) == [network.name for network in job])
        assert rule.stage == job[0].stage
        assert len(job) <= per_job


LINES = ["a\nb", ["a\nb"], ["a\nb", "a\nb"], {"a\nb": "a\nb"}, "a\u2028b", "timm/a\nb", "a\nb.py:x\ny", "yes\n"]


@pytest.mark.parametrize("path", sorted(places(DEFAULT), key=str)[1:], ids=str)
def test_what_has_several_lines_is_told_on_one_wherever_it_stands(path):
    for value in LINES:
        try:
            read_study(with_value(DEFAULT, path, value))
        except ConfigError as error:
            lines = str(error).split("\n")
            assert all(line.startswith("config: ") and line.splitlines() == [line] for line in lines)


odd_values = json_values | st.sampled_from(
    [float("nan"), float("inf"), 10**400, -(10**20), "1e-4", "random٣", "random99999999999", "a\nb", "../..", {1: 2}]
)
odd_keys = st.sampled_from(["split_type", "random0", 1, None, True, 0.5])


@given(
    st.lists(st.tuples(st.sampled_from(sorted(places(DEFAULT), key=str)[1:]), odd_values), min_size=1, max_size=3),
    st.none() | st.tuples(st.sampled_from([(), ("datasets",), ("training",), ("training", "base")]), odd_keys),
)
@settings(max_examples=200)
def test_a_config_is_read_or_every_line_says_what_is_wrong(changes, extra):
    config = DEFAULT
    for path, value in changes:
        try:
            config = with_value(config, path, value)
        except (LookupError, TypeError):  # within what was replaced
            continue
    if extra is not None:
        path, key = extra
        with contextlib.suppress(LookupError, TypeError):
            config = with_value(config, (*path, key), {})
    try:
        study = read_study(config)
    except ConfigError as error:
        lines = str(error).split("\n")
        assert lines
        assert all(line.startswith("config: ") and len(line) < 2000 for line in lines)
        return
    assert list(study.networks())
    for hyperparameters in (of_stage.hyperparameters for of_stage in study.stages.values()):
        assert np.isfinite([hyperparameters.rate_at(i) for i in (0, hyperparameters.iterations - 1)]).all()
    for plan in study.splits.values():
        assert plan.name.isascii()
        if plan.seed is not None:
            assert make_split([ImageClass(name) for name in "abcd"], plan.name, plan.seed, None).halves


# ---- Accuracies and tables ------------------------------------------------------------------------------------------


def metrics_of(split, seed, network, accuracy):
    return {
        "split": split,
        "split_type": RANDOM if split.startswith("random") else SEMANTIC,
        **network.facts,
        "seed": seed,
        "iterations": 10,
        "evaluations": 3,
        "classes": 8,
        "validation_images": 400,
        "majority_baseline": 0.125,
        **dict.fromkeys(METRICS, accuracy),
        "validation_cross_entropy": 3 - 2 * accuracy,
        "training_cross_entropy": 2 * (1 - accuracy) ** 2,
        "training_top1": accuracy,
        "training_images_evaluated": 400,
    }


@st.composite
def studies(draw):
    """The metrics of a study: bases of both halves, and any of the treatments at any depths, with any accuracies."""
    accuracies = np.random.default_rng(draw(st.integers(0, 999)))
    depths = draw(st.lists(st.integers(1, len(LAYERS) - 1), min_size=1, max_size=2, unique=True))
    treatments = draw(treatment_lists)
    networks = [Network(half) for half in HALVES]
    for treatment, target, n in itertools.product(treatments, HALVES, depths):
        source, fine_tuned = source_of(treatment, target), treatment.endswith("+")
        networks.append(Series(source, target, fine_tuned, plan=plan_of(treatment)).at(n))
    splits = draw(st.lists(st.sampled_from(["random0", "random1", "groups"]), min_size=1, max_size=2, unique=True))
    seeds = draw(st.lists(st.integers(0, 5), min_size=1, max_size=2, unique=True))
    return [
        metrics_of(*key, float(accuracies.integers(0, 401)) / 400) for key in itertools.product(splits, seeds, networks)
    ]


def collected(folder, rows):
    paths = [folder / f"{i}.json" for i in range(len(rows))]
    for path, row in zip(paths, rows, strict=True):
        path.write_text(json.dumps(row))
    return collect(paths, LAYERS)


def results(table):
    return Results.by(table, "top1_final", 0.02, LAYERS)


def compared_with_itself(results):
    return compare(results.accuracies, results.accuracies)


@given(studies(), st.randoms(use_true_random=False))
@settings(FEW, max_examples=5)
def test_tables_do_not_depend_on_the_order_of_files_and_come_back_from_csv(tmp_path, rows, random):
    table = collected(tmp_path, rows)
    shuffled = random.sample(rows, len(rows))
    pd.testing.assert_frame_equal(collected(tmp_path, shuffled), table)
    write_table(tmp_path / "accuracies.csv", table)
    again = read_accuracies(tmp_path / "accuracies.csv")
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
    assert headline(results(again)) == headline(results(table))
    in_another_order = again.sample(frac=1, random_state=0)
    for make in (summarize, table1, drops, effects, reusable, compared_with_itself):
        pd.testing.assert_frame_equal(make(results(in_another_order)), make(results(table)), check_dtype=False)


@given(studies())
@FEW
def test_losses_add_up_and_gains_are_bounded(tmp_path, rows):
    table = collected(tmp_path, rows)
    of_accuracy = paired_effects(results(table))
    assert (of_accuracy["mean"].dropna().abs() <= 1).all()  # empty where bases at chance leave no pair
    known = of_accuracy.dropna(subset="low")
    assert (known["low"] <= known["high"]).all()
    assert set(of_accuracy["effect"]) <= set(EFFECTS)
    whole = of_accuracy.groupby(["split_type", "n"])["left_out"].transform("sum") == 0
    means = of_accuracy[whole].pivot_table(index=["split_type", "n"], columns="effect", values="mean")
    parts = ["co-adaptation drop", "specificity drop", "total drop"]
    if set(parts) <= set(means.columns):
        complete = means.dropna(subset=parts)
        total = complete["co-adaptation drop"] + complete["specificity drop"]
        assert total.to_numpy() == pytest.approx(complete["total drop"].to_numpy())
    gains = ["retraining gain", "transfer gain", "fine-tuning gain"]
    if set(gains) <= set(means.columns):
        complete = means.dropna(subset=gains)
        both = complete["retraining gain"] + complete["transfer gain"]
        assert both.to_numpy() == pytest.approx(complete["fine-tuning gain"].to_numpy())


@given(studies())
@FEW
def test_fit_and_generalization_add_up_and_drops_have_one_sign(tmp_path, rows):
    """The cross-entropy on validation images falls where accuracy rises, twice as far."""
    table = effects(results(collected(tmp_path, rows)))
    assume(len(table))  # if there are only plans, there may be nothing to compare them with
    key = ["effect", "split_type", "n"]
    means = table.pivot_table(index=key, columns="metric", values="mean", dropna=False)
    both = means["training_cross_entropy"] + means["generalization_gap"]
    assert both.to_numpy() == pytest.approx(means["validation_cross_entropy"].to_numpy(), nan_ok=True)
    assert means["validation_cross_entropy"].to_numpy() == pytest.approx(
        2 * means["top1_final"].to_numpy(), nan_ok=True
    )
    counts = table.groupby(key)[["pairs", "splits", "left_out"]]
    assert (counts.nunique() == 1).all(axis=None)
    assert set(table.loc[table["unit"] == "share", "metric"]) <= {"top1_final"}


@given(studies(), st.sampled_from(sorted(EFFECTS.values())))
@FEW
def test_pairs_are_the_same_from_either_side(tmp_path, rows, sides):
    table = by_metric(collected(tmp_path, rows), "top1_final")
    first, second = sides
    key = ["split", "target", "seed", "n"]
    there = paired_differences(table, first, second).set_index(key)["difference"].sort_index()
    back = paired_differences(table, second, first).set_index(key)["difference"].sort_index()
    assert there.index.is_unique
    pd.testing.assert_series_equal(there, -back)


@given(studies(), st.data())
@FEW
def test_every_network_is_summarized_once_and_one_that_is_missing_is_told(tmp_path, rows, data):
    table = collected(tmp_path, rows)
    summary = summarize(results(table))
    assert summary[["networks", "left_out"]].sum().sum() == len(rows)
    design = full_design(table)
    assert len(design) == len(set(design))
    assert missing_networks(table, design).empty
    gone = data.draw(st.integers(0, len(table) - 1))
    left = table.drop(index=gone)
    missing = missing_networks(left, design)
    assert list(missing.itertuples(index=False, name=None)) == [tuple(table.loc[gone, ["split", "seed", "network"]])]


ROW = metrics_of("random0", 0, Network.parse("A3B"), 0.5)


@given(st.sampled_from([(), *((key,) for key in ROW)]), json_values)
@IN_A_FOLDER
def test_a_damaged_metrics_file_is_refused_by_name_or_still_makes_a_row(tmp_path, path, value):
    changed = tmp_path / "0.json"
    try:
        table = collected(tmp_path, [with_value(ROW, path, value)])
    except ValueError as error:
        assert str(error).startswith(str(changed))  # noqa: PT017
        return
    assert len(table) == 1
    headline(results(table))


PUBLISHED_ROW = dict(
    zip(PUBLISHED_COLUMNS, ["random0", "transfer", "A", "B", "3", "", "1000", "0.5", "0.6", "0.55"], strict=True)
)
cells = st.sampled_from(["", "A", "B", "whole", "base", "1e400", "1e30", "nan", "-1", "3.0", "٣", "0x3"]) | st.text()


@given(st.dictionaries(st.sampled_from(PUBLISHED_COLUMNS), cells, max_size=2), st.binary(max_size=4))
@IN_A_FOLDER
def test_published_accuracies_are_read_or_refused_by_name(tmp_path, changes, end):
    path = tmp_path / "published.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([PUBLISHED_COLUMNS, list((PUBLISHED_ROW | changes).values())])
    path.write_bytes(path.read_bytes() + end)
    try:
        table = read_published(path)
    except ValueError as error:
        assert str(error).startswith(str(path))  # noqa: PT017
        return
    for row in table.itertuples():
        assert Network.parse(row.network).treatment == row.treatment
        assert 0 <= row.top1_final <= 1
