"""Which files of a folder are images, what is passed over, and that each image is found once."""

import errno
import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from transferability.data.folders.search import ImageSearch, Reason, passed_over_lines
from transferability.data.folders.source import image_folders
from transferability.store.source import StoreError, UnreadableImagesError
from transferability.study.folder_keys import FolderKeys

COLORS = {"ant": (200, 30, 30), "bee": (30, 200, 30)}


def save(path, color=(90, 90, 90), **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 7), color).save(path, **how)
    return path


@pytest.fixture
def root(tmp_path):
    for name, color in COLORS.items():
        save(tmp_path / "root" / "train" / name / "t.png", color)
        save(tmp_path / "root" / "val" / name / "v.png", color)
    return tmp_path / "root"


def source_of(folder, **settings):
    return image_folders("mine", FolderKeys(**({"root": str(folder), "size": 8} | settings)))


def found(root, **settings):
    """Training images by class, and what is passed over by reason."""
    with source_of(root, **settings) as source:
        source.read(0, len(source.training) + len(source.validation))
        by_class = {name: [] for name in (c.name for c in source.classes)}
        for sample in source.training:
            by_class[source.classes[sample.label].name].append(sample.file.partition("/")[2])
        return by_class, dict(source.passed_over)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        *(
            (suffix, "JPEG")
            for suffix in (".jpg", ".JPG", ".jpeg", ".JPEG", ".jfif", ".jpe", ".Jpe", "", ".orig", ".2")
        ),
        *((suffix, "PNG") for suffix in (".png", ".apng", ".heic", "")),
        *((suffix, "TIFF") for suffix in (".tif", ".TIFF", "")),
        *((suffix, "WEBP") for suffix in (".webp", "")),
        *((suffix, "BMP") for suffix in (".bmp", ".dib", "")),
        *((suffix, "PPM") for suffix in (".ppm", ".pnm", "")),
        *(
            (".mpo", "MPO"),
            (".avif", "AVIF"),
            ("", "AVIF"),
            (".jp2", "JPEG2000"),
            (".j2k", "JPEG2000"),
            ("", "JPEG2000"),
        ),
        *((".gif", "GIF"), (".tga", "TGA"), (".pcx", "PCX"), (".qoi", "QOI"), (".sgi", "SGI"), (".ico", "ICO")),
    ],
)
def test_what_pillow_reads_is_read(root, suffix, kind):
    file = save(root / "train" / "ant" / f"a.{kind.lower()}", format=kind)
    file.rename(file.with_name("another photo" + suffix))
    assert found(root) == ({"ant": ["another photo" + suffix, "t.png"], "bee": ["t.png"]}, {})


@pytest.mark.parametrize(
    "name", ["a.heic", "a.HEIF", "a.cr2", "a.nef", "a.dng", "a.svg", "a.jxl", "a.exr", "a.jpg", "a"]
)
def test_an_image_that_cannot_be_read_is_named(root, name):
    content = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" if name == "a" else b"MM\0*" + bytes(40)
    (root / "train" / "ant" / name).write_bytes(content)
    with pytest.raises(UnreadableImagesError, match=rf"in {root}, train/ant/{name} is not a usable image \("):
        found(root)
    assert found(root, skip=[f"train/ant/{name}"])[1] == {f"train/ant/{name}": Reason.SKIPPED}


LITTER = [
    "Thumbs.db",
    "desktop.ini",
    ".DS_Store",
    "._t.png",
    ".hidden.png",
    "@eaDir",
    "#recycle",
    "__MACOSX",
    "lost+found",
]
LITTER += [".ipynb_checkpoints", ".git", "$RECYCLE.BIN", "System Volume Information"]


@pytest.mark.parametrize("where", ["train/ant", "train", "val", "val/bee", "train/ant/part"])
@pytest.mark.parametrize("name", LITTER)
def test_what_systems_leave_is_neither_class_nor_image(root, where, name):
    save(root / "train" / "ant" / "part" / "x.png")
    path = root / where / name
    if "." in name[1:]:
        save(root / "x.png").rename(path)
    else:
        save(path / "x.png")
    assert found(root) == ({"ant": ["part/x.png", "t.png"], "bee": ["t.png"]}, {f"{where}/{name}": Reason.LITTER})


