from dataclasses import replace

import numpy as np
import pytest

from support import Patterns
from transferability.store import LABELS, STORE_FILES, ImageClass, StoreError, build_store, checksum, open_store


def test_a_store_holds_what_the_source_gave(store_folder):
    source, store = Patterns(), open_store(store_folder)
    samples = [*source.training, *source.validation]
    assert np.array_equal(store.images, source.read(0, len(samples)))
    assert store.labels.tolist() == [sample.label for sample in samples]
    assert store.classes == source.classes
    assert store.training_count == len(source.training)
    assert store.image_shape == source.image_shape
    assert np.allclose(store.mean, store.images[store.training].mean(axis=0))


def test_the_mean_is_of_training_images_only(store_folder):
    store = open_store(store_folder)
    assert not np.allclose(store.mean, store.images.mean(axis=0))


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_the_same_data_make_the_same_bytes_in_any_chunks(store_folder, tmp_path, chunk):
    build_store(Patterns(), tmp_path, chunk=chunk)
    for name in STORE_FILES:
        assert (tmp_path / name).read_bytes() == (store_folder / name).read_bytes()


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


def test_a_source_that_fails_leaves_no_file(tmp_path):
    class Failing(Patterns):
        def read(self, start, stop):
            raise OSError("unreadable")

    with pytest.raises(OSError, match="unreadable"):
        build_store(Failing(), tmp_path)
    assert not list(tmp_path.iterdir())
