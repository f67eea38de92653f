"""What is reported about a data set's folders before any image is opened: when Snakemake starts, and in the job."""

import errno
import os
import zipfile
from pathlib import Path

import pytest

from transferability.data.folders.layout import check_folder
from transferability.data.folders.source import image_folders
from transferability.store.source import StoreError
from transferability.study.folder_keys import FolderKeys


def made(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"no image, and never opened")
    return root


TRAIN = ("train/ant/1.png", "train/ant/2.png", "train/bee/1.png", "train/bee/2.png")
VAL = ("val/ant/3.png", "val/bee/3.png")
PLAIN = tuple(file.removeprefix("train/") for file in TRAIN)


def check(root, **settings):
    check_folder("mine", {"kind": "folder", "root": str(root), "size": 24, **settings})


def opened(root, **settings):
    with image_folders("mine", FolderKeys(root=str(root), size=24, **settings)):
        pass


@pytest.mark.parametrize(
    ("files", "settings"),
    [
        (TRAIN + VAL, {}),
        (TRAIN + VAL, {"validation": 0.5}),
        (TRAIN, {"validation": 0.5}),
        (PLAIN, {"validation": 0.5}),
        (PLAIN, {"validation": 0.5, "train": "."}),
        ((*PLAIN, "cat/1.png"), {"validation": 0.5, "classes": ["ant", "bee"]}),
        ((*TRAIN, "train/cat/1.png", *VAL), {"classes": ["ant", "bee"]}),
        ((*TRAIN, "valid/ant/3.png", "valid/bee/3.png"), {"val": "valid"}),
    ],
)
def test_folders_that_are_a_data_set_pass(tmp_path, files, settings):
    made(tmp_path, *files)
    check(tmp_path, **settings)
    opened(tmp_path, **settings)


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        (
            (*TRAIN, "valid/ant/3.png"),
            {},
            r"there is no folder .*/val; it must hold a folder for each class\. .* has the folders train and valid; "
            r"name the folder of validation images in val, or `validation: 0\.2` draws a fifth",
        ),
        (
            TRAIN,
            {"val_labels": "val.txt"},
            r"val_labels: there is no file .*/val\.txt|no folder .*/val; it must hold the valid",
        ),
        (
            PLAIN,
            {},
            r"there is no folder .*/train; .* has the folders ant and bee; name the folder of training images in "
            r"train or, if these are the classes, leave train out: `validation: 0\.2` draws",
        ),
        (("1.png",), {}, "there is no folder .*/train; it must hold a folder for each class. .* has no folders at all"),
        (("1.png",), {"validation": 0.2}, "has no folders; it needs one for each class"),
        (("train/1.png", "test/2.png"), {"validation": 0.2}, "/train has no folders; it needs one for each class"),
        (
            (*PLAIN, "train/cat/1.png"),
            {"validation": 0.2},
            "a folder train with folders in it, and next to it ant and bee",
        ),
        *(
            (
                [file.replace("train", one, 1) for file in TRAIN] + [file.replace("train", other, 1) for file in TRAIN],
                {"validation": 0.2},
                f"has the folders .* which have folders in them; name the one .* as in `train: {likely}`",
            )
            for one, other, likely in [
                ("Train", "Val", "Train"),
                ("test", "training", "training"),
                ("dev", "test", "dev"),
            ]
        ),
        (
            [f"photos/{file}" for file in PLAIN],
            {"validation": 0.2},
            "has the folder photos, which has folders in it and would be the only class; .* `train: photos`",
        ),
        ((*PLAIN, "cat/1.png"), {"validation": 0.2}, r"\.validation: .*(cat has one image|: cat \(1\))"),
        (
            (*TRAIN, *VAL, "val/beee/1.png"),
            {},
            r"val has the class beee, but .*/train has no folder .*; did you mean bee\?",
        ),
        ((*TRAIN, *VAL), {"classes": ["be"]}, r"classes: there is no class be among the 2 .*; did you mean bee\?"),
        (
            (*TRAIN, *VAL),
            {"classes": "keep.txt"},
            r"classes: there is no file .*/keep\.txt; it must have one class name per",
        ),
        ((*TRAIN, *VAL), {"train_list": "t.csv"}, r"train_list: there is no file .*/t\.csv"),
        ((*TRAIN, *VAL), {"val_list": "v.csv"}, r"val_list: there is no file .*/v\.csv"),
        ((*TRAIN, *VAL), {"root": "/nowhere"}, r"mine\.root: there is no /nowhere; it must be a folder, or an archive"),
    ],
)
def test_others_are_refused_when_snakemake_starts_and_by_the_job(tmp_path, files, settings, message):
    settings = {"root": str(made(tmp_path, *files))} | settings
    for tell in (check, opened):
        with pytest.raises(StoreError, match=message):
            tell(**settings)


