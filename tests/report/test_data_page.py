"""The page of a data set shows what was found in it, and no more than anyone can read."""

import html
import os
import re
import shutil

import pytest
from PIL import Image

from tests.report.support import page_of, photos, save, unlike_photos
from tests.support import Patterns
from transferability.process.pace import Pace
from transferability.report import data_page as pages
from transferability.report.data_page import NAMED, TOLD, data_page
from transferability.report.survey import survey
from transferability.store.same_images import ALLOW, REFUSE


@pytest.fixture
def root(tmp_path):
    return photos(tmp_path / "photos")


def text_of(page):
    """The words of a page's body, on one line."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def facts_of(page):
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page, re.DOTALL)
    return {html.unescape(name): html.unescape(value) for name, value in pairs}


def test_the_facts_are_those_of_the_images(root):
    save(root / "train" / "dog" / "large.jpg", size=(90, 60))
    facts = facts_of(page_of(root))
    assert facts["classes"] == "2"
    assert facts["training images"] == "7, 3 to 4 per class"
    assert facts["validation images"] == "2, 1 per class"
    assert facts["every image becomes"] == "16 × 16 × 3 (height × width × channels)"
    assert facts["image sizes"] == "from 20 × 20 to 90 × 60 pixels, median 20 × 20 (width × height)"
    assert facts["formats"] == "PNG 8, JPEG 1"
    assert facts["modes"] == "RGB 9"


def test_only_what_there_is_is_told(root):
    page = page_of(root)
    assert not {"smaller than that", *(name for name in facts_of(page) if "passed over" in name)} & {*facts_of(page)}
    assert 'class="problem"' not in page
    assert "Images that cannot be used" not in page
    assert 'id="table-files"' not in page
    assert 'id="table-same_images"' not in page


def test_validation_images_of_another_sharpness_are_a_problem(tmp_path):
    page = text_of(page_of(unlike_photos(tmp_path / "unlike")))
    assert re.search(r"differ by [\d.]+ gray levels in validation images and [\d.]+ in training images", page)


@pytest.mark.parametrize(("count", "told"), [(1, "1 image, enlarged"), (2, "2 images, enlarged")])
def test_images_that_are_enlarged_are_counted(root, count, told):
    for i in range(count):
        save(root / "train" / "cat" / f"small{i}.png", size=(30, 15))
    assert facts_of(page_of(root))["smaller than that"] == told


@pytest.mark.parametrize("count", [1, NAMED, NAMED + 1, NAMED + 2, 40])
def test_of_many_files_some_are_named_and_the_others_counted(root, count):
    for i in range(count):
        (root / "train" / "cat" / f"note{i:02}.txt").write_text("fluffy")
    page = page_of(root)
    (told,) = (value for name, value in facts_of(page).items() if name.startswith("passed over"))
    number, _, names = told.partition(": ")
    names, _, more = names.partition(" and ")
    assert number == str(count)
    assert len(names.split(", ")) + int(more.removesuffix(" more") or 0) == count
    assert len(names.split(", ")) <= NAMED + 1
    assert all(f"train/cat/note{i:02}.txt" in text_of(page) for i in range(count))  # in the table


def test_images_that_cannot_be_used_are_named_with_why(root):
    for i in range(TOLD + 2):
        path = root / "train" / "dog" / f"empty{i:02}.png"
        path.write_bytes(b"")
    page = page_of(root)
    text = text_of(page)
    assert f"{TOLD + 2} images cannot be used, and no store is built until they are repaired" in text
    assert page.count("<li>") == TOLD
    assert "and 2 more, in the table of files" in text
    assert "train/dog/empty21.png refused: datasets.mine: " in text


def test_one_is_told_in_the_singular(root):
    (root / "train" / "dog" / "dog0.png").write_bytes(b"")
    shutil.copy(root / "train" / "cat" / "cat0.png", root / "val" / "cat" / "again.png")
    text = text_of(page_of(root))
    assert "1 image cannot be used, and no store is built until it is repaired" in text
    assert "1 validation image is also a training image, pixel by pixel" in text


def test_a_page_without_an_image_says_so(root):
    for path in root.rglob("*.png"):
        path.write_bytes(b"")
    page = page_of(root)
    assert "No image can be used." in text_of(page)
    assert "<img" not in page


def test_names_are_shown_and_never_markup(root):
    evil = root / "train" / "cat" / "<b>bold\u202e&.png"
    evil.write_bytes(b"")
    page = page_of(root)
    assert "<b>bold" not in page
    assert "\u202e" not in page
    assert "<b>bold\\u202e&.png" in text_of(page)


def test_classes_have_their_readable_names_and_groups(root, tmp_path):
    groups = tmp_path / "groups.csv"
    groups.write_text("class,group,name\ncat,NA,the house cat\ndog,wild,\n")
    text = text_of(page_of(root, groups))
    assert "cat the house cat NA 3 1" in text
    assert "dog wild 3 1" in text


def test_a_class_of_which_nothing_can_be_used_is_there_still(root):
    for path in root.rglob("dog*.png"):
        path.write_bytes(b"")
    assert "dog 3 1" in text_of(page_of(root))


def test_images_that_are_no_files_have_no_facts_of_files(tmp_path):
    source = Patterns()
    found = survey(source, source.classes, 1, Pace(lambda _line: None, 0, log_every_seconds=60))
    facts = facts_of(data_page(found, source.classes, REFUSE, tmp_path))
    assert facts.keys() == {
        "classes",
        "training images",
        "validation images",
        "every image becomes",
        "duplicate images",
    }


def test_it_needs_nothing_but_itself(root):
    page = page_of(root)
    assert all(address.startswith(("data:", "#")) for address in re.findall(r'(?:src|href)="([^"]*)"', page))
    ids = re.findall(r'id="([^"]*)"', page)
    assert len(ids) == len({*ids})
    assert {*re.findall(r'href="#([^"]*)"', page)} <= {*ids}


@pytest.mark.parametrize(("duplicates", "is_built"), [(REFUSE, False), (ALLOW, True)])
def test_duplicates_stop_a_study_only_if_they_are_not_allowed(root, duplicates, is_built):
    shutil.copy(root / "train" / "cat" / "cat0.png", root / "val" / "cat" / "again.png")
    text = text_of(page_of(root, duplicates=duplicates))
    assert "1 validation image is also a training image" in text
    assert ("no store is built" in text) != is_built


def test_a_name_that_is_no_text_loses_no_page(root):
    (root / "train" / "cat" / os.fsdecode(b"caf\xe9.txt")).write_text("")
    (root / "train" / "cat" / "two\nlines.txt").write_text("")
    text = text_of(page_of(root))
    assert r"caf\udce9.txt" in text
    assert r"two\nlines.txt" in text


def test_files_are_named_as_skip_takes_them(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    for part in ("train", "val"):
        save(root / part / "dog" / "turned.jpg", seed=len(part), exif=exif)
    turned = ["train/dog/turned.jpg", "val/dog/turned.jpg"]
    assert f"2: {', '.join(turned)}" in facts_of(page_of(root)).values()
    assert "turned upright" not in page_of(root, skip=turned)


def test_of_many_files_of_a_kind_the_first_are_listed(root, monkeypatch):
    monkeypatch.setattr(pages, "LISTED", 3)
    for i in range(9):
        (root / "train" / "cat" / f"{i}.txt").write_text("")
    page = page_of(root)
    assert "the first 3 of each kind" in page
    assert page.count('data-key="passed over: no images"') == 3
