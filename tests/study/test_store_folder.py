"""A store's folder differs if anything that affects its images differs, and only then."""

import os
from pathlib import Path

import pytest

from tests.support import DEFAULT, ROOT
from transferability.files import write_json
from transferability.store.reading import GUARD, MANIFEST, STORE_VERSION, guard
from transferability.store.source import StoreError
from transferability.study import list_contents
from transferability.study import store_folder as naming
from transferability.study.design import read_study
from transferability.study.list_contents import list_digests, list_files
from transferability.study.schema import ConfigError
from transferability.study.store_folder import lists_of, store_of_run, stores_of_other_lists

FOLDER = {"kind": "folder", "root": "photos", "size": 24}


def read(settings, **config):
    return read_study({**DEFAULT, "dataset": "mine", "datasets": {"mine": settings}, "splits": ["random0"], **config})


def folder_of(settings, **config):
    return read(settings, **config).data_set.store_folder


def write(path, text):
    Path(path).write_text(text)


def write_manifest(folder, content):
    manifest = {"format": STORE_VERSION, **content}
    write_json(folder / MANIFEST, manifest | {GUARD: guard(manifest)})


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


class TestLists:
    """The content of lists beside the images is part of the folder's name."""

    KEYS = ("train_list", "val_list", "val_labels", "classes")
    SETTINGS = FOLDER | {"root": "photos", "train_list": "train.csv", "val_list": "lists/val.csv"}

    @pytest.fixture(autouse=True)
    def here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "photos").mkdir()
        (tmp_path / "lists").mkdir()
        write("photos/train.csv", "a.png,cat\n")
        write("lists/val.csv", "b.png,cat\n")

    @staticmethod
    def store(settings=SETTINGS, manifest=None):
        """A store that exists."""
        folder = folder_of(settings)
        write_manifest(folder, manifest or {})
        return folder

    @pytest.mark.parametrize("key", KEYS)
    def test_the_content_of_each_list_counts(self, key):
        write("photos/list.txt", "one")
        settings = FOLDER | {key: "list.txt"} | ({"validation": 0.2} if key == "classes" else {})
        before = folder_of(settings)
        write("photos/list.txt", "two")
        assert folder_of(settings) != before
        write("photos/list.txt", "one")
        assert folder_of(settings) == before

    def test_when_and_where_it_was_written_does_not(self):
        before = folder_of(self.SETTINGS)
        os.utime("photos/train.csv", (0, 0))
        Path("photos/lists").mkdir()
        Path("lists/val.csv").rename("photos/lists/val.csv")
        assert folder_of(self.SETTINGS) == before

    def test_two_lists_that_change_places_are_others(self):
        before = folder_of(self.SETTINGS)
        write("photos/train.csv", "b.png,cat\n")
        write("lists/val.csv", "a.png,cat\n")
        assert folder_of(self.SETTINGS) != before

    def test_classes_in_the_config_are_no_file(self):
        write("photos/cat", "one")
        before = folder_of(FOLDER | {"classes": ["cat"]})
        write("photos/cat", "two")
        assert folder_of(FOLDER | {"classes": ["cat"]}) == before

    @pytest.mark.parametrize("gone", ["photos/train.csv", "lists/val.csv", "photos"])
    def test_a_store_stays_in_use_when_a_list_is_away(self, gone):
        store = self.store()
        Path(gone).rename("away")
        assert folder_of(self.SETTINGS) == store
        assert folder_of(self.SETTINGS | {"size": 32}) != store

    def test_of_two_stores_none_is_guessed(self):
        self.store()
        write("photos/train.csv", "a.png,dog\n")
        self.store()
        Path("photos").rename("away")
        with pytest.raises(
            ConfigError, match=r"datasets\.mine\.train_list: photos/train\.csv cannot be read, .* 2 sto"
        ):
            folder_of(self.SETTINGS)

    def test_a_list_that_was_never_there_is_told_by_who_builds(self):
        Path("photos/train.csv").unlink()
        assert folder_of(self.SETTINGS).parent == Path("results/stores")

    def test_a_list_in_an_archive_is_part_of_it(self):
        write("photos.tar", "")
        settings = self.SETTINGS | {"root": "photos.tar", "val_list": "inside.csv"}
        inside = {key: value for key, value in settings.items() if key != "val_list"}
        before = folder_of(settings)
        assert set(list_files(settings)) == set()
        write("train.csv", "a.png,cat\n")
        assert set(list_files(settings)) == {"train_list"}
        assert len({before, folder_of(settings), folder_of(inside)}) == 3

    def test_the_schema_says_which_keys_of_a_kind_are_lists(self, monkeypatch):
        """This includes kinds without a root, whose lists are where Snakemake runs."""
        keys = {"file": {}, "labels": {"is_list": True}, "classes": {"is_list": True}, "more": {"is_list": True}}
        monkeypatch.setattr(list_contents, "kind_schema", lambda kind: {"properties": keys if kind == "npz" else {}})
        settings = {"kind": "npz", "file": "a.npz", "labels": "labels.csv", "classes": ["cat", "dog"], "more": ""}
        assert list_files(settings) == {"labels": Path("labels.csv")}
        assert list_files({**settings, "kind": "other"}) == {}

    def test_what_changed_since_a_store_was_built_is_told(self):
        settings = read(self.SETTINGS).data_set.store_settings
        old = self.store(manifest={"lists": list_digests(list_files(settings))})
        assert list(stores_of_other_lists(old, "mine", settings)) == []
        write("photos/train.csv", "a.png,dog\n")
        (told,) = stores_of_other_lists(folder_of(self.SETTINGS), "mine", settings)
        assert told.startswith(f"datasets.mine.train_list (photos/train.csv) changed since {old} was built: ")

    def test_jobs_go_on_with_the_store_that_their_run_began_with(self, monkeypatch):
        monkeypatch.setattr(os, "environ", {})

        def of(study, begins):
            return store_of_run(study.data_set.settings_folder, lambda: study.data_set.store_folder, begins=begins)

        before = of(read(self.SETTINGS), begins=True)
        assert before == folder_of(self.SETTINGS)
        write("lists/val.csv", "b.png,dog\n")
        assert of(read(self.SETTINGS), begins=False) == before
        assert of(read(FOLDER), begins=False) == folder_of(FOLDER)
        assert of(read(self.SETTINGS), begins=True) == folder_of(self.SETTINGS) != before

    def test_a_list_that_is_edited_after_the_run_began_stops_the_building(self):
        settings, folder = read(self.SETTINGS).data_set.store_settings, folder_of(self.SETTINGS)
        assert set(lists_of(folder, "mine", settings)) == {"train_list", "val_list"}
        write("lists/val.csv", "b.png,dog\n")
        with pytest.raises(StoreError, match=r"val_list \(lists/val\.csv\): edited after this run began"):
            lists_of(folder, "mine", settings)
