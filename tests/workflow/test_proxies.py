"""Proxies as users request them: from bases alone, compared with measured drops, in the report, and verified."""

import json
import re

import pandas as pd
import pytest

from tests.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def probed(finished_study, tmp_path_factory):
    """The finished study, probed and reported again."""
    project = finished_study.copied(tmp_path_factory.mktemp("probed"))
    project.run("probe")
    project.run()
    return project


@pytest.fixture
def unchanged(probed):
    yield probed
    probed.configure({})


def test_bases_alone_are_enough(tmp_path):
    project = Project(tmp_path)
    project.configure({"splits": ["random0"]})
    output = project.run("probe", "--dry-run", "--quiet", "host")
    jobs = re.findall(r"^(?:local)?rule (\w+):$", output, re.MULTILINE)
    assert sorted(jobs) == ["probe", "probe_bases", "proxies", "split", "store", "train_base", "train_base"]


def test_of_one_direction_no_base_is_trained_that_the_study_does_not_ask_for(tmp_path):
    project = Project(tmp_path)
    project.configure({"splits": ["random0"], "networks": {"directions": ["AnB"], "treatments": ["selffer"]}})
    output = project.run("probe", "--dry-run", "--quiet", "host")
    assert re.findall(r"base\w+\.metrics\.json", output)
    assert "baseA" not in output


def test_of_few_images_without_transfer_a_sentence_refuses_and_an_old_table_is_no_harm(tmp_path):
    project = Project(tmp_path)
    project.configure({"splits": ["random0"], "networks": {"treatments": ["selffer"], "examples_per_class": [5]}})
    output = project.run("probe", "--dry-run", check=False)
    assert "networks.examples_per_class: has no all" in output
    assert "MissingInput" not in output
    project.results.mkdir(parents=True)
    (project.results / "proxies.csv").touch()
    assert "report" in project.would_run()


def test_every_cut_is_probed_and_the_report_shows_it(probed):
    table = pd.read_csv(probed.results / "proxies.csv")
    assert len(table) == 2 * 2 * 3 * 7 * 2  # splits, targets, sources, depths, kinds of features
    assert (probed.results / "figures" / "probes.png").exists()
    assert (probed.results / "figures" / "proxies.pdf").exists()
    agreement = pd.read_csv(probed.results / "proxy_agreement.csv")
    assert "random" in set(agreement["treatment"]) <= {"selffer", "transfer", "random"}  # others if bases have learned
    page = (probed.results / "report.html").read_text()
    assert '<section id="proxies">' in page
    assert "underestimates AnB, which trains the layers above anew" in " ".join(page.split())


def test_nothing_is_made_again_and_a_report_without_them_has_none(probed, finished_study):
    assert probed.would_run() == set()
    assert '<section id="proxies">' not in (finished_study.results / "report.html").read_text()
    assert not (finished_study.results / "proxies.csv").exists()


def test_what_a_change_reruns(unchanged):
    unchanged.configure({"training": {"frozen": {"learning_rate": 0.001}}})
    assert not {job for job in unchanged.would_run() if job.startswith("probe_bases")}
    unchanged.configure({"training": {"base": {"learning_rate": 0.001}}})
    again = {job for job in unchanged.would_run() if job.startswith(("probe_bases", "proxies", "measured"))}
    assert again == {"probe_bases random0", "probe_bases letters_symbols", "proxies", "measured_proxies"}


def test_probes_are_the_same_again_and_verified_and_a_changed_one_is_found(probed, tmp_path):
    project = probed.copied(tmp_path)
    path = project.results / "probes" / "random0" / "seed0.json"
    content = json.loads(path.read_text())
    path.unlink()
    (project.results / "proxies.csv").unlink()  # otherwise, nothing requests the file
    project.run("probe")
    again = json.loads(path.read_text())
    assert again["rows"] == content["rows"]
    project.run("verify")
    found = (project.results / "verification.csv").read_text()
    assert "seed0.json: probed again,ok" in found
    assert "proxy_agreement.csv,ok" in found
    content["rows"][0]["probe_top1"] = 0.123
    path.write_text(json.dumps(content))
    output = project.run("verify", check=False)
    assert "probed again, probe_top1 of A1A" in output
    assert "proxies.csv: not what its inputs give" in output