@pytest.mark.parametrize(
    "name", ["a.txt", "boxes.xml", "t.json", "README", "a.csv", "a.mp4", "a.pdf", "a.unknown", "a.h"]
)
def test_what_is_no_image_is_passed_over_and_told(root, name):
    (root / "train" / "ant" / name).write_text("#define of no image\n")
    (root / "train" / name).write_text("")
    classes, passed_over = found(root)
    assert classes == {"ant": ["t.png"], "bee": ["t.png"]}
    assert passed_over == {f"train/ant/{name}": Reason.NO_IMAGE, f"train/{name}": Reason.NO_IMAGE}


def test_a_pipe_is_not_waited_for(root):
    os.mkfifo(root / "train" / "ant" / "pipe.png")
    assert found(root)[1] == {"train/ant/pipe.png": Reason.NO_IMAGE}


def test_images_beside_the_folders_are_told(root):
    save(root / "train" / "stray.jpg")
    assert found(root)[1] == {"train/stray.jpg": Reason.LOOSE}


def test_notes_count_and_name(root):
    for i in range(5):
        (root / "train" / "ant" / f"{i}.txt").touch()
    (root / "val" / ".DS_Store").touch()
    with source_of(root) as source:
        assert source.notes == [
            "passed over, hidden, or left behind by a system or tool: 1 (val/.DS_Store)",
            "passed over, no images: 5 (train/ant/0.txt, train/ant/1.txt, train/ant/2.txt, ...)",
        ]
    assert passed_over_lines({}) == []


def test_linked_folders_and_files_are_followed(root, tmp_path):
    save(tmp_path / "elsewhere" / "deep" / "e.png")
    save(tmp_path / "other.png")
    (root / "train" / "ant" / "more").symlink_to(tmp_path / "elsewhere")
    (root / "train" / "ant" / "o.png").symlink_to(tmp_path / "other.png")
    (root / "train" / "bee").rename(tmp_path / "bee")
    (root / "train" / "bee").symlink_to(tmp_path / "bee")
    assert found(root) == ({"ant": ["more/deep/e.png", "o.png", "t.png"], "bee": ["t.png"]}, {})


@pytest.mark.parametrize("target", ["ant", ".", "..", "ant/part", "../train/ant/part/..", "ant/again"])
@pytest.mark.parametrize("where", ["ant/again", "ant/part/again"])
def test_loops_of_links_double_nothing(root, where, target):
    save(root / "train" / "ant" / "part" / "p.png")
    link = root / "train" / where
    link.symlink_to(root / "train" / target)
    if target == "ant/again" and where == "ant/again":  # a link to itself leads nowhere
        with pytest.raises(UnreadableImagesError, match=r"train/ant/again is a link to .*, which is not there"):
            found(root)
        return
    if target == "ant/again":
        with pytest.raises(UnreadableImagesError, match=r"train/ant/part/again is a link to .*, which is not there"):
            found(root)
        return
    classes, passed_over = found(root)
    assert classes == {"ant": ["part/p.png", "t.png"], "bee": ["t.png"]}
    assert passed_over == {f"train/{where}": Reason.TWICE}


def test_a_loop_elsewhere_ends(root, tmp_path):
    save(tmp_path / "elsewhere" / "sub" / "e.png")
    (tmp_path / "elsewhere" / "sub" / "up").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "sub" / "upmost").symlink_to(tmp_path)
    (root / "train" / "ant" / "more").symlink_to(tmp_path / "elsewhere")
    assert found(root)[0]["ant"] == ["more/sub/e.png", "t.png"]


def test_a_file_that_is_reached_twice_counts_once_by_its_own_name(root, tmp_path):
    save(root / "train" / "ant" / "part" / "p.png")
    (root / "train" / "ant" / "a_link.png").symlink_to("part/p.png")
    (root / "train" / "ant" / "a_folder").symlink_to("part")
    save(tmp_path / "other" / "o.png")
    (root / "train" / "ant" / "b_link.png").symlink_to(tmp_path / "other" / "o.png")
    (root / "train" / "ant" / "c_link.png").symlink_to(tmp_path / "other" / "o.png")
    classes, passed_over = found(root)
    assert classes["ant"] == ["b_link.png", "part/p.png", "t.png"]
    assert set(passed_over) == {f"train/ant/{name}" for name in ("a_link.png", "a_folder", "c_link.png")}


