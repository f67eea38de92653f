"""The page of a data set tells what is there, whatever its files are called and however many there are."""

import os
from html import unescape

import pytest
from PIL import Image

from transferability import data_page as pages
from transferability.data_page import data_page
from transferability.data_survey import survey
from transferability.image_folders import image_folders
from transferability.same_images import ALLOW, REFUSE
from transferability.store_building import Pace


@pytest.fixture
def root(tmp_path):
    for part in ("train", "val"):
        for i, name in enumerate(("ant", "bee")):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            for k in range(2):
                color = (100 * i, 50 * k, 9 if part == "val" else 200)
                Image.new("RGB", (9, 9), color).save(tmp_path / "photos" / part / name / f"{k}.png")
    return tmp_path / "photos"


def page_of(root, tmp_path, duplicates=REFUSE, **settings):
    with image_folders("mine", **({"root": str(root), "size": 8} | settings)) as source:
        found = survey(source, source.classes, 1, Pace(lambda line: None, 99, 99))
        return unescape(data_page(found, source.classes, duplicates, tmp_path))


@pytest.mark.parametrize(("duplicates", "is_built"), [(REFUSE, False), (ALLOW, True)])
def test_duplicates_stop_a_study_only_if_they_are_not_allowed(root, tmp_path, duplicates, is_built):
    (root / "val" / "ant" / "copy.png").write_bytes((root / "train" / "ant" / "0.png").read_bytes())
    page = page_of(root, tmp_path, duplicates)
    assert "1 validation image is in training too" in page
    assert ("no store is built" in page) != is_built


def test_a_name_that_is_no_text_loses_no_page(root, tmp_path):
    (root / "train" / "ant" / os.fsdecode(b"caf\xe9.txt")).write_text("")
    (root / "train" / "ant" / "two\nlines.txt").write_text("")
    page = page_of(root, tmp_path)
    assert "caf\\udce9.txt" in page
    assert "two\\nlines.txt" in page


def test_files_are_named_as_skip_takes_them(root, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for part in ("train", "val"):
        Image.new("RGB", (9, 9), (1, len(part), 3)).save(root / part / "bee" / "turned.jpg", exif=exif)
    assert "<dd>2: train/bee/turned.jpg, val/bee/turned.jpg</dd>" in page_of(root, tmp_path)
    skip = ["train/bee/turned.jpg", "val/bee/turned.jpg"]
    assert "turned upright" not in page_of(root, tmp_path, skip=skip)


def test_of_many_files_of_a_kind_the_first_are_listed(root, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "LISTED", 3)
    for i in range(9):
        (root / "train" / "ant" / f"{i}.txt").write_text("")
    page = page_of(root, tmp_path)
    assert "the first 3 of each kind" in page
    assert page.count('data-key="passed over: no images"') == 3
    assert "<dd>9: train/ant/0.txt" in page
