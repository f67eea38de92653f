"""Image files: odd sizes and modes, layouts found in practice, labels in every form, and what is refused."""

import os
import shutil
import signal
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from transferability.data.build import build_store
from transferability.data.folders.image_files import read_image
from transferability.data.folders.source import image_folders
from transferability.process.log import job_log
from transferability.store.reading import open_store
from transferability.store.same_images import ALLOW
from transferability.store.source import StoreError, UnreadableImagesError
from transferability.study.folder_keys import FolderKeys

COLORS = {"n01": (200, 30, 30), "n02": (30, 200, 30), "n03": (30, 30, 200)}


def save(path, color=(90, 90, 90), size=(40, 30), mode="RGB", **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).convert(mode).save(path, **how)
    return path


@pytest.fixture
def root(tmp_path):
    """Three classes of one color each, in the layout of ImageNet."""
    root = tmp_path / "images"
    for name, color in COLORS.items():
        for i in range(4):
            save(root / "train" / name / f"{name}_{i}.JPEG", color, size=(30 + i, 50 - i))
        save(root / "val" / name / f"val_{name}.JPEG", color)
    return root


def source_of(folder, **settings):
    return image_folders("mine", FolderKeys(**({"root": str(folder), "size": 16} | settings)))


def mean_color(image):
    return image.reshape(-1, image.shape[-1]).mean(axis=0)


def test_a_folder_for_each_class(root, tmp_path):
    (root / "train" / "n01" / "boxes.txt").write_text("no image")
    with source_of(root) as source:
        assert [c.name for c in source.classes] == list(COLORS)
        assert [s.file for s in source.training[:4]] == [f"n01/n01_{i}.JPEG" for i in range(4)]
        build_store(source, tmp_path / "store", threads=2, chunk=5, duplicates=ALLOW)
    store = open_store(tmp_path / "store")
    assert store.images.shape == (15, 16, 16, 3)
    for image, label in zip(store.images, store.labels, strict=True):
        assert np.abs(mean_color(image) - list(COLORS.values())[label]).max() < 8


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "P", "RGBA", "LA", "1"])
def test_every_mode_becomes_color_or_gray(tmp_path, mode):
    suffix = ".jpg" if mode in ("RGB", "L", "CMYK") else ".png"
    path = save(tmp_path / f"image{suffix}", (200, 200, 200), mode=mode)
    color, gray = read_image(path, 16, 3, "stretch"), read_image(path, 16, 1, "crop")
    assert (color.shape, gray.shape) == ((16, 16, 3), (16, 16, 1))
    assert np.abs(mean_color(color) - 200).max() < 6
    assert np.abs(mean_color(gray) - 200).max() < 6


def test_a_png_named_jpeg_is_read_as_what_it_is(tmp_path):
    path = save(tmp_path / "image.png", COLORS["n01"]).rename(tmp_path / "image.JPEG")
    assert (read_image(path, 16, 3, "stretch") == COLORS["n01"]).all()


