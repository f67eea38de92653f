"""A study of two data sets and three amounts, run for real: stores, tables, report, verification; and killed midway."""

import csv
import json

import pandas as pd
import pytest

from tests.project import ACCURACIES, Project

pytestmark = pytest.mark.slow

LETTERS = {
    **{"kind": "glyphs", "size": 24, "letters": 4, "symbols": 2, "training_per_class": 12, "validation_per_class": 6},
    **{"distortion": 0.5, "seed": 0, "duplicates": "refuse"},
}
SYMBOLS = LETTERS | {"size": 28, "letters": 2, "symbols": 6, "training_per_class": 8, "distortion": 0.8, "seed": 1}
TWO = {
    "dataset": "letters",
    "datasets": {"letters": LETTERS, "my.symbols-2": SYMBOLS},
    "splits": [
        {
            "name": "to_symbols",
            "A": {"dataset": "letters", "group": "letter"},
            "B": {"dataset": "my.symbols-2", "group": "symbol"},
        }
    ],
    "networks": {
        "directions": ["AnB"],
        "treatments": ["transfer"],
        "depths": [4],
        "examples_per_class": [2, 5, "all"],
    },
    "preprocessing": {"crop": 24},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("two"))
    project.configure(TWO)
    project.run()
    return project


def test_the_networks_of_the_one_direction_are_there_with_the_classes_of_their_own_data_sets(project):
    with (project.results / "accuracies.csv").open() as file:
        rows = {row["network"]: row for row in csv.DictReader(file)}
    of_b = [f"{name}{few}" for name in ("baseB", "A4B") for few in ("", "_images2", "_images5")]
    assert {name: row["classes"] for name, row in rows.items()} == {"baseA": "4", **dict.fromkeys(of_b, "6")}
    assert {row["split_type"] for row in rows.values()} == {"data_sets"}
    summary = pd.read_csv(project.results / "summary.csv")  # of what is compared, which a mere source is not
    counted = (summary["networks"] + summary["left_out"]).groupby(summary["treatment"]).sum()
    assert counted.to_dict() == {"base": 3, "transfer": 3}


def test_the_report_names_both_data_sets(project):
    page = (project.results / "report.html").read_text()
    for words in ("two data sets (letters: letter / my.symbols-2: symbol)", "letters, my.symbols-2", "not compared"):
        assert words in page
    for name, sheet in {"letters": "contact_sheet", "my.symbols-2": "contact_sheet_my.symbols-2"}.items():
        assert f"The data of {name}, class by class" in page
        assert (project.results / "figures" / f"{sheet}.png").exists()
    split = json.loads((project.results / "splits" / "to_symbols.json").read_text())
    assert [part["data_set"] for part in split["halves"].values()] == ["letters", "my.symbols-2"]


def test_everything_is_verified_and_nothing_is_left_to_be_done(project):
    assert "7 networks, 7 of them evaluated again" in project.run("verify")
    with (project.results / "verification.csv").open() as file:
        assert {row["result"] for row in csv.DictReader(file)} == {"ok"}
    assert project.would_run() == set()
    assert "done" in project.run("status")


def test_a_change_of_the_one_data_set_leaves_networks_without_layers_of_it_as_they_are(project, tmp_path):
    changed = project.copied(tmp_path / "changed")
    before = changed.contents()
    data_sets = {"letters": LETTERS | {"seed": 5}, "my.symbols-2": SYMBOLS}
    changed.configure(TWO | {"datasets": data_sets})
    assert "store" in changed.would_run()
    assert "store_my.symbols-2" not in changed.would_run()
    changed.run(*(str(path.relative_to(changed.folder)) for path in changed.networks().values()))
    after = changed.contents()
    same = {name.rpartition("/")[2].removesuffix(".safetensors") for name in before if before[name] == after[name]}
    assert same == {"baseB", "baseB_images2", "baseB_images5"}


def test_killed_again_and_again_it_ends_the_same(project, tmp_path):
    again = Project(tmp_path)
    again.configure(TWO)
    again.run_through_kills(2, 2, ACCURACIES)
    assert again.contents() == project.contents()
    tables = [pd.read_csv(one.folder / ACCURACIES) for one in (again, project)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
