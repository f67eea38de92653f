"""A study of published weights, run in full: its networks, its pages, and what a replaced file reruns."""

import csv
import os

import pytest
import torch
from safetensors.torch import load_file

from tests.project import Project
from transferability.networks.build import build_network

pytestmark = pytest.mark.slow
STUDY = {
    "splits": ["whole"],
    "networks": {
        "depths": [1, 7],
        "fine_tuned_depths": [7],
        "treatments": ["selffer", "random", "pretrained", "pretrained+"],
        "pretrained": "weights.pth",
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("pretrained"))
    project.configure(STUDY)
    torch.save({"model": weights("published")}, project.folder / "weights.pth")
    (project.folder / "output.txt").write_text(project.run())
    return project


def weights(*seed):
    return build_network("mini_caffenet", (24, 24, 1), 5, *seed).state_dict()


def rows(project, name):
    with (project.results / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_its_networks_are_there_and_frozen_layers_are_the_files(project):
    networks = {name.rpartition("/")[2]: path for name, path in project.networks().items()}
    assert {"P1whole.safetensors", "P7whole.safetensors", "P7whole+.safetensors"} <= networks.keys()
    found, published = load_file(networks["P7whole.safetensors"]), weights("published")
    frozen = [name for name in published if not name.startswith("fc8")]
    assert frozen
    assert all(torch.equal(found[name], published[name]) for name in frozen)


def test_tables_figures_and_pages_tell_of_them(project):
    told = {row["effect"] for row in rows(project, "effects")}
    assert {"pretrained drop", "pretrained specificity drop", "pretrained feature gain", "pretrained gain"} <= told
    assert {row["treatment"] for row in rows(project, "reuse")} == {"pretrained", "pretrained+"}
    page = (project.results / "report.html").read_text()
    assert "PnB, pretrained" in page
    assert "images of pretrained weights" in page
    assert "if the weights were trained on some of the validation images" in page
    output = (project.folder / "output.txt").read_text()
    assert "weights.pth: does not say how its images were prepared" in output
    assert "all classes: base" in output


def test_it_is_verified_and_whole(project):
    assert project.would_run() == set()
    project.run("verify")
    assert "frozen layers" in (project.results / "verification.csv").read_text()


def test_its_layers_and_those_of_the_base_of_all_classes_are_probed(project, tmp_path):
    probed = project.copied(tmp_path)
    probed.run("measured_proxies")
    found = rows(probed, "proxies")
    assert {row["treatment"] for row in found} == {"selffer", "random", "pretrained"}
    assert {row["target"] for row in found} == {"whole"}
    probed.run()
    probed.run("verify")
    assert "seed0.json: probed again,ok" in (probed.results / "verification.csv").read_text()
    torch.save(weights("others"), probed.folder / "weights.pth")
    assert {"probe_bases whole", "proxies"} <= probed.would_run()


def test_a_replaced_file_reruns_its_networks_only(project, tmp_path):
    other = project.copied(tmp_path / "other")
    torch.save(weights("others"), other.folder / "weights.pth")
    os.utime(other.folder / "weights.pth", ns=(1, 1))
    trained = {name.partition(" ")[0] for name in other.would_run() if name.startswith("train_")}
    assert trained == {"train_frozen_pretrained_n1_to_7", "train_fine_tuned_pretrained_n7"}