def test_images_of_the_right_size_are_not_touched(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    for fit in ("stretch", "crop"):
        assert np.array_equal(read_image(tmp_path / "noise.png", 16, 3, fit), pixels)


def test_stretching_keeps_the_edges_and_cropping_cuts_them(tmp_path):
    """A dark image whose left and right quarters are bright."""
    pixels = np.zeros((20, 80), dtype=np.uint8)
    pixels[:, :20] = pixels[:, 60:] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    stretched, cropped = (read_image(tmp_path / "wide.png", 8, 1, fit)[:, :, 0] for fit in ("stretch", "crop"))
    assert stretched[:, :2].min() > 200
    assert stretched[:, 3:5].max() < 50
    assert cropped.max() < 50


def test_flat_validation_images_with_class_names(root):
    flat(root)
    lines = [f"val_{name}.JPEG\t{name}\t0\t0\t9\t9" for name in reversed(COLORS)]
    assert_labeled(root, lines)


def test_flat_validation_images_with_indices(root):
    flat(root)
    assert_labeled(root, [f"val_{name}.JPEG {i}" for i, name in enumerate(COLORS)])


def test_flat_validation_images_with_a_table(root):
    flat(root)
    assert_labeled(root, ["ImageId,PredictionString", *(f"val_{name},{name} 1 2 3 4" for name in COLORS)])


def test_the_official_ground_truth_of_imagenet(tmp_path):
    """The first images of ILSVRC 2012: a sea snake, an alp, a Shetland sheepdog, a soup bowl."""
    root, official = tmp_path, [490, 361, 171, 822]
    names = ["n01751748", "n09193705", "n02105855", "n04263257"]
    for i, name in enumerate(names, start=1):
        save(root / "train" / name / "image.JPEG")
        save(root / "val" / f"ILSVRC2012_val_{i:08}.JPEG")
    (root / "truth.txt").write_text("".join(f"{number}\n" for number in official))
    with source_of(root, val_labels="truth.txt") as source:
        classes = [c.name for c in source.classes]
        assert classes == sorted(names)
        assert [classes[s.label] for s in source.validation] == names


def flat(root):
    for path in sorted((root / "val").glob("*/*")):
        path.rename(root / "val" / path.name)
        path.parent.rmdir()


def assert_labeled(root, lines):
    (root / "labels.txt").write_text("\n".join(lines) + "\n")
    with source_of(root, val_labels="labels.txt") as source:
        assert {s.file: source.classes[s.label].name for s in source.validation} == {
            f"val_{name}.JPEG": name for name in COLORS
        }


@pytest.mark.parametrize("kind", ["tar.xz", "zip"])
def test_an_archive_is_read_as_the_folder_it_holds(root, tmp_path, kind):
    archive = tmp_path / f"images.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path in root.rglob("*"):
                packed.write(path, path.relative_to(root))
    else:
        with tarfile.open(archive, "w:xz") as tar:
            tar.add(root, ".")
    with source_of(root) as unpacked, source_of(archive) as source:
        assert (source.classes, source.training, source.validation) == (
            unpacked.classes,
            unpacked.training,
            unpacked.validation,
        )
        assert np.array_equal(source.read(0, 15), unpacked.read(0, 15))
        temporary = source.folder
    assert not temporary.exists()


def pack(folder, archive, below=""):
    with zipfile.ZipFile(archive, "w") as packed:
        for path in folder.rglob("*"):
            packed.write(path, below / path.relative_to(folder))
    return archive


@pytest.mark.parametrize("beside", [[], ["README.txt"], ["README.txt", "__MACOSX/._train", ".DS_Store"]])
def test_an_archive_with_a_folder_around_it_all(root, tmp_path, beside):
    archive = pack(root, tmp_path / "images.zip", below="tiny-imagenet-200")
    with zipfile.ZipFile(archive, "a") as packed:
        for name in beside:
            packed.writestr(name, "")
    skip = ["train/n01/n01_2.JPEG"]
    with source_of(root, skip=skip) as unpacked, source_of(archive, skip=skip) as source:
        assert source.training == unpacked.training
        assert np.array_equal(source.read(0, 14), unpacked.read(0, 14))


def test_a_class_called_train_is_no_folder_around_it_all(root, tmp_path):
    (root / "train" / "n01").rename(root / "train" / "train")
    shutil.rmtree(root / "val" / "n01")
    with source_of(pack(root, tmp_path / "images.zip")) as source:
        assert [c.name for c in source.classes] == ["n02", "n03", "train"]


def test_a_folder_that_is_named_in_train_is_not_left_out(root, tmp_path):
    archive = pack(root, tmp_path / "images.zip", below="top")
    with source_of(archive, train="top/train", val="top/val") as source:
        assert len(source.training) == 12


@pytest.mark.parametrize("below", ["", "top"])
@pytest.mark.parametrize(
    ("missing", "settings", "message"),
    [
        ("train", {}, "there is no folder {}/train; it must hold"),
        ("val", {}, "there is no folder {}/val; it must hold"),
        ("train/n02", {}, "{}/val has the class n02, but {}/train has no folder"),
        ("", {"val_labels": "no.txt"}, "val_labels: there is no file {}/no.txt"),
        ("", {"skip": ["no.png"]}, "skip: there is no file no.png in {}"),
    ],
)
def test_what_an_archive_lacks_is_said_of_the_archive(root, tmp_path, below, missing, settings, message):
    if missing:
        (root / missing).rename(tmp_path / "elsewhere")
    archive = pack(root, tmp_path / "images.zip", below)
    with pytest.raises(StoreError) as caught, source_of(archive, **settings):
        pass
    inside = archive / below if missing != "train" else archive  # without train, nothing shows the enclosing folder
    assert message.format(inside, inside) in str(caught.value)


def test_an_image_of_an_archive_that_is_none_is_named_by_the_archive(root, tmp_path):
    (root / "train" / "n01" / "n01_2.JPEG").write_bytes(b"no image")
    archive = pack(root, tmp_path / "images.zip")
    with source_of(archive) as source, pytest.raises(UnreadableImagesError) as caught:
        source.read(0, 15)
    assert str(caught.value).startswith(f"datasets.mine: in {archive}, train/n01/n01_2.JPEG is not a usable image (")


def test_an_archive_that_is_damaged_within_is_refused(root, tmp_path):
    """Whatever its decoder raises."""
    archive = tmp_path / "images.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("train/n01/a.png", b"ab" * 9999)
        start = packed.infolist()[0].header_offset + 30 + len("train/n01/a.png")
    content = bytearray(archive.read_bytes())
    content[start : start + 8] = b"\xff" * 8
    archive.write_bytes(content)
    with pytest.raises(StoreError, match=r"root: .*images\.zip cannot be unpacked"), source_of(archive):
        pass


def test_a_job_told_to_stop_leaves_nothing_unpacked(root, tmp_path, monkeypatch):
    archive, unpacked = pack(root, tmp_path / "images.zip"), tmp_path / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(unpacked))

    def job():
        with job_log(tmp_path / "job.log", "job"), source_of(archive):
            assert list(unpacked.iterdir())
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        job()
    assert not list(unpacked.iterdir())


