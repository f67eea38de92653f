"""A store's folder is another for whatever shapes its images, and the same for all that does not."""

from pathlib import Path

import pytest
import yaml

from transferability import store_folder as naming
from transferability.study import read_study

ROOT = Path(__file__).parents[1]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
FOLDER = {"kind": "folder", "root": "photos", "size": 24}


def folder_of(settings, **config):
    return read_study(
        {**DEFAULT, "dataset": "mine", "datasets": {"mine": settings}, "splits": ["random0"], **config}
    ).store_folder


@pytest.mark.parametrize(
    "change",
    [
        {"size": 32},
        {"root": "fotos"},
        {"fit": "crop"},
        {"channels": 1},
        {"every_class": 2},
        {"images_per_class": 5},
        {"skip": ["train/a/b.jpg"]},
        {"train": "training"},
        {"val_labels": "val.txt"},
    ],
)
def test_what_shapes_images_has_another_store(change):
    assert folder_of(FOLDER | change) != folder_of(FOLDER)


@pytest.mark.parametrize(
    "change",
    [
        {"train": ""},
        {"val": "", "val_labels": "", "skip": []},
        {"channels": 3, "fit": "stretch"},
        {"duplicates": "allow"},
        {"groups": str(ROOT / "resources" / "imagenet" / "classes.csv")},
        {"root": "./photos"},
        {"root": str(Path("photos").absolute())},
    ],
)
def test_what_does_not_has_the_same(change):
    assert folder_of(FOLDER | change) == folder_of(FOLDER)


def test_a_relative_root_is_another_in_another_folder(tmp_path, monkeypatch):
    here = folder_of(FOLDER)
    monkeypatch.chdir(tmp_path)
    assert folder_of(FOLDER) != here


def test_equal_numbers_are_the_same():
    glyphs = DEFAULT["datasets"]["glyphs"]
    one, other = (folder_of(glyphs | {"distortion": value}) for value in (1, 1.0))
    assert one == other


def test_another_version_of_stores_is_another_folder(monkeypatch):
    before = folder_of(FOLDER)
    monkeypatch.setattr(naming, "STORE_VERSION", 99)
    assert folder_of(FOLDER) != before


@pytest.mark.parametrize("stores", ["st", "st/", "./st"])
def test_it_lies_in_the_folder_of_stores_under_the_data_sets_name(stores):
    folder = folder_of(FOLDER, stores=stores)
    assert folder.parent == Path("st")
    assert folder.name.startswith("mine-")