def test_overlapping_links_lose_nothing(root, tmp_path):
    """The first link leads to a part of what the second one leads to."""
    for name in ("x/e.png", "x/part/p.png"):
        save(tmp_path / name)
    (root / "train" / "ant" / "a").symlink_to(tmp_path / "x" / "part")
    (root / "train" / "ant" / "b").symlink_to(tmp_path / "x")
    assert found(root)[0]["ant"] == ["a/p.png", "b/e.png", "t.png"]


def test_a_class_that_is_a_link_to_another_is_refused(root):
    (root / "train" / "cat").symlink_to("ant")
    with pytest.raises(StoreError, match="train/ant and train/cat are one folder through a link, but each is a class"):
        found(root)
    assert found(root, skip=["train/cat"])[1] == {"train/cat": Reason.SKIPPED}


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_link_to_a_folder_around_the_classes_is_no_class(root, target):
    for part in ("train", "val"):
        (root / part / "all").symlink_to(target)
    files, passed_over = found(root)
    assert set(files) == set(COLORS)
    assert passed_over == {"train/all": Reason.TWICE, "val/all": Reason.TWICE}


def test_a_class_that_is_a_link_into_another_is_refused(root):
    save(root / "train" / "ant" / "winged" / "w.png")
    (root / "train" / "fly").symlink_to(root / "train" / "ant" / "winged")
    with pytest.raises(StoreError, match="train/fly is a folder in train/ant through a link, but each is a class"):
        found(root)
    assert set(found(root, skip=["train/fly"])[0]) == set(COLORS)


@pytest.mark.parametrize("name", ["train/ant/gone.png", "train/ant/gone", "val/bee/gone.jpg"])
def test_a_link_to_nowhere_is_named_and_can_be_skipped(root, name):
    (root / name).symlink_to("/nowhere/gone.png")
    with pytest.raises(
        UnreadableImagesError, match=f"{name} is a link to /nowhere/gone.png, which is not there; .* skip"
    ):
        found(root)
    assert found(root, skip=[name])[1] == {name: Reason.SKIPPED}


def test_a_class_that_is_a_link_to_nowhere_does_not_go_missing(root):
    for part in ("train", "val"):
        (root / part / "cat").symlink_to("/nowhere/cat")
    with pytest.raises(StoreError, match=r"train/cat is a link to /nowhere/cat, which is not there; .* skip"):
        found(root)
    assert list(found(root, skip=["train/cat", "val/cat"])[0]) == ["ant", "bee"]


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("name", ["train/ant/part", "train/ant", "train", "val", "val/bee"])
def test_a_folder_that_cannot_be_opened_is_named(root, monkeypatch, number, name):
    save(root / "train" / "ant" / "part" / "p.png")
    scandir = os.scandir

    def flaky(path="."):
        if os.fspath(path) == str(root / name):
            raise OSError(number, os.strerror(number), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", flaky)
    with pytest.raises(StoreError, match=rf"the folder {name} cannot be opened \({os.strerror(number)}\)"):
        found(root)
    if name == "train/ant/part":
        assert found(root, skip=[name])[0]["ant"] == ["t.png"]


def test_forms_of_unicode_make_no_difference(root):
    """Training images from a Mac, whose names are decomposed, and validation images from elsewhere."""
    for part, form in (("train", "NFD"), ("val", "NFC")):
        name = unicodedata.normalize(form, "café")
        (root / part / "ant").rename(root / part / name)
    assert list(found(root)[0]) == ["bee", "café"]
    with source_of(root) as source:
        assert source.classes[1].name == unicodedata.normalize("NFC", "café")


def test_two_classes_that_look_the_same_are_refused(root):
    for form in ("NFD", "NFC"):
        save(root / "train" / unicodedata.normalize(form, "café") / "x.png")
    with pytest.raises(StoreError, match=r"two folders whose names look the same, 'cafe\\u0301' and 'caf\\xe9'"):
        found(root)


def test_names_that_differ_in_case_are_different(root):
    for part in ("train", "val"):
        save(root / part / "Ant" / "x.png")
    assert list(found(root)[0]) == ["Ant", "ant", "bee"]


def test_files_are_in_the_order_of_their_names(root):
    names = ["b.png", "a/z.png", "a-b.png", "B.png", "a.png"]
    for name in names:
        save(root / "train" / "ant" / name)
    search = ImageSearch("mine", root)
    files = search.image_files(root / "train" / "ant")
    assert files == sorted(root / "train" / "ant" / name for name in [*names, "t.png"])
    assert np.array_equal(files, search.image_files(root / "train" / "ant"))
