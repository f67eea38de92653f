"""From the config to the page, layers have the names and the number that their architecture gives them."""

import re

import pytest

from tests.report.made_up import MadeUp
from tests.support import DEFAULT
from transferability.figures.pictures import PICTURES
from transferability.figures.style import figure_style
from transferability.networks import architectures
from transferability.results.accuracies import Results, collect, read_accuracies
from transferability.results.tables import TABLES
from transferability.study.design import read_study
from transferability.study.schema import ConfigError, config_schema

SHORT = """\
import torch  # which nobody needs to know the names

LAYERS = ("stem", "block1", "block2", "head")
"""


@pytest.fixture
def short(tmp_path, monkeypatch):
    """The name of an architecture of four layers, none of which another has."""
    folder = tmp_path / "architectures"
    folder.mkdir()
    (folder / "short.py").write_text(SHORT)
    monkeypatch.setattr(architectures, "FOLDER", folder)
    config_schema.cache_clear()
    yield "short"
    config_schema.cache_clear()


def with_depths(architecture, *depths):
    return DEFAULT["networks"] | {"architecture": architecture, "depths": list(depths)}


@pytest.fixture
def study(short, tmp_path):
    return MadeUp(tmp_path, networks=with_depths(short, 1, 3))


@pytest.fixture
def results(study):
    return Results.of_study(collect(study.metrics.values(), study.study.layers), study.study)


def test_depths_end_below_the_last_layer(short):
    assert read_study(DEFAULT | {"networks": with_depths(short, 1, 2, 3)}).chunks() == ((1, 2, 3),)
    message = "config: networks.depths: short has no cut at 4, 7; its cuts are n = 1 to 3, stem to block2"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        read_study(DEFAULT | {"networks": with_depths(short, 1, 4, 7)})


def test_preserved_layers_end_there_too(short):
    networks = with_depths(short, 1, 2) | {"treatments": ["transfer"], "preserve": [1, 2]}
    assert read_study(DEFAULT | {"networks": networks}).chunks(preserved=2) == ((1,),)
    with pytest.raises(ConfigError, match="more than the 3 of short that can be copied"):
        read_study(DEFAULT | {"networks": networks | {"preserve": [3]}})


@pytest.mark.parametrize("text", ["", "LAYERS = ()", 'LAYERS = ("only",)', "LAYERS = names"])
def test_an_architecture_without_names_of_layers_is_told(text, short):
    (architectures.FOLDER / f"{short}.py").write_text(text)
    with pytest.raises(ValueError, match=r"short\.py: does not name two or more layers; add a line such as LAYERS = "):
        architectures.architecture_layers(short)


def test_tables_have_the_names(results):
    accuracies = results.accuracies
    assert dict(accuracies[["n", "layer"]].dropna().itertuples(index=False, name=None)) == {1: "stem", 3: "block2"}
    assert accuracies.loc[accuracies["n"] == 0, "layer"].isna().all()
    made = {name: make(results) for name, make in TABLES.items()}
    assert set(made["reuse"][["n", "layer"]].itertuples(index=False, name=None)) == {(1, "stem"), (3, "block2")}
    assert set(made["drops"]["n"]) == {3}
    assert re.search(r"fine-tuned: +layers 1-3 together \(up to block2\), with n = 1, 3 tried", made["headline"])


def test_figures_have_the_names(results):
    with figure_style():
        figures = {name: draw(results) for name, draw in PICTURES.items()}
    names = [label.get_text() for label in figures["reuse"].axes[0].get_xticklabels()]
    assert names == ["layer 1", "layers 1-3"]
    for drawn, bases in (("reuse", []), ("figure2", ["base"]), ("effects", [])):
        labels = [label.get_text() for label in figures[drawn].axes[-1].get_xticklabels()]
        assert labels == [*bases, "1\nstem", "3\nblock2"]


def test_the_page_has_all_layers_that_can_be_copied_and_tells_which_were_tried(study, monkeypatch):
    monkeypatch.setattr("transferability.figures.pictures.save", lambda _figure, *_paths: None)
    monkeypatch.setattr("transferability.report.so_far.save", lambda _figure, *_paths: None)
    page = study.page()
    for answer in page.answers:
        for reuse in answer["reuse"]:
            chips = [chip.partition(":")[0] for chip, _ in reuse["layers"]]
            assert chips == ["layer 1", "layers 1-2 together", "layers 1-3 together"]
            assert reuse["untried"]
    networks = next(sheet for sheet in page.tables if sheet.name == "accuracies")
    column = networks.headings.index("layer")
    assert {row[column].text for row in networks.rows} == {"", "stem", "block2"}
    accuracies = read_accuracies(study.folder / "so_far" / "accuracies.csv")
    assert set(accuracies["layer"].dropna()) == {"stem", "block2"}