def test_an_interrupted_store_does_not_go_on_with_images_of_another_root(root, tmp_path):
    """Though its files have the same names."""
    other = tmp_path / "other"
    for path in root.rglob("*.JPEG"):
        save(other / path.relative_to(root), (250, 250, 250))
    bad = root / "val" / "n03" / "val_n03.JPEG"
    bad.write_bytes(b"no image")
    with source_of(root) as source, pytest.raises(UnreadableImagesError):
        build_store(source, tmp_path / "store", chunk=5, duplicates=ALLOW)
    with source_of(other) as source:
        build_store(source, tmp_path / "store", chunk=5, duplicates=ALLOW)
    assert open_store(tmp_path / "store").images[:].min() > 240


def test_an_interrupted_store_goes_on_with_the_same_archive_unpacked_elsewhere(root, tmp_path):
    archive = pack(root, tmp_path / "images.zip")
    with source_of(archive) as one, source_of(archive) as other:
        assert one.folder != other.folder
        assert repr(one) == repr(other)


@pytest.mark.parametrize(
    ("train", "val"), [("train", "train"), ("train", "train/"), ("train", "link"), ("train", "."), (".", "val")]
)
def test_validation_images_that_are_trained_on_are_refused(root, train, val):
    (root / "link").symlink_to("train")
    with (
        pytest.raises(StoreError, match=r"^datasets\.mine\.val: .*accuracies would be measured on training images"),
        source_of(root, train=train, val=val),
    ):
        pass


def test_labels_that_are_not_in_utf8_are_named(root):
    (root / "labels.txt").write_bytes("val_n01.JPEG n01 # café".encode("latin-1"))
    with (
        pytest.raises(StoreError, match=r"^datasets\.mine\.val_labels: .*/labels\.txt is not in UTF-8 \("),
        source_of(root, val_labels="labels.txt"),
    ):
        pass


