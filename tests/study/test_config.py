"""How a config is written, and what becomes of it: paths in one spelling, plain values, hints that are accepted."""

import collections
import copy
import itertools
import json
import os
import re

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from tests.project import Project
from tests.support import DEFAULT, ROOT
from transferability.study.config_files import require_clear_files
from transferability.study.config_paths import one_spelling
from transferability.study.design import read_study, without_running
from transferability.study.schema import ConfigError

GLYPHS = DEFAULT["datasets"]["glyphs"]
GROUPS = {"name": "s", "A": "letter", "B": "symbol"}


def changed(**changes):
    """The default config with ``section__key=value``."""
    config = copy.deepcopy(DEFAULT)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = config
        for key in parents:
            place = place[key]
        place[last] = value
    return config


def refusal(config):
    with pytest.raises(ConfigError) as caught:
        read_study(config)
    assert str(caught.value).count("\n") == 0
    return str(caught.value)


def problem_of(config):
    """What is wrong with a config; empty if nothing is."""
    try:
        read_study(config)
    except ConfigError as error:
        return str(error)
    return ""


def put(config, key, value):
    """Put a value at a place that a message names, such as ``splits[0].name``."""
    *parents, last = [int(part) if part.isdigit() else part for part in re.split(r"[.\[\]]+", key) if part]
    for part in parents:
        config = config[part]
    config[last] = value


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestPaths:
    @pytest.mark.parametrize(
        "spelling",
        ["st", "st/", "./st", "st//", " st\n", ".//st/./", "x/../st", "{here}/st", "{here}//x/../st/", "//{here}/st"],
    )
    @pytest.mark.parametrize("key", ["results", "stores"])
    def test_a_folder_has_one_spelling(self, here, key, spelling):
        study = read_study(changed(**{key: spelling.replace("{here}", str(here))}))
        assert study.config[key] == "st"

    def test_the_home_folder_is_written_out(self, here, monkeypatch):
        monkeypatch.setenv("HOME", "/home/me")
        assert read_study(changed(stores="~/st/")).config["stores"] == "/home/me/st"

    def test_a_folder_elsewhere_is_absolute(self, here):
        assert read_study(changed(stores="../st")).config["stores"] == str(here.parent / "st")

    def test_up_from_behind_a_link_is_where_the_link_leads(self, here):
        (here / "far" / "away").mkdir(parents=True)
        (here / "link").symlink_to(here / "far" / "away")
        assert one_spelling("link/../st") == "far/st"

    @given(st.text(st.sampled_from("a./~ "), min_size=1).filter(str.strip))
    def test_read_again_it_stays(self, path):
        assert one_spelling(one_spelling(path)) == one_spelling(path)

    def test_what_images_are_read_from_has_one_too(self, here):
        folder = {"kind": "folder", "size": 24}
        found = [
            read_study(
                changed(dataset="m", splits=["random0"], datasets={"m": {**folder, "root": root}})
            ).data_set.settings["root"]
            for root in ("br{a}ce/", f"{here}/br{{a}}ce")
        ]
        assert found == ["br{a}ce", "br{a}ce"]

    @pytest.mark.parametrize(
        "path", ["", " ", ".", "./", "{here}", "a{b", "a}b", "$SCRATCH/x", "a\nb", "x" * 256, "~nobody-x/a"]
    )
    @pytest.mark.parametrize("key", ["results", "stores"])
    def test_what_can_be_no_folder_of_ours_is_refused(self, here, key, path):
        assert refusal(changed(**{key: path.replace("{here}", str(here))})).startswith(f"config: {key}: ")

    @pytest.mark.parametrize("root", ["", "a\nb", "~nobody-x/a"])
    def test_what_can_be_no_root_is_refused(self, root):
        data = {"m": {"kind": "folder", "size": 24, "root": root}}
        assert refusal(changed(dataset="m", splits=["random0"], datasets=data)).startswith("config: datasets.m.root: ")


class TestPlaces:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"study": "published"}, "study: published is where the results of the authors' accuracies go"),
            ({"study": "Published"}, "study: Published is where"),
            ({"study": "stores"}, "study: its folder results/stores is that of the image stores"),
            ({"study": "mine", "results": "results/stores"}, "study: its folder results/stores/mine is in that of"),
            (
                {"study": "mine", "stores": "results/mine/networks"},
                "stores: results/mine/networks is in the study's own",
            ),
            (
                {"study": "mine", "stores": "results/mine/so_far/x"},
                "stores: results/mine/so_far/x is in the study's own",
            ),
            ({"stores": "results/published/x"}, "stores: results/published/x is where the results of the authors'"),
        ],
    )
    def test_where_others_write_is_refused(self, changes, message):
        assert refusal(changed(**changes)).startswith(f"config: {message}")

    @pytest.mark.parametrize("changes", [{"study": "stores", "stores": "st"}, {"study": "m", "stores": "results/m/st"}])
    def test_elsewhere_is_fine(self, changes):
        read_study(changed(**changes))


