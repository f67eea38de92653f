"""A small study of networks with a plan for every layer, run for real from images to verification."""

import csv

import pytest

from tests.project import Project
from transferability.networks.layer_plan import PLANS

# One target, so that there are few jobs; each plan with what it is compared with. Networks learn little so quickly.
STUDY = {
    "splits": ["whole"],
    "networks": {"depths": [2, 7], "treatments": ["selffer", "selffer+", *(f"selffer_{plan}" for plan in PLANS)]},
    "training": {"iterations": 4, "evaluate_every": 4},
    "figures": {"unlearned": "include"},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("plans"))
    made.configure(STUDY)
    made.run()
    return made


@pytest.mark.slow
def test_a_study_by_plans_is_done_whole_and_verified(project):
    assert "Nothing to be done" in project.run("--dry-run")
    assert "checks passed" in project.run("verify")
    names = {name.rpartition("/")[2].removesuffix(".safetensors") for name in project.networks()}
    made = {f"whole{n}whole_{plan}" for n in (2, 7) for plan in PLANS}
    assert made - names == {"whole7whole_statistics"}  # no layer is between the seventh and the head


@pytest.mark.slow
def test_each_plan_has_an_effect_for_each_of_its_pairs(project):
    with (project.results / "effects.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "top1_final"]
    pairs = {(row["effect"], row["n"]): int(row["pairs"]) for row in rows if "," in row["effect"]}
    of_both_depths = ("surgical gain", "truncation drop", "probing gain", "reinitialization drop")
    expected = {(f"{effect}, selffer", n): 1 for effect in of_both_depths for n in ("2", "7")}
    assert pairs == expected | {("statistics gain, selffer", "2"): 1}
    assert (project.results / "figures" / "plans.png").exists()
    assert "truncation drop" in (project.results / "report.html").read_text()
