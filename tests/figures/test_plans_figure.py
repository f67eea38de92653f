"""The figure of plans, from made-up accuracies: what is drawn, and where."""

import copy

import pytest

from tests.support import DEFAULT
from transferability.figures.catalog import drawn_of
from transferability.figures.plans import plans
from transferability.figures.style import figure_style
from transferability.report.rehearsal import rehearse
from transferability.results.accuracies import Results, read_accuracies
from transferability.results.effects import paired_effects
from transferability.study.design import read_study

TREATMENTS = ["selffer", "transfer", "transfer+", "transfer_surgical", "selffer_surgical", "transfer_probe_then_tune"]


@pytest.fixture(scope="module")
def study():
    config = copy.deepcopy(DEFAULT)
    config["networks"] |= {"treatments": TREATMENTS, "depths": [1, 3], "fine_tuned_depths": []}
    return read_study(config | {"splits": ["random0", "random1"]})


@pytest.fixture(scope="module")
def results(study, tmp_path_factory):
    """The results of a rehearsal, which has tried everything that is made from the networks."""
    folder = tmp_path_factory.mktemp("rehearsed")
    assert "the figure plans" in rehearse(study, folder)
    return Results.of_study(read_accuracies(folder / "accuracies.csv"), study)


def test_points_are_the_effects_that_the_table_has(results):
    with figure_style():
        figure = plans(results)
    surgical, probed = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["surgical", "probe then tune"]
    drawn = {line.get_label().partition(" (")[0]: line for line in surgical.lines if "gain" in str(line.get_label())}
    assert set(drawn) == {"surgical gain, selffer", "surgical gain, transfer"}
    table = paired_effects(results)
    for effect, line in drawn.items():
        means = table[(table["effect"] == effect) & (table["pairs"] > 0)]["mean"]
        assert line.get_ydata() == pytest.approx(100 * means.to_numpy())
    assert probed.get_ylabel() == "probing gain, points"


def test_it_is_drawn_only_of_studies_that_have_plans(study):
    assert "plans" in drawn_of(study)
    assert "plans" not in drawn_of(read_study(DEFAULT))
