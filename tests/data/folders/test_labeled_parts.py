"""Data sets without train/ and val/: a validation set is drawn, lists give the parts, or only some classes are kept."""

import csv
import shutil
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transferability.data.build import build_store
from transferability.data.folders.source import VALIDATION_LIST, image_folders, keep_validation_list
from transferability.data.kinds import image_source
from transferability.store.reading import open_store, read_samples
from transferability.store.source import StoreError
from transferability.study.folder_keys import FolderKeys

COLORS = {"ant": (200, 30, 30), "bee": (30, 200, 30), "cat": (30, 30, 200)}


def photos(folder, classes=tuple(COLORS), images=10):
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(images):
            image = Image.new("RGB", (20, 20), COLORS.get(name, (i, i, i)))
            image.paste((20 * i,) * 3, (0, 0, 4, 4))  # no two are the same
            image.save(folder / name / f"{name}_{i}.png")
    return folder


def opened(root, say=lambda line: None, **settings):
    return image_folders("mine", FolderKeys(**({"root": str(root), "size": 16} | settings)), say)


def parts(root, **settings):
    """The files of training and of validation, relative to the root, with their classes."""
    with opened(root, **settings) as source:
        names = [c.name for c in source.classes]
        return tuple(
            {(source.folder / base / s.file).relative_to(source.folder).as_posix(): names[s.label] for s in samples}
            for base, samples in ((source.train, source.training), (source.val, source.validation))
        )


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


# ---- Drawn -----------------------------------------------------------------------------------------------------------


def test_a_folder_of_photos_becomes_a_store(tmp_path):
    """It is a data set of the config without a validation set; a list of the drawn images gives the same store."""
    root, said = photos(tmp_path / "photos"), []
    settings = {"kind": "folder", "root": str(root), "size": 16}
    with image_source("mine", settings | {"validation": 0.2}, said.append) as source:
        build_store(source, tmp_path / "store")
        keep_validation_list(source, tmp_path / "store")
    store = open_store(tmp_path / "store")
    assert [c.name for c in store.classes] == list(COLORS)
    assert np.bincount(store.labels[store.training]).tolist() == [8, 8, 8]
    assert np.bincount(store.labels[store.validation]).tolist() == [2, 2, 2]
    assert (store.images[:][:, 8, 8] == np.array(list(COLORS.values()))[store.labels]).all()
    assert any(line.startswith("validation: 6 of 30 images drawn, 20.0 %") for line in said)
    files = [sample.file for sample in read_samples(tmp_path / "store")]
    assert sorted(files) == sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))

    shutil.copy(tmp_path / "store" / VALIDATION_LIST, root)
    with image_source("mine", settings | {"val_list": VALIDATION_LIST}) as source:
        build_store(source, tmp_path / "again")
        keep_validation_list(source, tmp_path / "again")
    assert open_store(tmp_path / "again").checksum == store.checksum
    assert not (tmp_path / "again" / VALIDATION_LIST).exists()


def test_the_images_may_lie_in_train_and_are_named_as_there(tmp_path):
    root = photos(tmp_path / "r" / "train").parent
    photos(tmp_path / "r" / "val", images=1)
    said = []
    with opened(root, validation=0.3, say=said.append) as source:
        assert {s.file.split("/")[0] for s in (*source.training, *source.validation)} == set(COLORS)
        assert (len(source.training), len(source.validation)) == (21, 9)
        assert source.validation_list().splitlines()[1].startswith("train/ant/ant_")
        listed = source.validation_list()
    assert any(line.startswith(f"{root / 'val'} is not read, because validation draws from") for line in said)
    (root / "list.csv").write_text(listed)
    assert parts(root, val_list="list.csv") == parts(root, validation=0.3)


@pytest.mark.parametrize("top", ["", "my photos"])
def test_of_an_archive_too(tmp_path, top):
    root = photos(tmp_path / "r")
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        for path in root.rglob("*.png"):
            archive.write(path, top / path.relative_to(root))
    assert parts(tmp_path / "r.zip", validation=0.2) == parts(root, validation=0.2)
    with opened(tmp_path / "r.zip", validation=0.2) as source:
        keep_validation_list(source, tmp_path / "store")
    listed = parts(tmp_path / "r.zip", val_list=str(tmp_path / "store" / VALIDATION_LIST))
    assert listed == parts(root, validation=0.2)


def test_images_per_class_limits_those_of_training_only(tmp_path):
    root = photos(tmp_path / "r")
    every, few = parts(root, validation=0.2), parts(root, validation=0.2, images_per_class=3)
    assert few[1] == every[1]
    assert [list(few[0].values()).count(name) for name in COLORS] == [3, 3, 3]


def test_a_class_left_out_changes_no_draw_and_a_new_image_that_of_its_class_only(tmp_path):
    root = photos(tmp_path / "r")
    before = parts(root, validation=0.2)[1]
    assert parts(root, validation=0.2, classes=["ant", "cat"])[1] == {f: c for f, c in before.items() if c != "bee"}
    shutil.copy(root / "bee" / "bee_0.png", root / "bee" / "bee_10.png")
    after = parts(root, validation=0.2)[1]
    assert {f: c for f, c in after.items() if c != "bee"} == {f: c for f, c in before.items() if c != "bee"}


