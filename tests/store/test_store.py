import errno
import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from tests.support import Patterns
from transferability.data.build import LOCK, build_store
from transferability.data.stored_pixels import NOTES
from transferability.files import read_json, write_json
from transferability.store.reading import (
    CONTENT,
    DIGESTS,
    IMAGES,
    MANIFEST,
    SAME_IMAGES,
    SMALL,
    STORE_FILES,
    checksum,
    open_store,
    read_manifest,
)
from transferability.store.same_images import SameImages, of_manifest, same_images, shared_images
from transferability.store.source import ImageClass, StoreError, UnreadableImagesError


def test_a_store_holds_what_the_source_gave(store_folder):
    source, store = Patterns(), open_store(store_folder)
    samples = [*source.training, *source.validation]
    assert np.array_equal(store.images, source.read(0, len(samples)))
    assert store.labels.tolist() == [sample.label for sample in samples]
    assert store.classes == source.classes
    assert store.training_count == len(source.training)
    assert store.image_shape == source.image_shape


@pytest.mark.parametrize("classes", [[0, 1, 2, 3, 4, 5], [1, 4], [5]])
def test_the_mean_image_is_of_the_training_images_of_these_classes(store_folder, classes):
    store = open_store(store_folder)
    chosen = [i for i in range(store.training_count) if store.labels[i] in classes]
    expected = store.images[chosen].astype(np.float64).mean(axis=0).astype(np.float32)
    assert np.array_equal(store.mean_image(classes), expected)


def assert_same_store(one, other):
    assert sorted(path.name for path in one.iterdir()) == sorted([*STORE_FILES, LOCK])
    for name in (*CONTENT, DIGESTS, SAME_IMAGES):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    manifests = [{**read_manifest(folder), "source": None, "digest": None} for folder in (one, other)]
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_data_make_the_same_bytes_in_any_chunks_and_threads(store_folder, tmp_path, chunk, threads):
    build_store(Patterns(), tmp_path, chunk=chunk, threads=threads)
    assert_same_store(tmp_path, store_folder)


class Failing(Patterns):
    """Cannot read image 30, and notes what was read before."""

    def read(self, start, stop):
        if start <= 30 < stop:
            raise OSError("unreadable")
        return super().read(start, stop)


class Counting(Patterns):
    def read(self, start, stop):
        spans.append((start, stop))
        return super().read(start, stop)


spans: list[tuple[int, int]] = []


def interrupted_build(folder):
    with pytest.raises(OSError, match="unreadable"):
        build_store(Failing(), folder, chunk=10)


def test_a_source_that_fails_leaves_no_store(tmp_path):
    interrupted_build(tmp_path)
    assert not set(STORE_FILES) & {path.name for path in tmp_path.iterdir()}


def test_an_interrupted_build_goes_on_where_it_was(store_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Patterns, "__repr__", lambda _: "patterns")
    interrupted_build(tmp_path)
    written = {int(line) for line in (tmp_path / ".chunks.building").read_text().splitlines()[1:]}
    assert {0, 10, 20} <= written
    spans.clear()
    build_store(Counting(), tmp_path, chunk=10)
    assert spans == [(start, min(start + 10, 102)) for start in range(0, 102, 10) if start not in written]
    assert_same_store(tmp_path, store_folder)


def test_another_source_does_not_go_on_with_what_is_there(store_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Failing, "__repr__", lambda _: "another")
    interrupted_build(tmp_path)
    build_store(Patterns(), tmp_path, chunk=10)
    assert_same_store(tmp_path, store_folder)


def test_a_note_that_was_cut_off_does_not_count(store_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Patterns, "__repr__", lambda _: "patterns")
    interrupted_build(tmp_path)
    notes = tmp_path / ".chunks.building"
    notes.write_text(f"{notes.read_text()}4")  # of 40: chunk 40 was never written, chunk 4 does not exist
    build_store(Patterns(), tmp_path, chunk=10)
    assert_same_store(tmp_path, store_folder)


def test_a_note_that_was_cut_off_does_not_join_the_next(store_folder, tmp_path, monkeypatch):
    """The rest of a note, 1, and the note on chunk 0 must not be read as chunk 10, which was never written."""

    class FailingSoon(Patterns):
        def read(self, start, stop):
            if start > 0:
                raise OSError("unreadable")
            return super().read(start, stop)

    monkeypatch.setattr(Patterns, "__repr__", lambda _: "patterns")
    with pytest.raises(OSError, match="unreadable"):
        build_store(FailingSoon(), tmp_path, chunk=10)
    notes = tmp_path / ".chunks.building"
    first_line = notes.read_text().splitlines(keepends=True)[0]
    notes.write_text(f"{first_line}1")
    with pytest.raises(OSError, match="unreadable"):
        build_store(FailingSoon(), tmp_path, chunk=10)
    build_store(Patterns(), tmp_path, chunk=10)
    assert_same_store(tmp_path, store_folder)


