"""What is said of data before the first job: in a dry run, and before a store is built."""

import numpy as np
import pytest
from PIL import Image

from tests.project import Project

MINE = {"kind": "folder", "root": "photos", "size": 24, "validation": 0.5}


def configured(amounts):
    networks = {"examples_per_class": amounts, "depths": [4], "treatments": ["selffer"]}
    return {"dataset": "mine", "datasets": {"mine": MINE}, "splits": ["random0"], "networks": networks}


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    project.configure(configured([3]))
    return project


def add_images(project, per_class):
    for label in range(4):
        (project.folder / "photos" / f"{label}").mkdir(parents=True)
        for number in range(per_class):
            pixels = np.full((24, 24, 3), 50 * label + number, dtype=np.uint8)
            Image.fromarray(pixels).save(project.folder / "photos" / f"{label}" / f"{number}.png")


def test_a_dry_run_tells_of_images_that_are_not_there_and_shows_the_jobs(project):
    told = (
        "config: datasets.mine.root: there is no photos; it must be a folder, or an archive (tar, zip) of one; a run "
    )
    output = project.run("--dry-run")
    assert output.count(told) == 1
    assert "This was a dry-run" in output
    assert told not in project.run("--dry-run", "published")  # which takes no images


@pytest.mark.parametrize(("per_class", "is_refused"), [(4, True), (6, False)])
def test_images_are_counted_before_a_store_is_built_of_them(project, per_class, is_refused):
    add_images(project, per_class)
    output = project.run("--until", "store", check=False)
    told = "networks.examples_per_class: asks for 3 images per class, but in random0 the class 0 has 2 training images"
    assert (told in output) == is_refused
    assert any(project.folder.glob("results/stores/mine-*/manifest.json")) != is_refused


def test_a_dry_run_tells_of_too_few_images_in_a_store_that_is_there(project):
    add_images(project, 4)
    project.configure(configured([2]))
    project.run("--until", "store")
    project.configure(configured([3]))
    assert "asks for 3 images per class, but in random0 the class 0 has 2 training images" in project.run("--dry-run")