def test_a_file_name_that_is_not_in_utf8_is_named_before_images_are_read(root, tmp_path):
    path = os.path.join(os.fsencode(root), b"train", b"n01", b"caf\xe9.png")  # noqa: PTH118 - bytes
    try:
        os.link(root / "train" / "n01" / "n01_0.JPEG", path)
    except OSError:
        pytest.skip("this file system has no such names")
    with source_of(root) as source, pytest.raises(StoreError, match=r"training file n01/caf\\xe9\.png has a name"):
        build_store(source, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_an_archive_cannot_write_outside(tmp_path):
    (tmp_path / "evil").write_text("evil")
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(tmp_path / "evil", "../../escaped")
    with pytest.raises(StoreError, match=r"evil.tar cannot be unpacked \(.*outside"), source_of(tmp_path / "evil.tar"):
        pass


def test_fewer_classes_and_images(root):
    with source_of(root, every_class=2, images_per_class=3) as source:
        assert [c.name for c in source.classes] == ["n01", "n03"]
        assert [s.file for s in source.training] == [f"{n}/{n}_{i}.JPEG" for n in ("n01", "n03") for i in range(3)]
        assert [s.file for s in source.validation] == ["n01/val_n01.JPEG", "n03/val_n03.JPEG"]
        assert [s.label for s in source.validation] == [0, 1]


def test_corrupt_files_are_all_named_and_can_be_skipped(root):
    bad = [root / "train" / "n01" / "n01_2.JPEG", root / "train" / "n02" / "n02_0.JPEG"]
    bad[0].write_bytes(bad[0].read_bytes()[:300])
    bad[1].write_bytes(b"no image at all")
    with source_of(root) as source, pytest.raises(UnreadableImagesError) as caught:
        source.read(0, 15)
    lines = str(caught.value).splitlines()
    assert ["train/n01/n01_2.JPEG is not a usable image" in lines[0], "n02_0.JPEG is not" in lines[1]] == [True, True]
    assert len(lines) == 2
    with source_of(root, skip=["train/n01/n01_2.JPEG", "train/n02/n02_0.JPEG"]) as source:
        assert len(source.training) == 10
        source.read(0, 13)


def test_a_file_that_the_system_cannot_read_may_be_readable_again(root):
    (root / "train" / "n01" / "n01_2.JPEG").unlink()
    with source_of(root) as source:
        (root / "train" / "n02" / "n02_1.JPEG").unlink()
        with pytest.raises(
            UnreadableImagesError,
            match=r"n02_1\.JPEG is not a usable image .*; run again, repair it or name it in skip",
        ):
            source.read(0, 14)


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda root: None, {"root": "/nowhere"}, "datasets.mine.root: there is no /nowhere; it must be a folder"),
        (
            lambda root: None,
            {"train": "training"},
            "there is no folder .*/training; it must hold a folder for each class",
        ),
        (lambda root: (root / "train" / "n04").mkdir(), {}, "there are no images in .*/n04; a class is a folder with"),
        (lambda root: save(root / "val" / "n09" / "a.png"), {}, "val has the class n09, but .*/train has no folder"),
        (lambda root: None, {"skip": ["train/x.jpg"]}, r"datasets.mine.skip: there is no file train/x.jpg in"),
        (lambda root: None, {"val_labels": "no.txt"}, "datasets.mine.val_labels: there is no file .*/no.txt"),
        (lambda root: (root / "l").write_text("val_n01.JPEG 3"), {"val_labels": "l"}, "line 1: 3 is neither a class"),
        (lambda root: (root / "l").write_text("val_n01.JPEG ²"), {"val_labels": "l"}, "line 1: ² is neither a class"),
        (
            lambda root: (root / "l").write_text("val_n01.JPEG 0"),
            {"val_labels": "l"},
            "no line for n02/val_n02.JPEG and 1",
        ),
        (lambda root: (root / "l").write_text("x.JPEG 0"), {"val_labels": "l"}, "l, line 1: no image x.JPEG in"),
        (lambda root: (root / "l").write_text("1\n2\n"), {"val_labels": "l"}, "has 2 lines, but there are 3 images"),
        (
            lambda root: (root / "l").write_text("1\n0\n2\n"),
            {"val_labels": "l"},
            "line 2: 0 is not a class number of I",
        ),
        (lambda root: (root / "a.tar").write_text("x" * 999), {"root": "a.tar"}, "a.tar cannot be unpacked"),
    ],
)
def test_what_is_wrong_is_said(root, monkeypatch, change, settings, message):
    monkeypatch.chdir(root)
    change(root)
    with pytest.raises(StoreError, match=message), source_of(root, **settings):
        pass


def test_a_class_without_validation_images_is_named(root, tmp_path):
    (root / "val" / "n02" / "val_n02.JPEG").unlink()
    with (
        source_of(root) as source,
        pytest.raises(StoreError, match="mine: the validation set has no image of n02"),
    ):
        build_store(source, tmp_path / "store")