@pytest.mark.parametrize("settings", [{}, {"validation": 0.5}, {"validation": 0.5, "train": "train"}])
@pytest.mark.parametrize("closed", ["", "train", "train/ant"])
def test_a_folder_that_the_system_does_not_open_is_named(tmp_path, monkeypatch, closed, settings):
    made(tmp_path, *TRAIN, *VAL)
    scandir = os.scandir

    def flaky(path="."):
        if Path(path) == tmp_path / closed:
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", flaky)
    if not closed and "train" in (settings or {"train": ""}):
        check(tmp_path, **settings)  # does not need to look into the root
        return
    for tell in (check, opened):
        with pytest.raises(StoreError, match=rf"datasets\.mine.*{closed} cannot be opened \(Stale file handle\)"):
            tell(tmp_path, **settings)


def test_a_root_that_may_not_be_looked_at_is_named(tmp_path, monkeypatch):
    def denied(self, **how):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", denied)
    for tell in (check, opened):
        with pytest.raises(StoreError, match=r"datasets\.mine.*cannot be opened \(Permission denied\)"):
            tell(tmp_path)


def test_a_class_without_validation_images_is_named_with_what_can_be_done(tmp_path):
    made(tmp_path, *TRAIN, VAL[0])
    with pytest.raises(
        StoreError, match=r"val has no folder for bee, but .*; leave classes out with the key classes, or `validation"
    ):
        check(tmp_path)


def test_a_class_that_is_empty_is_named(tmp_path):
    (made(tmp_path, *TRAIN, *VAL) / "train" / "cat").mkdir()
    for tell in (check, opened):
        with pytest.raises(
            StoreError, match=r"there are no images in .*/train/cat; a class is a folder with its images"
        ):
            tell(tmp_path)


def test_of_an_archive_it_is_only_told_whether_it_is_there(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme", "")
    check(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"validation": 0.2, "val": "val"},
            "mine.validation: draws the validation images, which are already given by val;",
        ),
        ({"validation": 0.2, "val_labels": "v"}, "already given by val_labels; leave out one of the two"),
        ({"validation": 0.2, "val_list": "v"}, "already given by val_list; leave out"),
        ({"val_list": "v", "val": "val"}, "mine.val_list: says which images are for validation, as does val;"),
        ({"train_list": "v", "train": "train"}, "mine.train_list: says which images are for training, as does train;"),
        (
            {"validation_groups": "a"},
            "mine.validation_groups: is for images that are drawn, but validation, their share,",
        ),
        ({"validation": 0.2, "validation_groups": "("}, r"mine\.validation_groups: '\(' is not a regular expression"),
        ({"classes": ["a"], "every_class": 2}, "mine.classes: says which classes to keep, as does every_class;"),
    ],
)
def test_settings_that_cannot_be_meant_together_are_refused(tmp_path, settings, message):
    made(tmp_path, *TRAIN, *VAL)
    with pytest.raises(StoreError, match=message):
        opened(tmp_path, **settings)
