"""The config: what is refused, with which message, and what a valid one asks for."""

import copy
import os
import re
import subprocess
import sys
from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.utils import update_config

from tests.support import DEFAULT, DEFAULT_STUDY, ROOT
from transferability.data.kinds import image_source, require_images
from transferability.study.colors import require_colors
from transferability.study.design import read_study
from transferability.study.names import TREATMENTS
from transferability.study.planned_treatments import BY_PLAN
from transferability.study.schema import SCHEMA, ConfigError, kind_schema
from transferability.study.split_keys import CLASSES_OF


def changed(path, value):
    config = copy.deepcopy(DEFAULT)
    *parents, last = path.split(".")
    target = config
    for key in parents:
        target = target[key]
    if value is KeyError:
        del target[last]
    else:
        target[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("training.learnig_rate", 1, "training.learnig_rate: unknown key; did you mean learning_rate?"),
        ("training.base.epochs", 1, "training.base.epochs: unknown key; known here: iterations, batch_size"),
        ("training.bias_rate", 2, "training.bias_rate: unknown key; it is called bias_lr_multiplier now"),
        ("training.frozen.clip_norm", -1, "training.frozen.clip_norm: is -1; it must be at least 0"),
        ("treatments", [], "treatments: unknown key"),
        ("figures.tolerated_loss", 0.01, "figures.tolerated_loss: unknown key; it is called max_drop now"),
        ("running.resident_gb", 1, "running.resident_gb: unknown key; it is called cache_gb now"),
        ("seeds", KeyError, "top level: seeds is missing"),
        (
            "preprocessing.mean",
            [124.0],
            "preprocessing.mean[0]: is 124; it must be at most 1, because pixels are scaled",
        ),
        ("training.iterations", "many", "training.iterations: is 'many'; it must be an integer"),
        ("training.weight_decay", "5e-4", "it must be a number; write it as 0.0005"),
        ("training.iterations", 0, "training.iterations: is 0; it must be at least 1"),
        ("training.momentum", 1, "training.momentum: is 1; it must be less than 1"),
        ("training.schedule", "cosin", "must be one of step, cosine, constant; did you mean cosine?"),
        ("training.evaluate_every", 999, "evaluate_every is 999, more than the 500 iterations of base and frozen and"),
        ("training.frozen.iterations", 5, "evaluate_every is 40, more than the 5 iterations of frozen networks"),
        (
            "networks.depths",
            [1, 8],
            "networks.depths: mini_caffenet has no cut at 8; its cuts are n = 1 to 7, conv1 to fc7",
        ),
        ("networks.depths", [0], "networks.depths: mini_caffenet has no cut at 0"),
        ("networks.depths", [], "networks.depths: is empty; give at least one"),
        ("networks.depths", [3, 3], "networks.depths: 3 appears twice"),
        ("networks.treatments", ["transfre"], "networks.treatments[0]: is 'transfre'; it must be one of"),
        (
            "networks.architecture",
            "alexnet",
            "networks.architecture: is 'alexnet'; it must be one of caffenet, mini_caffenet",
        ),
        ("splits", [], "splits: is empty; give at least one"),
        ("splits", ["radnom0"], "splits: 'radnom0' is not whole, or random and a seed, such as random0"),
        ("splits", ["random0", "random0"], "splits: random0 appears twice"),
        ("splits", [{"name": "s", "A": "letter"}], "splits[0]: B is missing"),
        ("splits", [{"name": "s", "A": "letter", "B": "animal"}], "the group 'animal' in B, which the data set lacks"),
        ("splits", [{"name": "s", "A": "letter", "B": "letter"}], "s has the group 'letter' on both sides"),
        ("splits", [{"name": "random1", "A": "letter", "B": "symbol"}], "random1 is the name of a random split"),
        ("seeds", [0, 0], "seeds: 0 appears twice"),
        ("seeds", [-1], "seeds[0]: is -1; it must be at least 0"),
        ("dataset", "glyph", "dataset: 'glyph' is not one of datasets: glyphs"),
        ("datasets.glyphs.kind", "fonts", "datasets.glyphs.kind: is 'fonts'; it must be one of glyphs, folder"),
        ("datasets.glyphs.sise", 3, "datasets.glyphs.sise: unknown key; did you mean size?"),
        ("datasets.glyphs.size", 3, "datasets.glyphs.size: is 3; it must be at least 12"),
        ("running.device", "gpu", "running.device: is 'gpu'; it must be one of auto, cpu, cuda"),
        ("running.networks_per_job", 7.5, "running.networks_per_job: is 7.5; it must be an integer"),
        ("running.networks_per_job", 0, "running.networks_per_job: is 0; it must be at least 1"),
        ("figures.metric", "top1", "figures.metric: is 'top1'; it must be one of top1_final"),
        (
            "networks.preserve",
            [7],
            "networks.preserve: 7 more layers than n = 1, the least of networks.depths",
        ),
        ("networks.reduced", [5, 5], "networks.reduced: 5 appears twice"),
        ("networks.random_for", "all", "networks.random_for: is 'all'; it must be one of halves, whole"),
        (
            "preprocessing.mean",
            "half",
            "preprocessing.mean: is 'half'; it must be own, whole, A, B, pretrained, or a list with a number",
        ),
        ("preprocessing.mean", [], "preprocessing.mean: is empty; give at least one"),
        ("preprocessing.mean", [123.7], "preprocessing.mean[0]: is 123.7; it must be at most 1"),
        (
            "preprocessing.mean",
            [0.5],
            "preprocessing.std: has 0 numbers and mean has 1; if mean is a list, each has",
        ),
        (
            "preprocessing.std",
            [0.2],
            "preprocessing.std: is [0.2], but mean is own, a mean image, which goes with scale",
        ),
        ("preprocessing.std", [0], "preprocessing.std[0]: is 0; it must be more than 0"),
        ("preprocessing.random_resized_crop", True, "it must be false, or a mapping such as {scale: [0.08, 1], ratio:"),
        (
            "preprocessing.random_resized_crop",
            {"scale": [0.1, 1]},
            "preprocessing.random_resized_crop: ratio is missing",
        ),
        (
            "preprocessing.random_resized_crop",
            {"scale": [1, 0.1], "ratio": [1, 1]},
            "preprocessing.random_resized_crop.scale: is [1, 0.1]; it must be two numbers, the smallest and",
        ),
        (
            "preprocessing.random_resized_crop",
            {"scale": [1, 1], "ratio": [1]},
            "preprocessing.random_resized_crop.ratio: is [1]; it must be two numbers",
        ),
        (
            "training.optimizer",
            "adam",
            "training.optimizer: is 'adam'; it must be one of caffe_sgd, sgd, adamw; did you",
        ),
        ("training.decay", "none", "training.decay: is 'none'; it must be one of all_but_biases, weights, all"),
        ("training.label_smoothing", 1, "training.label_smoothing: is 1; it must be less than 1"),
        ("training.warmup_iterations", -1, "training.warmup_iterations: is -1; it must be at least 0"),
        (
            "training.warmup_iterations",
            500,
            "warmup_iterations is 500, but base and frozen and fine_tuned networks have",
        ),
        ("training.base.warmup_iterations", 900, "but base networks have 500 iterations; it must be less"),
        ("training.layer_decay", 0, "training.layer_decay: is 0; it must be more than 0"),
        (
            "training.layer_decay",
            0.5,
            "training.layer_decay: is 0.5, but it is for fine-tuned networks only; give it as",
        ),
        ("training.frozen.layer_decay", 0.5, "training.frozen.layer_decay: is 0.5, but it is for fine-tuned networks"),
        ("splits", [{"name": "whole", "A": "letter", "B": "symbol"}], "whole is the name of the split of all classes"),
        (
            "study",
            "a/b",
            "that begins with a letter or digit; write it as a_b",
        ),
        (
            "results",
            "a{b}",
            "results: is 'a{b}'; it must be a folder's path without braces, which Snakemake fills in, and without $",
        ),
        (
            "stores",
            "~nobody-here/stores",
            "stores: is '~nobody-here/stores'; there is no user of that name; write the home folder out",
        ),
        ("study", "a\n", "study: is 'a\\n'; it must be a name of"),
        ("seeds", [], "seeds: is empty; give at least one"),
        ("splits", ["random4294967296"], "splits: random4294967296 has a seed above 4294967295, the highest allowed"),
        ("splits", ["random١"], "splits: 'random١' is not whole, or random and a seed"),
        ("splits", [{"A": "letter", "B": "symbol"}], "splits[0]: name is missing"),
        ("splits", [{"by": "images"}], "splits[0]: name is missing"),
        ("splits", [{"name": "images0"}], "splits[0]: A and B is missing"),
        ("splits", [{"name": "images0", "by": "classes"}], "splits[0].by: is 'classes'; it must be one of images"),
        ("splits", [{"name": "photos", "by": "images"}], "photos is by images; its name must be images and a seed"),
        ("splits", [{"name": "random0", "by": "images"}], "random0 is by images; its name must be images and a seed"),
        ("splits", [{"name": "images0", "by": "images", "A": "letter"}], "images0 has by and A; a split by images has"),
        ("splits", ["images0"], "images0 is the name of a split by images; write it as {name: images0, by: images}"),
        (
            "splits",
            [{"name": "images0", "A": "letter", "B": "symbol"}],
            "images0 is the name of a split by images; give",
        ),
        (
            "splits",
            [{"name": "images4294967296", "by": "images"}],
            "splits: images4294967296 has a seed above 4294967295, the highest allowed",
        ),
        ("training.learning_rate", float("nan"), "training.learning_rate: is nan; it must be a number"),
        ("training.weight_decay", float("inf"), "training.weight_decay: is inf; it must be a number"),
        ("datasets", {1: {}}, "datasets: the name is 1; it must be text; write it as '1', in quotes"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(path, value, message):
    with pytest.raises(ConfigError) as caught:
        read_study(changed(path, value))
    lines = str(caught.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("config: ")
    assert message in lines[0]


@pytest.mark.parametrize(
    ("data_set", "channels"),
    [
        (DEFAULT["datasets"]["glyphs"], 1),
        ({"kind": "torchvision", "set": "fashion_mnist", "folder": "data"}, 1),
        ({"kind": "torchvision", "set": "cifar10", "folder": "data"}, 3),
        ({"kind": "folder", "root": "images", "size": 24}, 3),
        ({"kind": "folder", "root": "images", "size": 24, "channels": 1}, 1),
    ],
)
def test_a_mean_of_numbers_has_one_for_each_channel(data_set, channels):
    config = changed("dataset", "mine") | {"splits": ["random0"]}
    config["datasets"]["mine"] = data_set
    for count in (1, 2, 3):
        config["preprocessing"] = config["preprocessing"] | {"mean": [0.5] * count, "std": [0.2] * count}
        if count == channels:
            assert read_study(config).settings("base").preprocessing.mean == (0.5,) * count
        else:
            with pytest.raises(
                ConfigError, match=rf"mean: has {count} numbers?, but the images of mine have {channels} "
            ):
                read_study(config)


def test_layers_decay_in_fine_tuned_networks_only():
    study = read_study(changed("training.fine_tuned", {"layer_decay": 0.5}))
    of_stage = {stage: settings.hyperparameters.layer_decay for stage, settings in study.stages.items()}
    assert of_stage == {"base": 1, "reduced": 1, "frozen": 1, "fine_tuned": 0.5}


def test_every_mistake_is_listed():
    config = changed("training.iterations", "many")
    config["seeds"] = "none"
    with pytest.raises(ConfigError) as caught:
        read_study(config)
    assert len(str(caught.value).splitlines()) == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats(allow_subnormal=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
paths = st.sampled_from(
    [f"{key}" for key in DEFAULT]
    + [f"{key}.{inner}" for key, value in DEFAULT.items() if isinstance(value, dict) for inner in value]
    + [f"datasets.glyphs.{key}" for key in DEFAULT["datasets"]["glyphs"]]
)


@given(paths, anything)
def test_whatever_stands_in_the_config_is_read_or_refused(path, value):
    try:
        study = read_study(changed(path, value))
    except ConfigError:
        return
    assert list(study.networks())


def test_the_default_study():
    study = read_study(DEFAULT_STUDY)
    networks = list(study.networks())
    assert len(networks) == len(set(networks)) == 224
    per_half = {(split, network.target) for split, _, network in networks}
    assert len(per_half) == 8
    treatments = [network.treatment for split, _, network in networks if (split, network.target) == ("random0", "A")]
    assert {t: treatments.count(t) for t in treatments} == {
        "base": 1,
        **dict.fromkeys(["selffer", "transfer", "random"], 7),
        **dict.fromkeys(["selffer+", "transfer+"], 3),
    }
    sources = {network.source for split, _, network in networks if network.target == "A"}
    assert sources == {None, "A", "B", "R"}


def names_by_split(study):
    networks = list(study.networks())
    assert len(networks) == len(set(networks))
    return {split: [network.name for of, _, network in networks if of == split] for split in study.splits}


def test_random_networks_of_the_whole_set_bring_its_base():
    by_split = names_by_split(read_study(changed("networks.random_for", "whole")))
    assert list(by_split) == ["random0", "letters_symbols", "whole"]
    assert by_split["whole"] == ["basewhole", *(f"R{n}whole" for n in range(1, 8))]
    assert not [name for name in by_split["random0"] if name.startswith("R")]
    assert len(by_split["random0"]) == 2 + 8 * 7


def test_reduced_networks_bring_the_base_of_the_whole_set():
    by_split = names_by_split(read_study(changed("networks.reduced", [50, 10])))
    assert by_split["whole"] == ["basewhole", "reduced10", "reduced50"]


def test_fine_tuned_networks_may_be_of_fewer_depths():
    study = read_study(changed("networks.fine_tuned_depths", [7, 1, 4]))
    names = names_by_split(study)["random0"]
    assert {name for name in names if name.endswith("+")} == {
        f"{source}{n}{target}+" for source in "AB" for target in "AB" for n in (1, 4, 7)
    }
    assert {name for name in names if name.startswith("A") and name.endswith("B")} == {f"A{n}B" for n in range(1, 8)}
    assert study.chunks(fine_tuned=True) == ((1, 4, 7),)
    assert study.chunks() == (tuple(range(1, 8)),)


@pytest.mark.parametrize(
    ("depths", "asked", "fine_tuned"),
    [
        ("all", "spread", (1, 4, 7)),
        ([5, 2, 1, 4, 3], "spread", (1, 3, 5)),
        ([6, 2], "spread", (2, 6)),
        ([5], "spread", (5,)),
        ([6, 2], "all", (2, 6)),
    ],
)
def test_fine_tuned_depths_may_be_all_or_spread_over_those_of_the_network(depths, asked, fine_tuned):
    config = changed("networks.fine_tuned_depths", asked)
    config["networks"]["depths"] = depths
    assert read_study(config).chunks(fine_tuned=True) == (fine_tuned,)


@pytest.mark.parametrize("asked", ["", "some", "all\n", 3])
def test_fine_tuned_depths_that_are_no_depths_are_refused(asked):
    with pytest.raises(ConfigError, match=r"networks\.fine_tuned_depths: .*(all, spread, or a list of numbers|list)"):
        read_study(changed("networks.fine_tuned_depths", asked))


def test_fine_tuned_depths_that_no_network_has_count_for_nothing():
    config = changed("networks.fine_tuned_depths", [1, 4, 7])
    config["networks"]["depths"] = [4, 5]
    assert read_study(config).chunks(fine_tuned=True) == ((4,),)
    config["networks"]["depths"] = [5]
    with pytest.raises(
        ConfigError, match=r"networks.fine_tuned_depths: none of 1, 4, 7 is in networks.depths, 5; give"
    ):
        read_study(config)
    config["networks"]["treatments"] = ["selffer", "transfer"]  # which fine-tune nothing
    read_study(config)


def test_preserved_layers_reach_no_further_than_the_network():
    study = read_study(changed("networks.preserve", [1, 3]))
    preserving = [name for name in names_by_split(study)["random0"] if "preserve" in name]
    expected = {
        f"{series[0]}{n}{series[1]}_preserve{k}"
        for series in ("AA", "BB", "AB", "BA")
        for k in (1, 3)
        for n in range(1, 8 - k)
    }
    assert set(preserving) == expected
    (rule,) = (rule for rule in study.training_rules if rule.name == "train_frozen_preserve3_n1_to_4")
    assert rule.networks == tuple(f"{{source}}{n}{{target}}_preserve3" for n in (1, 2, 3, 4))


def overlaid(path, **changes):
    config = copy.deepcopy(DEFAULT)
    update_config(config, yaml.safe_load(path.read_text()))
    update_config(config, changes)
    return config


def test_the_papers_study_is_the_papers():
    study = read_study(overlaid(ROOT / "config" / "imagenet.yaml"))
    networks = [network for _, _, network in study.networks()]
    counts = {treatment: sum(network.treatment == treatment for network in networks) for treatment in TREATMENTS}
    assert counts == {
        "base": 10 + 1,
        **dict.fromkeys(["selffer", "selffer+", "transfer", "transfer+"], 5 * 2 * 7),
        "random": 7,
        **dict.fromkeys(["random+", "pretrained", "pretrained+", *BY_PLAN], 0),
        "reduced": 12,
    }
    base, reduced = study.settings("base").hyperparameters, study.settings("reduced").hyperparameters
    assert [base.rate_at(i) for i in (0, 99_999, 100_000, 449_999)] == pytest.approx([1e-2, 1e-2, 1e-3, 1e-6])
    assert [reduced.rate_at(i) for i in (0, 63_999, 64_000)] == pytest.approx([1.25e-2, 1.25e-2, 1.25e-3])
    assert (base.iterations, reduced.iterations) == (450_000, 200_000)


@pytest.fixture
def grouped_config(tmp_path):
    def with_groups(text, file="groups.csv"):
        (tmp_path / "groups.csv").write_bytes(text.encode(errors="surrogateescape"))
        settings = {"kind": "folder", "root": str(tmp_path), "size": 32, "groups": str(tmp_path / file)}
        return changed("datasets", {"mine": settings}) | {
            "dataset": "mine",
            "splits": [{"name": "s", "A": "wild", "B": "tame"}],
        }

    return with_groups


def test_a_data_set_with_a_file_of_groups(grouped_config):
    study = read_study(grouped_config("class,group\ncat,tame\ndog,tame\nwolf,wild\nlion,wild\n"))
    assert "groups" not in study.data_set.store_settings
    assert study.data_set.groups_file.name == "groups.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,group\ncat,tame\ndog,tame\n", "the group 'wild' in A, which the data set lacks; its groups are tame"),
        ("name,group\ncat,tame\n", "datasets.mine.groups: .*groups.csv: no column class; it takes class and group"),
        ("class,group\ncat,\n", "groups.csv, line 2: group is empty"),
        ("class,group\ncat,tame\ncat,wild\n", "line 3: the class cat appears twice"),
        ("class,group\ncat,t\udce4me\n", "datasets.mine.groups: .*groups.csv is not in UTF-8"),
    ],
)
def test_a_bad_file_of_groups_is_refused(grouped_config, text, message):
    with pytest.raises(ConfigError, match=message):
        read_study(grouped_config(text))


def test_a_file_of_groups_that_is_not_there(grouped_config):
    with pytest.raises(ConfigError, match=r"datasets.mine.groups: .*other.csv: there is no such file"):
        read_study(grouped_config("", file="other.csv"))


def test_the_projects_own_groups_are_found_from_any_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert read_study(overlaid(ROOT / "config" / "tiny-imagenet.yaml")).data_set.groups_file.is_file()


@pytest.mark.parametrize(("per_job", "chunks"), [(7, 1), (3, 3), (1, 7), (100, 1)])
def test_series_are_cut_into_jobs(per_job, chunks):
    study = read_study(changed("running.networks_per_job", per_job))
    assert len(study.chunks()) == chunks
    assert [n for chunk in study.chunks() for n in chunk] == list(range(1, 8))
    assert list(study.networks()) == list(read_study(DEFAULT).networks())


def test_a_stage_has_its_own_hyperparameters():
    study = read_study(changed("training.fine_tuned", {"learning_rate": 0.001}))
    rates = {stage: settings.hyperparameters.learning_rate for stage, settings in study.stages.items()}
    assert rates == {"base": 0.05, "reduced": 0.05, "frozen": 0.05, "fine_tuned": 0.001}


def test_every_key_of_the_schema_is_described_and_in_the_default_config():
    schema = yaml.safe_load(SCHEMA.read_text())

    def check(properties, config, path):
        for key, rule in properties.items():
            assert rule.get("description") or rule["type"] in ("object", "string"), f"{path}{key}"
            if key not in ("random+",):
                assert key in config, f"{path}{key} is not in config.yaml"
            if rule.get("type") == "object" and "properties" in rule and config.get(key):
                check(rule["properties"], config[key], f"{path}{key}.")

    check(schema["properties"], DEFAULT, "")
    for kind in {data_set["kind"] for data_set in DEFAULT["datasets"].values()}:
        assert set(schema["$defs"]["data_sets"][kind]["properties"]) == set(DEFAULT["datasets"][kind])


def test_a_config_is_checked_without_loading_torch_or_pandas():
    """They take seconds, on every start of Snakemake and of every job."""
    command = "import sys, transferability.study.design; print({'torch', 'pandas'} & sys.modules.keys())"
    scripts = ROOT / "workflow" / "scripts"
    done = subprocess.run([sys.executable, "-c", command], cwd=scripts, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_groups_that_the_schema_gives_a_kind_are_those_of_its_classes():
    """The study checks splits with the former, and makes them with the latter."""
    settings = read_study(changed("datasets.glyphs.letters", 5)).data_set.store_settings
    with image_source("glyphs", settings) as source:
        found = Counter(image_class.group for image_class in source.classes)
    keys = kind_schema("glyphs")["properties"].items()
    assert {about[CLASSES_OF]: settings[key] for key, about in keys if CLASSES_OF in about} == found


class TestWhatShapesATraining:
    """A key that a schedule does not use is not part of a network's identity, so changing it retrains nothing."""

    @pytest.mark.parametrize("schedule", ["cosine", "constant", "step"])
    @pytest.mark.parametrize(("key", "value"), [("step_every", 7), ("step_factor", 0.3)])
    def test_steps_count_where_the_rate_falls_in_steps(self, schedule, key, value):
        config = changed("training.schedule", schedule)
        before = read_study(config).settings("base").hyperparameters.to_json()
        config["training"][key] = value
        after = read_study(config).settings("base").hyperparameters.to_json()
        assert (before != after) == (schedule == "step")

    def test_every_other_key_counts(self):
        config = changed("training.schedule", "cosine")
        settings = read_study(config).settings("base").hyperparameters
        later = {"optimizer", "decay", "warmup_iterations", "label_smoothing", "layer_decay", "few_images"}
        assert settings.to_json().keys() == vars(settings).keys() - {"step_every", "step_factor"} - later


def test_layers_are_preserved_only_above_frozen_ones():
    config = changed("networks.preserve", [1])
    read_study(config)
    config["networks"]["treatments"] = ["transfer+", "random"]
    with pytest.raises(
        ConfigError, match=r"^config: networks\.preserve: is for frozen .*; add one, or set it to \[\]$"
    ):
        read_study(config)


@pytest.mark.parametrize("color", ["redd", "", "none", "#00000000", "#GGGGGG", "$x$"])
def test_a_color_that_is_none_is_refused_by_name(color):
    require_colors(DEFAULT["figures"]["colors"])
    with pytest.raises(
        ConfigError, match=rf"^config: figures\.colors\.base: is {re.escape(repr(color))}; it must be a"
    ):
        require_colors(changed("figures.colors.base", color)["figures"]["colors"])


def test_settings_that_matplotlib_cannot_read_are_told_in_a_sentence(tmp_path):
    """These are a user's, in the folder where the study runs; a new process has not read them yet."""
    (tmp_path / "matplotlibrc").write_bytes("# café".encode("latin-1"))
    code = "from transferability.study.colors import require_colors; require_colors({})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)
    assert re.search(r"ConfigError: matplotlibrc: .* not UTF-8 text; save the file as UTF-8 or remove it", done.stderr)


def test_a_run_outside_the_projects_folder_is_told_in_one_sentence():
    with pytest.raises(ConfigError) as told:
        read_study({"study": "mine", "splits": ["random0"], "networks": {"depths": [1]}})
    assert str(told.value).startswith(
        "config: results, stores, dataset and others are missing: the defaults, in config.yaml"
    )
    assert str(told.value).count("config: ") == 1


def test_images_that_are_not_there_are_told(tmp_path):
    config = changed("dataset", "mine")
    config["datasets"]["mine"] = {"kind": "folder", "root": str(tmp_path), "size": 24}
    for image in ("train/cat/a.png", "train/dog/a.png", "val/cat/b.png", "val/dog/b.png"):
        (tmp_path / image).parent.mkdir(parents=True)
        (tmp_path / image).touch()
    config["splits"] = ["random0"]
    require_images("mine", read_study(config).data_set.settings)
    config["datasets"]["mine"]["root"] = str(tmp_path / "gone")
    with pytest.raises(
        ConfigError, match=r"^config: datasets\.mine\.root: there is no .*gone; it must be a folder, or an"
    ):
        require_images("mine", read_study(config).data_set.settings)
