"""What comes last is tried first: whatever would fail there fails before any network is trained, in one line."""

import io
import json
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest

from tests.project import merged
from tests.support import DEFAULT
from transferability.figures.pictures import PICTURES
from transferability.files import PROJECT
from transferability.report import rehearsal, rehearsed
from transferability.report.rehearsal import RehearsalError, main, rehearse
from transferability.report.rehearsed import digest_of, is_rehearsed
from transferability.results.tables import TABLES
from transferability.study.design import read_study
from transferability.study.planned_treatments import BY_PLAN, kind_of
from transferability.study.pretrained_weights import Weights


def config_of(folder, **changes):
    return DEFAULT | {"results": str(folder), "networks": DEFAULT["networks"] | {"depths": [1, 7]}} | changes


@pytest.fixture
def quickly(monkeypatch):
    """Skip rendering figures, which takes seconds."""
    monkeypatch.setattr(rehearsal, "_sketch", lambda _figure, _path: None)


PLANNED = [treatment for treatment in BY_PLAN if kind_of(treatment) != "pretrained"]


def test_everything_that_is_made_of_networks_is_tried(tmp_path):
    tried = rehearse(read_study(config_of(tmp_path)), tmp_path)
    for what in (*(f"the table {name}" for name in TABLES), "first-layer filters", "the report"):
        assert what in tried
    asked_for = {"reduced", "amounts", "plans"}
    assert {name for name in PICTURES if f"the figure {name}" in tried} == PICTURES.keys() - asked_for
    assert "learning curves of random0" in tried


@pytest.mark.parametrize(
    "changes",
    [
        {"splits": [{"name": "NA", "A": "letter", "B": "symbol"}]},
        {"networks": DEFAULT["networks"] | {"random_for": "whole", "reduced": [10, 100]}},
        {"networks": DEFAULT["networks"] | {"depths": [7], "treatments": ["selffer+"]}},
        {"networks": DEFAULT["networks"] | {"depths": [1, 7], "treatments": PLANNED}, "splits": ["random0", "whole"]},
        {"networks": DEFAULT["networks"] | {"depths": [1, 7], "examples_per_class": [5, 20, "all"]}},
        {"networks": DEFAULT["networks"] | {"depths": [7], "reduced": [3], "examples_per_class": [5]}},
        {"figures": DEFAULT["figures"] | {"metric": "top1_mean_best10", "colors": {"base": "red"}}},
        OrderedDict(study="ordered"),
    ],
)
@pytest.mark.usefixtures("quickly")
def test_studies_of_any_kind_can_be_rehearsed(tmp_path, changes):
    config = config_of(tmp_path) | changes
    config["figures"] = config["figures"] | {"colors": DEFAULT["figures"]["colors"] | config["figures"]["colors"]}
    tried = rehearse(read_study(config), tmp_path)
    assert ("the figure reduced" in tried) == bool(config["networks"]["reduced"])
    assert ("the figure amounts" in tried) == (config["networks"]["examples_per_class"] != ["all"])
    assert ("learning curves of whole" in tried) == ("whole" in read_study(config).splits)


@pytest.mark.usefixtures("quickly")
def test_it_is_the_same_every_time_and_has_bases_at_chance(tmp_path):
    pages = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        rehearse(read_study(config_of(tmp_path)), folder)
        pages.append((folder / "report.html").read_text())
    assert pages[0] == pages[1]
    assert "at chance: baseB of letters_symbols, seed 0" in pages[0]


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(("name", "what"), [("figure3", "figure"), ("reuse", "table")])
def test_what_would_fail_is_named_on_one_line_with_the_reason(tmp_path, monkeypatch, name, what):
    def fail(*_arguments):
        raise KeyError("no\nsuch column")

    places = {
        "figure": ("transferability.figures.pictures.PICTURES", PICTURES),
        "table": ("transferability.results.tables.TABLES", TABLES),
    }
    place, known = places[what]
    monkeypatch.setattr(place, dict(known) | {name: fail})
    with pytest.raises(
        RehearsalError, match=rf"^the {what} {name} could not be made .*KeyError.*no.*such column"
    ) as told:
        rehearse(read_study(config_of(tmp_path)), tmp_path)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.usefixtures("quickly")