class TestNames:
    @pytest.mark.parametrize("name", ["", ".", "a//b", "a b/c", "x{y}", "a\n", "ä"])
    def test_of_data_sets(self, name):
        assert refusal(changed(dataset=name, datasets={name: GLYPHS})).startswith(
            f"config: dataset: is {name!r}; it must"
        )

    @pytest.mark.parametrize("longest", [200, 201, 300])
    def test_are_no_longer_than_files_may_be(self, longest):
        name = "x" * longest
        for changes in (
            {"study": name},
            {"dataset": name, "datasets": {name: GLYPHS}},
            {"splits": [{**GROUPS, "name": name}]},
        ):
            if longest > 200:
                assert f"has {longest} characters; at most 200 are allowed" in refusal(changed(**changes))
            else:
                read_study(changed(**changes))

    def test_of_splits_differ_in_more_than_case(self):
        message = refusal(changed(splits=[{**GROUPS, "name": "Same"}, {**GROUPS, "name": "same"}]))
        assert "Same and same differ only in case" in message

    @pytest.mark.parametrize("word", ["no", "yes", "off", "null", "2024", "2024-01-01", "~", "1.5"])
    @pytest.mark.parametrize("key", ["name", "A"])
    def test_that_yaml_reads_as_something_else_are_hinted_in_quotes(self, word, key):
        entry = yaml.safe_load(f"{{{', '.join(f'{k}: {v}' for k, v in (GROUPS | {key: word}).items())}}}")
        message = refusal(changed(splits=[entry]))
        assert message.startswith(f"config: splits[0].{key}: is ")
        hint = re.search(r"write it as (.*?)(, in quotes.*)?$", message)[1]
        assert isinstance(yaml.safe_load(hint), str)


