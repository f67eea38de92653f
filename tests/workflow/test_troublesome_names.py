"""A study of photographs in which every name is troublesome, from images to report, with a user's own settings."""

import re
from html import unescape

import numpy as np
import pytest
from PIL import Image

from tests.project import Project
from transferability.files import read_json, write_csv

NAMES = ["$1_$2", "<b>&amp; it's", "A$AP_$", "NA", "a\rb", "汉字"]
GROUPS = ("$g_$", "NA")
TITLES = {"A$AP_$": "a rapper", "NA": "null"}

pytestmark = pytest.mark.slow


def photos(folder):
    for part, count in (("train", 3), ("val", 2)):
        for number, name in enumerate(NAMES):
            (folder / part / name).mkdir(parents=True)
            for i in range(count):
                noise = np.random.default_rng([count, i]).integers(0, 99, (24, 24, 3)) + 20 * number
                Image.fromarray(noise.astype("uint8")).save(folder / part / name / f"{i}.png")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("troublesome"))
    photos(project.folder / "photos")
    rows = [(name, GROUPS[number % 2], TITLES.get(name, "")) for number, name in enumerate(NAMES)]
    write_csv(project.folder / "groups.csv", ["class", "group", "name"], rows)
    (project.folder / "matplotlibrc").write_text("text.usetex: True\nbackend: TkAgg\n")
    project.configure(
        {
            "dataset": "photos",
            "datasets": {"photos": {"kind": "folder", "root": "photos", "size": 24, "groups": "groups.csv"}},
            "splits": [{"name": "NA", "A": GROUPS[0], "B": GROUPS[1]}],
            "training": {"iterations": 2, "evaluate_every": 1, "batch_size": 4},
            "networks": {"depths": [1], "treatments": ["transfer"]},
        }
    )
    return project


@pytest.fixture(scope="module")
def finished(project):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        project.run()
    return project


def test_a_report_that_cannot_be_made_is_told_before_anything_is_read_or_trained(tmp_path):
    project = Project(tmp_path)
    template = project.folder / "workflow" / "report" / "report.html.j2"
    template.write_text(template.read_text().replace("<main>", "<main>{{ page.no_such_thing }}"))
    output = project.run(check=False)
    assert len(re.findall("the report could not be made once the networks are trained", output)) == 1
    assert "no_such_thing" in output
    assert "Traceback" not in output
    assert not (project.folder / "results" / "stores").exists()


def test_classes_keep_their_names_to_the_report(finished):
    halves = read_json(finished.results / "splits" / "NA.json")["halves"]
    assert sorted(c["name"] for half in halves.values() for c in half["classes"]) == sorted(NAMES)
    html = unescape((finished.results / "report.html").read_text())
    for shown in ("$1_$2", "<b>&amp; it's", "a rapper (A$AP_$)", "null (NA)", r"a\rb", "汉字"):
        assert f"<li>{shown}</li>" in html


def test_what_was_made_is_verified(finished):
    assert "checks passed" in finished.run("verify")


def test_a_list_with_a_line_a_file_is_refused_where_a_file_is_two_lines(finished):
    output = finished.run("image_lists", check=False)
    assert r"the file 'a\rb/0.png' has a line break in its name" in output
