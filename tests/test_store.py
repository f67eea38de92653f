import errno
import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from support import Patterns
from transferability.files import lock_file
from transferability.store import (
    LABELS,
    LOCK,
    STORE_FILES,
    ImageClass,
    StoreError,
    UnreadableImagesError,
    build_store,
    checksum,
    open_store,
)


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
    for name in STORE_FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes()


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
    """The rest of a note, 1, and the note on chunk 0 must not come to stand for chunk 10, which was never written."""

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

    monkeypatch.setattr("transferability.store._class_sums", fails)
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


def test_classes_without_names_are_refused(tmp_path):
    build_store(Patterns(), tmp_path)
    classes = tmp_path / "classes.csv"
    classes.write_text(classes.read_text().replace("name", "title"))
    with pytest.raises(StoreError, match=r"classes\.csv: damaged \(a class has no name or no group\)"):
        open_store(tmp_path)


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
    with pytest.raises(StoreError, match=r"but only 0\.0 GB are free; set stores to a folder"):
        build_store(Failing(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_checksum_notices_one_changed_pixel(tmp_path):
    build_store(Patterns(), tmp_path)
    before = open_store(tmp_path).checksum
    assert checksum(tmp_path) == before
    images = np.load(tmp_path / "images.npy", mmap_mode="r+")
    images[3, 2, 1, 0] ^= 1
    images.flush()
    assert checksum(tmp_path) != before


def test_files_that_do_not_fit_together_are_refused(tmp_path):
    build_store(Patterns(), tmp_path)
    np.save(tmp_path / LABELS, np.zeros(3, dtype=np.int64))
    with pytest.raises(StoreError, match="do not have the shapes"):
        open_store(tmp_path)


def test_a_pickle_in_a_store_is_never_opened(tmp_path):
    build_store(Patterns(), tmp_path)
    np.save(tmp_path / LABELS, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
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
    """Is being read until it is told to go on."""

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
    """While another, who has a descriptor and so a lock of its own, builds there; it ends with the block."""
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
    """What is said by a build that finds another under way, which goes on once that is noticed."""
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
    assert said[1:] == [
        f"another process is building a store in {tmp_path}; waiting for it",
        f"the other process has built this store in {tmp_path}, which is kept",
    ]
    assert not spans
    assert_same_store(tmp_path, store_folder)


@pytest.mark.parametrize("how", ["other source", "failed"])
def test_a_build_that_waited_in_vain_makes_its_own(store_folder, tmp_path, monkeypatch, how):
    monkeypatch.setattr(Counting, "__repr__", lambda _: "another" if how == "other source" else "patterns")
    spans.clear()
    said = build_beside(Counting(), tmp_path, fails=how == "failed")
    assert said[1:] == [f"another process is building a store in {tmp_path}; waiting for it"]
    assert spans == [(0, 102)]
    assert_same_store(tmp_path, store_folder)


def test_a_store_that_is_asked_for_again_is_built_again(tmp_path):
    """Whoever deletes none of it, as one who calls the library, may have changed the images."""
    build_store(Counting(), tmp_path)
    spans.clear()
    build_store(Counting(), tmp_path)
    assert spans == [(0, 102)]


def test_a_store_that_lost_a_file_while_it_was_awaited_is_built_again(store_folder, tmp_path):
    """Snakemake deletes what a job is to make before it runs it."""
    build_store(Patterns(), tmp_path)
    held = lock_file(tmp_path / LOCK, "held")

    def say(line):
        if "waiting for it" in line:
            (tmp_path / LABELS).unlink()
            os.close(held)

    build_store(Patterns(), tmp_path, say=say)
    assert_same_store(tmp_path, store_folder)


def test_a_store_that_is_being_built_again_counts_as_none(tmp_path, monkeypatch):
    monkeypatch.setattr(Patterns, "__repr__", lambda _: "patterns")
    build_store(Patterns(), tmp_path)
    assert (tmp_path / LOCK).read_text()
    interrupted_build(tmp_path)
    assert not (tmp_path / LOCK).read_text()