def test_another_seed_draws_others(tmp_path):
    root = photos(tmp_path / "r")
    assert parts(root, validation=0.2, validation_seed=1)[1] != parts(root, validation=0.2)[1]


def test_pictures_of_one_thing_are_on_one_side(tmp_path):
    root = photos(tmp_path / "r")
    training, validation = parts(root, validation=0.2, validation_groups=r"_(\d+)\.png$")
    things = [{file.split("_")[1] for file in part} for part in (training, validation)]
    assert not things[0] & things[1]
    assert len(things[1]) == 2


def test_a_skipped_image_is_in_neither_part(tmp_path):
    root = photos(tmp_path / "r")
    skip = ["ant/ant_3.png", "bee/bee_4.png"]
    training, validation = parts(root, validation=0.2, skip=skip)
    assert not {*training, *validation} & {*skip}
    assert len(training) + len(validation) == 28


def test_a_class_called_train_is_one_of_the_classes(tmp_path):
    root = photos(tmp_path / "r", ("bus", "car", "train"))
    assert set(parts(root, validation=0.2)[0].values()) == {"bus", "car", "train"}


# ---- Listed ----------------------------------------------------------------------------------------------------------


def pool(tmp_path):
    """All images in one folder, with a list of each part."""
    root = tmp_path / "r"
    (root / "pool").mkdir(parents=True)
    for name, color in COLORS.items():
        for i in range(6):
            Image.new("RGB", (20, 20), color).save(root / "pool" / f"{name}{i}.png")
    write(root / "train.csv", [("id", "label"), *((f"{name}{i}", name) for name in COLORS for i in range(4))])
    write(root / "lists/val.csv", [(f"../pool/{name}{i}.png", name) for name in COLORS for i in (4, 5)])
    return root


def test_both_parts_by_lists(tmp_path):
    root = pool(tmp_path)
    training, validation = parts(root, train_list="train.csv", val_list="lists/val.csv")
    assert training == {f"pool/{name}{i}.png": name for name in COLORS for i in range(4)}
    assert validation == {f"pool/{name}{i}.png": name for name in COLORS for i in (4, 5)}


def test_a_list_and_a_draw_from_it(tmp_path):
    training, validation = parts(pool(tmp_path), train_list="train.csv", validation=0.25)
    assert [list(validation.values()).count(name) for name in COLORS] == [1, 1, 1]
    assert {*training, *validation} == {f"pool/{name}{i}.png" for name in COLORS for i in range(4)}


def test_a_list_and_a_folder_of_validation_images(tmp_path):
    root = pool(tmp_path)
    photos(root / "val", images=2)
    with opened(root, train_list="train.csv") as source:
        assert [s.file for s in source.validation][:2] == ["ant/ant_0.png", "ant/ant_1.png"]
        assert [s.file for s in source.training][:2] == ["pool/ant0.png", "pool/ant1.png"]


def test_a_list_from_where_snakemake_runs(tmp_path, monkeypatch):
    root = pool(tmp_path)
    (root / "train.csv").rename(tmp_path / "elsewhere.csv")
    monkeypatch.chdir(tmp_path)
    assert len(parts(root, train_list="elsewhere.csv", val_list="lists/val.csv")[0]) == 12


def test_classes_that_a_list_calls_by_numbers(tmp_path):
    """As Caffe's lists do; as names they sort 0, 1, 10, 2."""
    root = pool(tmp_path)
    (root / "train.txt").write_text("ant0.png 0\nbee0.png 1\ncat0.png 2\nant1.png 10\n")
    (root / "val.txt").write_text("ant4.png 0\nbee4.png 1\ncat4.png 2\nant5.png 10\n")
    training, validation = parts(root, train_list="train.txt", val_list="val.txt")
    assert training == {"pool/ant0.png": "0", "pool/bee0.png": "1", "pool/cat0.png": "2", "pool/ant1.png": "10"}
    assert validation == {"pool/ant4.png": "0", "pool/bee4.png": "1", "pool/cat4.png": "2", "pool/ant5.png": "10"}


def test_an_image_in_both_lists_is_refused(tmp_path):
    root = pool(tmp_path)
    write(root / "val.csv", [("ant3.png", "ant"), ("bee4.png", "bee"), ("cat4.png", "cat")])
    with pytest.raises(StoreError, match=r"pool/ant3\.png is among both the training and the validation images"):
        parts(root, train_list="train.csv", val_list="val.csv")


def test_a_list_of_training_images_in_val_is_refused(tmp_path):
    root = photos(tmp_path / "r" / "val", ("ant", "bee")).parent
    photos(root / "more")
    write(root / "list.csv", [(f"{d}/{name}/{name}_0.png", name) for d, name in (("more", "ant"), ("val", "bee"))])
    with pytest.raises(StoreError, match=r"val/bee/bee_0\.png is among both"):
        parts(root, train_list="list.csv")