class TestHints:
    """Following a hint gives a config that is accepted."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"training__iterations": "1e3"},
            {"training__iterations": "1,000"},
            {"training__iterations": " 500 "},
            {"training__iterations": [500]},
            {"training__learning_rate": "5e-4"},
            {"training__learning_rate": "5e-7"},
            {"training__learning_rate": ".5"},
            {"training__weight_decay": "1E-3"},
            {"training__momentum": "0.9"},
            {"training__schedule": "cosin"},
            {"training__base__iterations": "2e2"},
            {"preprocessing__mirror": "yes"},
            {"preprocessing__mirror": "off"},
            {"preprocessing__scale": "64"},
            {"networks__depths": 3},
            {"networks__depths": "3"},
            {"networks__treatments": ["transfre"]},
            {"networks__architecture": "minicaffenet"},
            {"seeds": 0},
            {"splits": "random0"},
            {"study": 2024},
            {"study": "my study"},
            {"study": False},
            {"dataset": ["glyphs"]},
            {"splits": [{**GROUPS, "name": 3}]},
            {"splits": [{**GROUPS, "name": "a-b c"}]},
            {"datasets__glyphs__size": "24"},
            {"running__threads": "2"},
        ],
        ids=str,
    )
    def test_a_hint_is_accepted(self, changes):
        config, hinted = changed(**changes), []
        while message := problem_of(config):
            found = re.search(r"^config: (\S+): .*(?:write it as|did you mean) (.*?)(, in quotes.*|\?)?$", message)
            key, hint = found[1], yaml.safe_load(found[2])
            assert (key, hint) not in hinted
            hinted.append((key, hint))
            put(config, key, hint)
        assert hinted

    @pytest.mark.parametrize("text", ["many", "1e400", "2.5", "-1e3", "", "1:30", "0x10", "1,5", "١"])
    def test_there_is_none_where_none_would_be_accepted(self, text):
        assert "write" not in refusal(changed(training__iterations=text))

    @given(
        st.one_of(
            st.floats(allow_subnormal=False), st.integers(), st.text(max_size=6), st.booleans(), st.none(), st.dates()
        )
    )
    def test_whatever_is_hinted_is_accepted_by_itself(self, value):
        for key in ("training__iterations", "training__weight_decay", "study", "preprocessing__mirror"):
            try:
                read_study(changed(**{key: value}))
            except ConfigError as error:
                if found := re.search(r"write it as (.*?)(, in quotes.*)?$", str(error)):
                    if key == "training__iterations" and yaml.safe_load(found[1]) < 40:
                        continue  # fewer than evaluate_every, which is a different problem
                    read_study(changed(**{key: yaml.safe_load(found[1])}))


class TestNumbers:
    def test_whole_floats_are_integers_where_integers_are_wanted(self):
        study = read_study(changed(training__iterations=1000.0, datasets__glyphs__size=24.0, seeds=[1.0]))
        found = (study.settings("base").hyperparameters.iterations, study.data_set.settings["size"], study.seeds[0])
        assert [type(value) for value in found] == [int, int, int]
        assert found == (1000, 24, 1)

    @pytest.mark.parametrize(
        ("key", "value"),
        {
            **{"preprocessing__scale": 64, "training__weight_decay": 0, "training__momentum": 0},
            **{"training__clip_norm": 2, "training__learning_rate": 1, "figures__max_drop": 0},
        }.items(),
    )
    def test_equal_configs_are_written_alike_and_make_the_same_networks(self, key, value):
        written = [read_study(changed(**{key: number})) for number in (value, float(value))]
        assert json.dumps(written[0].config) == json.dumps(written[1].config)
        identities = [json.dumps(study.settings("frozen").to_json()) for study in written]
        assert identities[0] == identities[1]

    def test_other_numbers_stay_what_they_are(self):
        study = read_study(changed(preprocessing__scale=64.5))
        assert json.dumps(study.config["preprocessing"]["scale"]) == "64.5"
        assert read_study(DEFAULT).config == DEFAULT


def test_a_json_config_is_plain_and_can_be_printed(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"splits": ["random0", GROUPS]}))
    config = copy.deepcopy(DEFAULT)
    update_config(config, load_configfile(str(file)))
    assert isinstance(config["splits"][1], collections.OrderedDict)
    study = read_study(config)
    assert yaml.safe_load(yaml.safe_dump(without_running(study.config))) == without_running(study.config)


def test_text_that_is_none_is_refused():
    assert "splits[0].A: 'a\\ud800' has characters that are not Unicode text" in refusal(
        changed(splits=[{**GROUPS, "A": "a\ud800"}])
    )


def test_a_config_that_holds_itself_is_refused():
    config = changed()
    config["training"]["base"] = config
    assert "contains itself" in refusal(config)


class TestSizes:
    @pytest.mark.parametrize(
        ("data", "side"),
        [
            (GLYPHS, 24),
            ({"kind": "folder", "root": "x", "size": 30}, 30),
            ({"kind": "torchvision", "set": "fashion_mnist", "folder": "x"}, 28),
        ],
    )
    def test_a_crop_is_no_larger_than_its_image(self, data, side):
        config = changed(dataset="m", datasets={"m": data}, splits=["random0"])
        read_study(config | {"preprocessing": config["preprocessing"] | {"crop": side}})
        message = refusal(config | {"preprocessing": config["preprocessing"] | {"crop": side + 1}})
        assert f"preprocessing.crop: is {side + 1}, but the images of m have a side of {side} pixels" in message

    @pytest.mark.parametrize(
        ("rows", "splits", "message"),
        [
            ("a,x\nb,x\nc,y\n", [{"name": "s", "A": "x", "B": "y"}], "the group 'y' in B, which has 1 class; at least"),
            ("a,x\nb,x\nc,y\n", ["random0"], "random0 cuts 3 classes into halves; at least 4 are needed"),
        ],
    )
    def test_halves_of_too_few_classes_are_refused(self, tmp_path, rows, splits, message):
        groups = tmp_path / "g{r}oups.csv"
        groups.write_text(f"class,group\n{rows}")
        data = {"kind": "folder", "root": "x", "size": 24, "groups": str(groups)}
        config = changed(dataset="m", datasets={"m": data}, splits=splits)
        assert message in refusal(config)
        groups.write_text(f"class,group\n{rows}d,y\n")
        read_study(config)

    def test_a_folder_of_groups_is_refused(self, tmp_path):
        data = {"kind": "folder", "root": "x", "size": 24, "groups": str(tmp_path)}
        assert "is a folder; it must be a CSV" in refusal(changed(dataset="m", datasets={"m": data}))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_groups_that_cannot_be_read_are_told(self, tmp_path):
        groups = tmp_path / "groups.csv"
        groups.touch(0o000)
        data = {"kind": "folder", "root": "x", "size": 24, "groups": str(groups)}
        assert "cannot be read (Permission denied)" in refusal(changed(dataset="m", datasets={"m": data}))


class TestFiles:
    def problems(self, tmp_path, text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        try:
            require_clear_files([path])
        except ConfigError as error:
            return [line.removeprefix(f"{path}, ") for line in str(error).splitlines()]
        return []

    def test_the_projects_own_are_clear(self):
        require_clear_files([ROOT / "config.yaml", *(ROOT / "config").glob("*.yaml")])

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("study: a\nstudy: b\n", "line 2: study: appears twice, first in line 1"),
            ("training:\n  base: {momentum: 0.5, momentum: 0.9}\n", "line 2: training.base.momentum: appears twice"),
            ("splits:\n- {name: a, A: x,\n   A: y}\n", "line 3: splits[0].A: appears twice, first in line 2"),
            (
                "training: {iterations: 010}\n",
                "line 1: training.iterations: 010 is 8 to YAML; write 8, or '010' in quotes",
            ),
            ("seeds: [0x10]\n", "line 1: seeds[0]: 0x10 is 16 to YAML"),
            ("seeds: [0b11]\n", "line 1: seeds[0]: 0b11 is 3 to YAML"),
            ("seeds: [1:30]\n", "line 1: seeds[0]: 1:30 is 90 to YAML"),
            ("training: {momentum: 1:30.5}\n", "line 1: training.momentum: 1:30.5 is 90.5 to YAML"),
        ],
    )
    def test_what_is_not_as_it_reads_is_told_with_its_line(self, tmp_path, text, problem):
        (found,) = self.problems(tmp_path, text)
        assert found.startswith(problem)

    @pytest.mark.parametrize(
        "text", ["a: 0\nb: -5\nc: 1_000\nd: 1.5e+3\ne: '010'\nf: [1.0, .5]\n", "", "x: &x {a: 1}\ny: {<<: *x, a: 2}\n"]
    )
    def test_what_is_as_it_reads_is_passed_over(self, tmp_path, text):
        assert self.problems(tmp_path, text) == []

    def test_json_has_lines_too(self, tmp_path):
        text = '{\n\t"study": "a",\n\t"seeds": [0],\n\t"study": "b"\n}\n'
        assert self.problems(tmp_path, text, "mine.json") == ["line 4: study: appears twice, first in line 2"]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.mark.slow
class TestInTheWorkflow:
    def test_a_folder_that_is_spelled_otherwise_makes_nothing_run_again(self, project, tmp_path):
        target = "results/small/splits/random0.json"
        project.run(target)
        spellings = {
            "stores": ["./results//stores/", tmp_path / "results" / "stores"],
            "results": ["results/", tmp_path / "results"],
        }
        for key, paths in spellings.items():
            for path in paths:
                project.configure({key: str(path)})
                assert "Nothing to be done" in project.run(target)

    def test_braces_in_the_paths_of_images_and_groups(self, project, tmp_path):
        root, groups = tmp_path / "br{a}ce", tmp_path / "{gr}oups.csv"
        for part, name in itertools.product(("train", "val"), "abcd"):
            (root / part / name).mkdir(parents=True)
            for number in range(2):
                pixels = np.full((12, 12, 3), ord(name) + number + 50 * (part == "val"), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{number}.png")
        groups.write_text("class,group\na,{x}\nb,{x}\nc,y\nd,y\n")
        data = {"m": {"kind": "folder", "root": str(root), "size": 12, "groups": str(groups)}}
        split = {"name": "s", "A": "{x}", "B": "y"}
        project.configure({"dataset": "m", "datasets": data, "splits": [split]})
        target = "results/small/splits/s.json"
        project.run(target)
        assert "Nothing to be done" in project.run(target)
        groups.write_text("class,group\na,{x}\nc,{x}\nb,y\nd,y\n")
        project.run(target)
        halves = json.loads((tmp_path / target).read_text())["halves"]
        assert [c["name"] for c in halves["A"]["classes"]] == ["a", "c"]

    def test_a_key_that_is_there_twice_is_refused_by_its_line(self, project, tmp_path):
        (tmp_path / "small.yaml").write_text("study: a\nseeds: [0]\nstudy: b\n")
        output = project.run("--dry-run", check=False)
        assert f"{tmp_path}/small.yaml, line 3: study: appears twice, first in line 1" in output
        assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("key", "path"), [("results", "file"), ("stores", "file/x/y"), ("results", "link")])
def test_a_file_where_a_folder_would_be_is_named(key, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    named = path.partition("/")[0]
    with pytest.raises(ConfigError, match=rf"^config: {key}: is '{path}', but {named} is a file; it must be a folder"):
        read_study({**DEFAULT, key: path})


def test_a_file_in_the_place_of_the_study_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "glyphs").touch()
    with pytest.raises(ConfigError, match=r"^config: study: its folder results/glyphs is a file; move it away, or"):
        read_study(DEFAULT)


def test_a_value_left_empty_is_called_so():
    with pytest.raises(ConfigError, match=r"^config: training: is empty \(null\); it must be a mapping$"):
        read_study({**DEFAULT, "training": None})
