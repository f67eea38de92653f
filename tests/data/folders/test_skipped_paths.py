"""The key skip takes what messages print, and names nothing in vain."""

import re
import shutil
import unicodedata

import pytest
from PIL import Image

from tests.data.folders.support import pack
from transferability.data.folders.source import image_folders
from transferability.store.source import StoreError, UnreadableImagesError
from transferability.study.folder_keys import FolderKeys


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "mine"
    for part in ("train", "val"):
        for name in ("ant", "bee"):
            (root / part / name).mkdir(parents=True)
            for i in range(3):
                Image.new("RGB", (9, 9)).save(root / part / name / f"{i}.png")
    (root / "train" / "ant" / "bad.png").write_bytes(b"")
    return root


def training_images(root, *skip):
    with image_folders("mine", FolderKeys(root=str(root), size=8, skip=skip)) as source:
        source.read(0, len(source.training) + len(source.validation))
        return len(source.training)


@pytest.mark.parametrize(
    "entry",
    [
        "train/ant/bad.png",
        "./train/ant/bad.png",
        "train//ant/bad.png",
        "train/bee/../ant/bad.png",
        "train/../train/ant/bad.png",
        "mine/train/ant/bad.png",
        "{}/train/ant/bad.png",
        "{}/./train/bee/../ant/bad.png",
    ],
)
def test_any_way_to_write_a_path(root, entry):
    assert training_images(root, entry.format(root)) == 6


def test_a_root_that_is_a_link_or_relative(root, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    for base in ("link", "mine", "./mine"):
        for entry in ("train/ant/bad.png", f"{root}/train/ant/bad.png", f"{tmp_path}/link/train/ant/bad.png"):
            if base == "link" or "link" not in entry:
                assert training_images(base, entry) == 6


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_any_form_of_unicode(root, form):
    (root / "train" / "ant" / "bad.png").rename(root / "train" / "ant" / unicodedata.normalize("NFD", "café.png"))
    assert training_images(root, unicodedata.normalize(form, "train/ant/café.png")) == 6


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("around", ["", "top", "some/folders/mine"])
def test_a_file_of_an_archive_with_or_without_the_folder_around(root, tmp_path, kind, around):
    archive = pack(root, tmp_path / f"images.{kind}", around)
    within = f"{around}/train/ant/bad.png".lstrip("/")
    for entry in ("train/ant/bad.png", within, f"{archive}/{within}", f"{archive}/train/ant/bad.png"):
        assert training_images(archive, entry) == 6


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_what_a_message_prints_is_taken(root, tmp_path, kind):
    place = root if kind == "folder" else pack(root, tmp_path / "images.zip", "top")
    with pytest.raises(UnreadableImagesError) as caught:
        training_images(place)
    printed = re.search(r"in (\S+), (\S+) is not a usable image", str(caught.value))
    assert training_images(place, printed[2]) == 6
    assert training_images(place, f"{printed[1]}/{printed[2]}") == 6


def test_a_folder_can_be_left_out(root):
    assert training_images(root, "train/bee", "val/bee/", "train/ant/bad.png") == 3


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("train/ant/bda.png", "; did you mean train/ant/bad.png?"),
        ("train/amt/bad.png", "; did you mean train/ant/bad.png?"),
        ("bad.png", "; did you mean train/ant/bad.png?"),
        ("ant/bad.png", "; did you mean train/ant/bad.png?"),
        ("/elsewhere/ant/bad.png", "; did you mean train/ant/bad.png?"),
        ("../mine/train/ant/bad.png", "; did you mean train/ant/bad.png?"),
        ("xyz*[.jpg", ""),
        ("", ""),
        (".", ""),
    ],
)
def test_an_entry_that_means_nothing_is_refused(root, entry, hint):
    with pytest.raises(StoreError) as caught:
        training_images(root, entry)
    assert str(caught.value) == f"datasets.mine.skip: there is no file {entry} in {root}{hint}"


@pytest.mark.parametrize("train", ["{elsewhere}/train", "../elsewhere/train"])
def test_train_may_lie_elsewhere_and_what_is_named_there_can_be_skipped(root, tmp_path, train):
    (root / "train" / "ant" / "bad.png").unlink()
    shutil.copytree(root, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "train" / "ant" / "bad.png").write_bytes(b"")
    train = train.format(elsewhere=tmp_path / "elsewhere")

    def images(*skip):
        with image_folders("mine", FolderKeys(root=str(root), size=8, train=train, skip=skip)) as source:
            source.read(0, len(source.training) + len(source.validation))
            return len(source.training)

    with pytest.raises(UnreadableImagesError) as refusal:
        images()
    named = re.search(r"in \S+, (\S+) is not a usable image", str(refusal.value))[1]
    assert named == f"{train}/ant/bad.png"
    assert images(named) == 6
    with pytest.raises(StoreError, match="there is no file"):
        images(str(tmp_path / "elsewhere" / "val" / "ant" / "0.png"))  # which is no part of the data set


@pytest.mark.parametrize("name", ["two\nlines.png", "a\rb.png", "right\u202eleft.png", "tab\there.png"])
def test_a_name_that_is_printed_with_escapes_can_be_skipped_so(root, name):
    (root / "train" / "ant" / "bad.png").rename(root / "train" / "ant" / name)
    with pytest.raises(UnreadableImagesError) as refusal:
        training_images(root)
    named = re.fullmatch(r"datasets\.mine: in \S+, (.+) is not a usable image .*", str(refusal.value))[1]
    assert "\\" in named
    assert training_images(root, named) == training_images(root, f"train/ant/{name}") == 6