def test_a_store_built_over_another_is_neither_until_it_is_whole(tmp_path, monkeypatch):
    build_store(Patterns(), tmp_path)

    def fails(*_arguments):
        raise OSError("no more")

    monkeypatch.setattr("transferability.data.build._write_tables", fails)
    with pytest.raises(OSError, match="no more"):
        build_store(Patterns(validation_per_class=6, training_per_class=11), tmp_path)
    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        open_store(tmp_path)


def test_a_read_that_fails_once_is_no_harm(store_folder, tmp_path):
    class FailingOnce(Patterns):
        failed = False

        def read(self, start, stop):
            if start == 30 and not FailingOnce.failed:
                FailingOnce.failed = True
                raise OSError(errno.EIO, "Input/output error")
            return super().read(start, stop)

    with pytest.raises(OSError, match="Input/output error"):
        build_store(FailingOnce(), tmp_path, chunk=10)
    build_store(FailingOnce(), tmp_path, chunk=10)
    assert_same_store(tmp_path, store_folder)


def test_unreadable_images_are_all_named_and_the_others_kept(tmp_path):
    class Holes(Patterns):
        def read(self, start, stop):
            bad = [i for i in (5, 31, 32) if start <= i < stop]
            if bad:
                raise UnreadableImagesError("\n".join(f"image {i}" for i in bad))
            return super().read(start, stop)

    with pytest.raises(UnreadableImagesError) as caught:
        build_store(Holes(), tmp_path, chunk=10)
    assert str(caught.value).splitlines() == ["image 31", "image 32", "image 5"]
    assert len((tmp_path / ".chunks.building").read_text().splitlines()) == 1 + 9