def test_what_the_machine_lacks_is_told_as_such(tmp_path, monkeypatch):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transferability.figures.pictures.PICTURES", dict(PICTURES) | {"figure2": fail})
    with pytest.raises(OSError, match="No space left"):
        rehearse(read_study(config_of(tmp_path)), tmp_path)


def test_it_loads_no_torch():
    code = "import sys, transferability.report.rehearsal; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=PROJECT / "workflow" / "scripts", check=False).returncode == 0
    )


@pytest.mark.usefixtures("quickly")
def test_its_log_tells_what_was_tried_and_nothing_else_is_left(tmp_path, monkeypatch):
    with (tmp_path / "config.json").open("w+") as given:
        json.dump(config_of(tmp_path), given)
        given.seek(0)
        monkeypatch.setattr(sys, "stdin", given)
        main()
    files = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    assert files.keys() == {"config.json", "rehearsal.log", "rehearsed"}
    assert "the figure figure2" in files["rehearsal.log"].read_text()


class TestARecord:
    """The record of a rehearsal, which shows that it need not be repeated."""

    def test_is_of_all_that_is_asked_for_and_not_of_how_it_is_run(self, tmp_path):
        asked = config_of(tmp_path)
        first = digest_of(read_study(asked))
        assert digest_of(read_study(merged(asked, {"running": {"threads": 2}}))) == first
        for changes in ({"figures": {"max_drop": 0.03}}, {"study": "another"}, {"seeds": [0, 1]}):
            assert digest_of(read_study(merged(asked, changes))) != first

    def test_is_of_the_groups_of_classes(self, tmp_path):
        groups = tmp_path / "groups.csv"
        photos = {"kind": "folder", "root": str(tmp_path), "size": 32, "groups": str(groups)}
        asked = config_of(tmp_path) | {"dataset": "photos", "datasets": {"photos": photos}, "splits": ["random0"]}
        digests = set()
        for of_cat in ("pet", "wild"):
            groups.write_text(f"class,group\ncat,{of_cat}\ndog,pet\nfox,wild\nowl,wild\n")
            digests.add(digest_of(read_study(asked)))
        assert len(digests) == 2

    @pytest.mark.parametrize(
        "path", ["workflow/scripts/transferability/results/tables.py", "workflow/report/page.html.j2"]
    )
    def test_is_of_the_code_and_of_the_texts_of_pages(self, tmp_path, monkeypatch, path):
        study = read_study(config_of(tmp_path))
        monkeypatch.setattr(rehearsed, "PROJECT", tmp_path)
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("one")
        first = digest_of(study)
        assert digest_of(study) == first
        (tmp_path / path).write_text("other")
        assert digest_of(study) != first

    @pytest.mark.parametrize(
        "found",
        [
            {"layers": ("another", "layer")},
            {"weights": Weights("weights.pth", Path("weights.pth"), preprocessing=None, unused=())},
        ],
    )
    def test_is_of_what_is_found_out_of_a_network_and_of_weights(self, tmp_path, found):
        """Figures show names of layers and a page describes weights, but a config has neither."""
        first, other = read_study(config_of(tmp_path)), read_study(config_of(tmp_path))
        vars(other).update(found)
        assert digest_of(first) != digest_of(other)

    @pytest.mark.parametrize("changed", ["versions", "machine"])
    def test_is_of_the_libraries_and_of_the_machine(self, tmp_path, monkeypatch, changed):
        study = read_study(config_of(tmp_path))
        first = digest_of(study)
        if changed == "machine":
            monkeypatch.setattr("platform.node", lambda: "another")
        else:
            monkeypatch.setattr(rehearsed, "versions_of", lambda libraries: dict.fromkeys(libraries, "another"))
        assert digest_of(study) != first

    @pytest.mark.usefixtures("quickly")
    def test_is_made_of_what_could_be_made_and_of_nothing_else(self, tmp_path, monkeypatch):
        study = read_study(config_of(tmp_path))

        def run_main():
            monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(study.config)))
            main()

        def fail(*_arguments):
            raise KeyError("no such column")

        with monkeypatch.context() as broken:
            broken.setattr("transferability.figures.pictures.PICTURES", dict(PICTURES) | {"figure2": fail})
            with pytest.raises(SystemExit):
                run_main()
        assert not is_rehearsed(study)
        run_main()
        assert is_rehearsed(study)
        assert not is_rehearsed(read_study(merged(study.config, {"figures": {"max_drop": 0.03}})))
