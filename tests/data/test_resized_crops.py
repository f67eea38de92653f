"""Random rectangles, scaled to what the network sees."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from transferability.data.resized_crops import Rectangles, ResizedCropLoader, random_rectangles, resized
from transferability.data.stream import ImageLoader, TrainingStream
from transferability.store.reading import open_store
from transferability.study.settings import Preprocessing, RandomResizedCrop

CPU = torch.device("cpu")
USUAL = RandomResizedCrop(scale=(0.08, 1.0), ratio=(0.75, 4 / 3))
WHOLE = RandomResizedCrop(scale=(1.0, 1.0), ratio=(1.0, 1.0))
PLAIN = Preprocessing(crop=0, mirror=False, mean="own", scale=64.0)
RESIZED = Preprocessing(crop=11, mirror=True, mean="own", scale=64.0, random_resized_crop=USUAL)


@pytest.fixture
def store(store_folder):
    return open_store(store_folder)


def loader(store, preprocessing, kind=ResizedCropLoader, **how):
    mean = store.mean_image(range(len(store.classes)))
    return kind(store, np.arange(store.training_count), mean, preprocessing, CPU, **how)


def stream(store, preprocessing, *seed, **how):
    return TrainingStream(loader(store, preprocessing, **how), np.arange(store.training_count), 20, *seed)


def images(count=40, height=16, width=16, channels=3):
    made = torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0))
    return made.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(16, 16), (13, 40), (40, 13), (1, 1)])
@pytest.mark.parametrize("crop", [USUAL, WHOLE, RandomResizedCrop((0.001, 0.01), (0.2, 5.0))])
def test_rectangles_lie_within_the_image(crop, size):
    found = random_rectangles(crop, size, 500, np.random.default_rng(0))
    for start, length, side in ((found.top, found.height, size[0]), (found.left, found.width, size[1])):
        assert (start >= 0).all()
        assert (length >= 1).all()
        assert (start + length <= side).all()


def test_rectangles_have_the_areas_and_ratios_asked_for():
    found = random_rectangles(USUAL, (250, 250), 2000, np.random.default_rng(0))
    share, ratio = found.height * found.width / 62_500, found.width / found.height
    assert 0.079 < share.min() < 0.1
    assert 0.9 < share.max() <= 1.01
    assert (ratio.min(), ratio.max()) == pytest.approx((0.75, 4 / 3), abs=0.03)
    assert np.log(ratio).mean() == pytest.approx(0, abs=0.02)
    assert len(set(found.top)) > 50
    assert len(set(found.left)) > 50


@pytest.mark.parametrize(
    ("ratio", "size", "wanted"),
    [((0.5, 2.0), (10, 40), (10, 20)), ((0.5, 2.0), (40, 10), (20, 10)), ((1.2, 1.3), (13, 13), (11, 13))],
)
def test_where_none_fits_it_is_the_largest_of_such_a_ratio_in_the_center(ratio, size, wanted):
    found = random_rectangles(RandomResizedCrop((1.0, 1.0), ratio), size, 30, np.random.default_rng(0))
    assert set(zip(found.height, found.width, strict=True)) == {wanted}
    assert set(found.top) == {(size[0] - wanted[0]) // 2}
    assert set(found.left) == {(size[1] - wanted[1]) // 2}


def test_the_same_generator_draws_the_same_rectangles():
    one, same, other = (random_rectangles(USUAL, (16, 16), 50, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(same).values(), strict=True))
    assert not np.array_equal(one.top, other.top)


@pytest.mark.parametrize("size", [(16, 16), (11, 11), (24, 9)])
def test_rectangles_are_scaled_as_torch_scales_their_cut_out_pixels(size):
    given = images(height=20)
    found = random_rectangles(USUAL, (20, 16), len(given), np.random.default_rng(0))
    mirrored = np.arange(len(given)) % 2
    result = resized(given, found, mirrored, size)
    assert result.is_contiguous(memory_format=torch.channels_last)
    for i, image in enumerate(result):
        rows = slice(found.top[i], found.top[i] + found.height[i])
        columns = slice(found.left[i], found.left[i] + found.width[i])
        cut = given[i : i + 1, :, rows, columns]
        wanted = functional.interpolate(cut, size, mode="bilinear", align_corners=False)[0]
        assert torch.allclose(image, wanted.flip(-1) if mirrored[i] else wanted, atol=1e-5)


def test_a_rectangle_of_the_size_seen_is_cut_out_to_the_bit():
    given, count = images(), 40
    top, left = np.arange(count) % 5, np.arange(count) % 7
    every = Rectangles(top, left, np.full(count, 12), np.full(count, 10))
    result = resized(given, every, np.zeros(count, dtype=np.int64), (12, 10))
    for i, image in enumerate(result):
        assert torch.equal(image, given[i, :, top[i] : top[i] + 12, left[i] : left[i] + 10])


def test_all_of_an_image_at_its_own_size_is_the_image(store):
    plain = TrainingStream(loader(store, PLAIN, ImageLoader), np.arange(store.training_count), 20, "seed")
    whole = stream(store, replace(PLAIN, random_resized_crop=WHOLE), "seed")
    for one, other in zip(plain.batch(2), whole.batch(2), strict=True):
        assert torch.equal(one, other)


def test_a_batch_is_a_function_of_its_number_and_the_seed_alone(store):
    forward, backward, other = (stream(store, RESIZED, seed) for seed in ("seed", "seed", "other"))
    batches = [forward.batch(i) for i in range(12)]
    assert not torch.equal(other.batch(0)[0], batches[0][0])
    for i in reversed(range(12)):
        assert all(map(torch.equal, backward.batch(i), batches[i]))
        assert batches[i][0].shape == (20, 1, 11, 11)


def test_images_read_from_the_store_are_the_same_as_those_in_memory(store):
    one, other = (stream(store, RESIZED, "seed", cache_bytes=cached).batch(3)[0] for cached in (0.0, 1e9))
    assert torch.equal(one, other)


def test_what_is_evaluated_is_cut_from_the_center_all_the_same(store):
    """By the loader that evaluations have, whether training resizes or not."""
    chosen = np.arange(9)
    one, other = (
        loader(store, preprocessing, ImageLoader)
        for preprocessing in (RESIZED, replace(RESIZED, random_resized_crop=None))
    )
    assert torch.equal(one.batch(one.center_crops(chosen)), other.batch(other.center_crops(chosen)))
