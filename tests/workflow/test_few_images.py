"""A study with few images per class as its users run it, and what changing its amounts reruns."""

import pandas as pd
import pytest

from tests.project import Project

pytestmark = pytest.mark.slow

FEW = {
    "splits": ["random0"],
    "networks": {"depths": [4], "treatments": ["selffer", "transfer"], "examples_per_class": [3, 6]},
    "figures": {"unlearned": "include"},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("few"))
    project.configure(FEW)
    (project.folder / "output.txt").write_text(project.run())
    return project


@pytest.fixture
def unchanged(finished):
    yield finished
    finished.configure(FEW)


def changed(**changes):
    return FEW | {key: FEW.get(key, {}) | value for key, value in changes.items()}


def test_it_ends_verified_with_networks_on_each_amount_and_bases_on_all_images(finished):
    bases = {f"random0/seed0/base{half}{few}.safetensors" for half in "AB" for few in ("", "_images3", "_images6")}
    copies = {
        f"random0/seed0/{name}_images{few}.safetensors" for name in ("A4A", "B4B", "A4B", "B4A") for few in (3, 6)
    }
    assert set(finished.networks()) == bases | copies
    effects = pd.read_csv(finished.results / "effects.csv")
    assert effects["examples_per_class"].unique().tolist() == [3, 6]
    assert (effects[effects["metric"] == "top1_final"]["pairs"] == 2).all()
    output = (finished.folder / "output.txt").read_text()
    assert "random halves, on 3 images per class: at a drop of at most 2 points, copy" in output
    assert "random halves, on 6 images per class: base" in output
    for kind in ("png", "pdf"):
        assert (finished.results / "figures" / f"amounts.{kind}").exists()
    finished.run("verify")
    assert not finished.would_run()


def test_a_further_amount_trains_its_own_networks_only(unchanged):
    unchanged.configure(changed(networks={"examples_per_class": [3, 6, "all"]}))
    trained = {job for job in unchanged.would_run() if job.startswith("train")}
    assert trained == {f"train_frozen_n4 random0 {source} {target}" for source in "AB" for target in "AB"}


def test_as_many_epochs_train_networks_on_few_images_again_and_no_others(unchanged):
    unchanged.configure(changed(training={"few_images": "epochs"}))
    trained = {job.partition(" ")[0] for job in unchanged.would_run() if job.startswith("train")}
    assert trained == {"train_base_images3", "train_base_images6", "train_frozen_images3_n4", "train_frozen_images6_n4"}


def test_more_images_than_a_class_has_are_refused_before_anything_runs(unchanged):
    unchanged.configure(changed(networks={"examples_per_class": [13]}))
    output = unchanged.run(check=False)
    assert "networks.examples_per_class: asks for 13 images per class, but random0 has 12 training images" in output