def test_a_disk_that_is_too_small_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StoreError, match=r"but only 0\.1 kB are free; set stores to a folder"):
        build_store(Failing(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_checksum_notices_one_changed_pixel(tmp_path):
    build_store(Patterns(), tmp_path)
    before = open_store(tmp_path).checksum
    assert checksum(tmp_path) == before
    flip_pixel(tmp_path, 3)
    assert checksum(tmp_path) != before


def flip_pixel(folder, position):
    images = np.load(folder / IMAGES, mmap_mode="r+")
    images[position, 2, 1, 0] ^= 1
    images.flush()


def test_files_that_do_not_fit_together_are_refused(tmp_path):
    build_store(Patterns(), tmp_path)
    np.save(tmp_path / IMAGES, np.zeros((3, 16, 16, 1), dtype=np.uint8))
    with pytest.raises(StoreError, match="do not have the shapes"):
        open_store(tmp_path)


def test_a_pickle_in_a_store_is_never_opened(tmp_path):
    build_store(Patterns(), tmp_path)
    np.save(tmp_path / IMAGES, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        open_store(tmp_path)


def test_a_class_without_validation_images_is_named(tmp_path):
    source = Patterns()
    object.__setattr__(source, "validation", tuple(s for s in source.validation if s.label != 2))
    with pytest.raises(StoreError, match="the validation set has no image of class 002"):
        build_store(source, tmp_path)


def test_classes_out_of_order_are_refused(tmp_path):
    source = replace(Patterns())
    object.__setattr__(source, "classes", (ImageClass("b"), ImageClass("a"), *source.classes[2:]))
    with pytest.raises(StoreError, match="distinct and sorted"):
        build_store(source, tmp_path)


@pytest.mark.parametrize("part", ["training", "validation"])
def test_names_that_no_table_can_hold_are_refused_before_anything_is_read(tmp_path, part):
    source = Failing()
    first, *others = getattr(source, part)
    object.__setattr__(source, part, (replace(first, file="caf\udce9.png"), *others))
    with pytest.raises(StoreError, match=rf"patterns: the {part} file caf\\xe9\.png has a name that is not in UTF-8"):
        build_store(source, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_class_whose_name_no_table_can_hold_is_refused(tmp_path):
    source = Failing()
    object.__setattr__(source, "classes", (*source.classes[:-1], ImageClass("n\udcff")))
    with pytest.raises(StoreError, match=r"patterns: the class n\\xff has a name that is not in UTF-8; rename it"):
        build_store(source, tmp_path)


class Slow(Patterns):
    """Keeps being read until it is told to continue."""

    def read(self, start, stop):
        under_way.set()
        assert go_on.wait(60)
        if failing:
            raise OSError("unreadable")
        return super().read(start, stop)

    def __repr__(self):
        return "patterns"


under_way, go_on, failing = threading.Event(), threading.Event(), []


@contextmanager
def being_built(folder, fails=False):
    """Within this block, another thread builds in the folder, with a descriptor and thus a lock of its own."""
    under_way.clear()
    go_on.clear()
    failing[:] = [True] * fails

    def build():
        if fails:
            with pytest.raises(OSError, match="unreadable"):
                build_store(Slow(), folder)
        else:
            build_store(Slow(), folder)

    other = threading.Thread(target=build)
    other.start()
    assert under_way.wait(60)
    yield
    go_on.set()
    other.join(60)


def build_beside(source, folder, **how):
    """The log of a build that finds another one under way, which continues once this has been noticed."""
    said = []

    def say(line):
        said.append(line)
        if "waiting for it" in line:
            go_on.set()

    with being_built(folder, **how):
        build_store(source, folder, say=say)
    return said


def test_two_builds_of_one_store_make_it_once(store_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Patterns, "__repr__", lambda _: "patterns")
    spans.clear()
    said = build_beside(Counting(), tmp_path)
    assert said[1:4] == [
        f"another process is building a store in {tmp_path}; waiting for it",
        f"there is a store of these images in {tmp_path}; checking all of it",
        "it is intact and is kept",
    ]
    assert not spans
    assert_same_store(tmp_path, store_folder)


@pytest.mark.parametrize("how", ["other source", "failed"])
def test_a_build_that_waited_in_vain_makes_its_own(store_folder, tmp_path, monkeypatch, how):
    monkeypatch.setattr(Counting, "__repr__", lambda _: "another" if how == "other source" else "patterns")
    spans.clear()
    said = build_beside(Counting(), tmp_path, fails=how == "failed")
    assert said[1] == f"another process is building a store in {tmp_path}; waiting for it"
    assert spans == [(0, 102)]
    for name in CONTENT:
        assert (tmp_path / name).read_bytes() == (store_folder / name).read_bytes()


class Files(Counting):
    """Images that may be replaced."""

    times: ClassVar[dict[int, int]] = {}

    def fingerprint(self, position):
        return str(self.times.get(position, 0))

    def __repr__(self):
        return "files"


@pytest.fixture
def files(tmp_path):
    Files.times = {}
    build_store(Files(), tmp_path)
    spans.clear()
    return tmp_path


def test_a_store_of_the_same_images_is_kept(files):
    before = {path.name: path.stat().st_mtime_ns for path in files.iterdir()}
    build_store(Files(), files)
    assert not spans
    assert {path.name: path.stat().st_mtime_ns for path in files.iterdir()} == before


def test_a_store_of_images_that_were_replaced_is_made_again(files):
    Files.times = {7: 1}
    build_store(Files(), files)
    assert spans == [(0, 102)]


@pytest.mark.parametrize("name", STORE_FILES)
def test_a_store_that_lost_a_file_is_made_again(files, store_folder, name):
    (files / name).unlink()
    build_store(Files(), files)
    # Of the manifest there is a copy.
    assert bool(spans) == (name not in (MANIFEST, SAME_IMAGES))
    for each in CONTENT:
        assert (files / each).read_bytes() == (store_folder / each).read_bytes()
    open_store(files)


@pytest.mark.parametrize("name", CONTENT)
def test_a_damaged_store_is_made_again(files, store_folder, name):
    content = bytearray((files / name).read_bytes())
    content[-2] ^= 1
    (files / name).write_bytes(content)
    build_store(Files(), files)
    assert spans == [(0, 102)]
    assert (files / name).read_bytes() == (store_folder / name).read_bytes()


def test_a_manifest_that_snakemake_put_back_is_replaced_by_that_of_the_store(files):
    """Snakemake does this for a failed job, while another one has built the store from other images."""
    old = (files / MANIFEST).read_bytes()
    Files.times = {7: 1}
    build_store(Files(), files)
    new = (files / MANIFEST).read_bytes()
    (files / MANIFEST).write_bytes(old)
    spans.clear()
    build_store(Files(), files)
    assert not spans
    assert (files / MANIFEST).read_bytes() == new


def test_an_interrupted_build_keeps_the_images_that_were_not_replaced(tmp_path, store_folder, monkeypatch):
    monkeypatch.setattr(Failing, "fingerprint", Files.fingerprint, raising=False)
    monkeypatch.setattr(Failing, "times", {}, raising=False)
    monkeypatch.setattr(Patterns, "__repr__", lambda _: "files")
    interrupted_build(tmp_path)
    written = {int(line) for line in (tmp_path / NOTES).read_text().splitlines()[1:]}
    assert {0, 10, 20} <= written
    spans.clear()
    Files.times = {12: 1}
    build_store(Files(), tmp_path, chunk=10)
    assert {start for start, _ in spans} == {*range(0, 102, 10)} - (written - {10})
    for name in CONTENT:
        assert (tmp_path / name).read_bytes() == (store_folder / name).read_bytes()


def test_what_two_builds_without_locks_make_of_a_store_is_noticed(tmp_path, monkeypatch):
    """The images on the disk are not those that were written there."""
    original = Patterns.read

    def read(self, start, stop):
        if start == 90:  # another process starts from the beginning
            images = np.load(tmp_path / ".images.npy.building", mmap_mode="r+")
            images[5] = 0
            images.flush()
        return original(self, start, stop)

    monkeypatch.setattr(Patterns, "read", read)
    with pytest.raises(StoreError, match="images there are not what was written"):
        build_store(Patterns(), tmp_path, chunk=10)
    monkeypatch.undo()
    build_store(Patterns(), tmp_path, chunk=10)
    assert np.array_equal(open_store(tmp_path).images[:], Patterns().read(0, 102))


class TestDamageAfterBuilding:
    """The damage leaves the size and time of files unchanged."""

    @pytest.mark.parametrize("positions", [[40], [3, 41, 40], [40, 40]])
    def test_a_damaged_image_is_named_when_it_is_read_and_the_others_are_not_in_its_way(self, tmp_path, positions):
        build_store(Patterns(), tmp_path)
        flip_pixel(tmp_path, 40)
        damaged = np.array(positions)
        for read in (lambda images: images[damaged], lambda images: images.once_checked(damaged)):
            store = open_store(tmp_path)
            assert len(store.images[np.array([1, 39, 41])]) == 3
            message = (
                rf"images\.npy: damaged \(image 40, training 40, is not what was written\); delete {tmp_path} to have "
                "the store built again"
            )
            with pytest.raises(StoreError, match=message):
                read(store.images)

    def test_an_image_is_checked_once(self, tmp_path):
        build_store(Patterns(), tmp_path)
        store = open_store(tmp_path)
        before = store.images[:]
        flip_pixel(tmp_path, 40)  # nothing notices this, as the documentation says
        assert (store.images.once_checked(np.array([40]))[40] != before[40]).sum() == 1

    def test_a_damaged_sum_of_a_class_is_noticed_when_it_is_used(self, tmp_path):
        build_store(Patterns(), tmp_path)
        sums = np.load(tmp_path / "class_sums.npy", mmap_mode="r+")
        sums[3, 2, 1, 0] ^= 1
        sums.flush()
        store = open_store(tmp_path)
        store.mean_image([0, 1, 2, 4])
        with pytest.raises(StoreError, match=r"class_sums\.npy: damaged \(the sum of class 003 is not"):
            store.mean_image([2, 3])

    @pytest.mark.parametrize("name", [*CONTENT, DIGESTS])
    def test_a_file_that_is_gone_is_named_with_what_to_do(self, tmp_path, name):
        build_store(Patterns(), tmp_path)
        (tmp_path / name).unlink()
        with pytest.raises(StoreError, match=rf"{name}: damaged \(it is missing\); delete {tmp_path}"):
            open_store(tmp_path)

    @pytest.mark.parametrize("name", SMALL)
    @pytest.mark.parametrize("at", [-1, -9])
    def test_damaged_small_files_are_refused(self, tmp_path, name, at):
        build_store(Patterns(), tmp_path)
        content = bytearray((tmp_path / name).read_bytes())
        content[at] ^= 1
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StoreError, match=f"{name}: damaged"):
            open_store(tmp_path)

    @pytest.mark.parametrize("key", ["training", "name", "checksum", "same_images", "source", "sha256"])
    def test_any_other_content_of_the_manifest_is_refused(self, tmp_path, key):
        build_store(Patterns(), tmp_path)
        manifest = read_json(tmp_path / MANIFEST)
        write_json(tmp_path / MANIFEST, manifest | {key: manifest["classes"]})
        with pytest.raises(StoreError, match=r"manifest\.json: damaged"):
            open_store(tmp_path)

    def test_every_digest_is_compared(self, tmp_path):
        build_store(Patterns(), tmp_path)
        for position in range(102):
            flip_pixel(tmp_path, position)
            with pytest.raises(StoreError, match=f"image {position}, "):
                open_store(tmp_path).images[:]
            flip_pixel(tmp_path, position)
        open_store(tmp_path).images[:]


class Repeated(Patterns):
    """Repeats some images, and counts what is read."""

    same: ClassVar[dict[int, int]] = {}

    def read(self, start, stop):
        spans.append((start, stop))
        original = super().read(0, 102)
        return np.stack([original[self.same.get(i, i)] for i in range(start, stop)])

    def __repr__(self):
        return f"repeated {self.same}"


TRAINING = 72


@pytest.fixture
def repeated():
    """Validation images 0 and 7 are training images, the one of another class; and training image 9 repeats 3."""
    Repeated.same = {TRAINING: 6, TRAINING + 7: 2, 9: 3}
    return Repeated()


class TestTheSameImage:
    REFUSED = (
        r"datasets\.patterns: 2 validation images are in training too, pixel by pixel \(validation 7 is training 2, "
        r"validation 0 is training 6; .*same_images\.csv lists them\).* duplicates: allow"
    )

    def test_in_training_and_validation_is_refused(self, tmp_path, repeated):
        with pytest.raises(StoreError, match=self.REFUSED):
            build_store(repeated, tmp_path)
        assert not (tmp_path / MANIFEST).exists()
        assert (tmp_path / SAME_IMAGES).read_text().splitlines() == [
            "part,class,file,same_as_part,same_as_class,same_as_file",
            "validation,class 001,validation 7,training,class 002,training 2",
            "training,class 003,training 9,training,class 003,training 3",
            "validation,class 000,validation 0,training,class 000,training 6",
        ]

    def test_is_told_where_it_is_allowed(self, tmp_path, repeated):
        said = []
        build_store(repeated, tmp_path, duplicates="allow", say=said.append)
        manifest = read_manifest(tmp_path)
        examples = [["validation 7", "training 2"], ["validation 0", "training 6"]]
        assert of_manifest(manifest) == SameImages(2, 1, 0, 2, examples)
        assert said[-1] == shared_images(manifest)
        assert shared_images(manifest).split("; ") == [
            "2 validation images are in training too and cannot test what was learned",
            "1 training image is repeated",
            "2 images are in several classes",
        ]

    def test_a_refused_build_keeps_what_was_read(self, tmp_path, repeated):
        with pytest.raises(StoreError, match="in training too"):
            build_store(repeated, tmp_path)
        spans.clear()
        build_store(repeated, tmp_path, duplicates="allow")
        assert not spans

    def test_a_refused_build_goes_on_without_the_images_that_were_removed(self, tmp_path, repeated):
        with pytest.raises(StoreError, match="in training too"):
            build_store(repeated, tmp_path, chunk=10)
        spans.clear()
        kept = [i for i in range(102) if i not in (TRAINING, TRAINING + 7)]
        fewer = Repeated()
        pixels = Repeated().read(0, 102)[kept]
        validation = tuple(s for i, s in enumerate(fewer.validation) if i not in (0, 7))
        object.__setattr__(fewer, "validation", validation)
        spans.clear()
        build_store(fewer, tmp_path, chunk=10)
        assert not spans
        assert np.array_equal(open_store(tmp_path).images[:], pixels)

    def test_a_store_that_one_study_allows_is_refused_to_one_that_does_not(self, tmp_path, repeated):
        build_store(repeated, tmp_path, duplicates="allow")
        with pytest.raises(StoreError, match=self.REFUSED):
            build_store(repeated, tmp_path)
        open_store(tmp_path)

    def test_within_one_part_is_no_reason_to_refuse(self, tmp_path):
        Repeated.same = {9: 3, 10: 3, TRAINING + 1: TRAINING}
        build_store(Repeated(), tmp_path)
        found = of_manifest(read_manifest(tmp_path))
        assert found == SameImages(0, 2, 1, 5, [])

    @pytest.mark.parametrize("count", [0, 1, 5, 300])
    def test_groups_are_those_of_equal_digests(self, count):
        digests = np.random.default_rng(count).integers(0, 2, (count, 16), dtype=np.uint8)
        digests[:, 6:] = 0
        expected = {}
        for i, digest in enumerate(digests):
            expected.setdefault(digest.tobytes(), []).append(i)
        expected = [group for group in expected.values() if len(group) > 1]
        assert [group.tolist() for group in same_images(digests)] == expected