@pytest.mark.parametrize("in_list", ["train/{}/{}_0.png", "pool/{}/{}_0.png"])
@pytest.mark.parametrize("linked", ["files", "folders"])
def test_a_file_with_two_names_is_one_image(tmp_path, linked, in_list):
    """Classes are links to images in the data set: whichever name a list uses, its image is not also trained on."""
    pool = photos(tmp_path / "pool")
    for folder in sorted(pool.iterdir()):
        if linked == "folders":
            (tmp_path / "train").mkdir(exist_ok=True)
            (tmp_path / "train" / folder.name).symlink_to(folder)
        else:
            (tmp_path / "train" / folder.name).mkdir(parents=True)
            for file in folder.iterdir():
                (tmp_path / "train" / folder.name / file.name).symlink_to(file)
    write(tmp_path / "val.csv", [("file", "class"), *((in_list.format(name, name), name) for name in COLORS)])
    with opened(tmp_path, train="train", val_list="val.csv") as source:
        tested = {Path(s.file).name for s in source.validation}
        assert tested == {f"{name}_0.png" for name in COLORS}
        assert len(source.training) == 27
        assert tested.isdisjoint(Path(s.file).name for s in source.training)
        assert not any(path.endswith("_1.png") for path in source.passed_over)


@pytest.mark.parametrize(("root", "listed"), [("real", "link"), ("link", "real"), ("real", "real"), ("link", "link")])
def test_an_absolute_path_may_lead_through_another_link_than_the_root(tmp_path, root, listed):
    photos(tmp_path / "real" / "train")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    rows = [(tmp_path / listed / "train" / name / f"{name}_0.png", name) for name in COLORS]
    write(tmp_path / "val.csv", [("file", "class"), *rows])
    assert len(parts(tmp_path / root, val_list=str(tmp_path / "val.csv"))[1]) == 3


def test_a_list_that_contradicts_the_folders_is_refused(tmp_path):
    """Such as indices that count the classes in another order."""
    photos(tmp_path / "train")
    write(tmp_path / "val.csv", [(f"train/{name}/{name}_0.png", 2 - i) for i, name in enumerate(COLORS)])
    with pytest.raises(
        StoreError, match=r"val_list: .*ant_0.png the class cat, but it lies in the folder of ant \(and 1 more"
    ):
        parts(tmp_path, val_list="val.csv")


def test_a_val_list_that_takes_all_images_of_a_class_is_refused(tmp_path):
    root = photos(tmp_path / "r")
    write(root / "val.csv", [("ant_0.png", "ant"), ("cat_0.png", "cat"), *((f"bee_{i}.png", "bee") for i in range(10))])
    with pytest.raises(StoreError, match="all images of bee are in skip or for validation; none is left for training"):
        parts(root, val_list="val.csv")


# ---- Classes ---------------------------------------------------------------------------------------------------------


def test_classes_to_keep_from_the_config_or_a_file(tmp_path):
    root = photos(tmp_path / "r" / "train").parent
    photos(root / "val", images=1)
    (root / "keep.txt").write_bytes("\ufeffcat\r\n\r\n ant \r\n".encode())
    kept = parts(root, classes=["cat", "ant"])
    assert kept == parts(root, classes="keep.txt")
    assert set(kept[0].values()) == set(kept[1].values()) == {"ant", "cat"}


@pytest.mark.parametrize("settings", [{"every_class": 2}, {"classes": ["ant", "cat"]}])
def test_indices_count_all_classes_also_those_left_out(tmp_path, settings):
    root = photos(tmp_path / "r" / "train").parent
    (root / "val").mkdir()
    for i, name in enumerate(COLORS):
        shutil.copy(root / "train" / name / f"{name}_0.png", root / "val" / f"{i}.png")
    (root / "val.txt").write_text("0.png 0\n1.png 1\n2.png 2\n")
    assert parts(root, val_labels="val.txt", **settings)[1] == {"val/0.png": "ant", "val/2.png": "cat"}


def test_a_class_that_is_not_there_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(
        StoreError,
        match=r"mine\.classes: there is no class aunt among the 3 of the training images; did you mean ant\?",
    ):
        parts(photos(tmp_path / "r"), validation=0.2, classes=["aunt", "cat"])


def test_folders_that_differ_only_in_unicode_form_are_one_class_and_not_two(tmp_path):
    """One of macOS, one of Linux; twice in one folder they are refused."""
    composed, apart = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    root = photos(tmp_path / "r" / "train", (apart, "bee")).parent
    photos(root / "val", (composed, "bee "), images=1)
    training, validation = parts(root)
    assert set(training.values()) == set(validation.values()) == {composed, "bee"}
    photos(tmp_path / "other", (composed, apart, "bee"))
    if len(list((tmp_path / "other").iterdir())) == 3:  # not on a Mac's disk
        with pytest.raises(StoreError, match="has two folders whose names look the same"):
            parts(tmp_path / "other", validation=0.2)
    photos(tmp_path / "spaces", ("bee", "bee ", "cat"))
    with pytest.raises(StoreError, match="the class 'bee ' is 'bee' except for Unicode form or white space; rename it"):
        parts(tmp_path / "spaces", validation=0.2)
