from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import normalize

from transferability.data.stream import (
    Crops,
    EvaluationSet,
    GPUImages,
    HostImages,
    ImageLoader,
    TrainingStream,
    less_mean_on_gpu,
    less_mean_on_host,
)
from transferability.data.tasks import Task
from transferability.store.reading import open_store
from transferability.study.settings import Preprocessing

WHOLE_IMAGE = Preprocessing(crop=0, mirror=False, mean="whole", scale=64.0)
CROPPED = Preprocessing(crop=11, mirror=True, mean="own", scale=64.0)
CPU = torch.device("cpu")


@pytest.fixture
def store(store_folder):
    return open_store(store_folder)


def mean_of_all(store):
    return store.mean_image(range(len(store.classes)))


def loader(store, preprocessing=WHOLE_IMAGE, part=None, **how):
    part = part or store.training
    return ImageLoader(store, np.arange(part.start, part.stop), mean_of_all(store), preprocessing, CPU, **how)


def stream(store, batch_size, *seed, preprocessing=WHOLE_IMAGE):
    """A stream whose targets tell which image it was."""
    return TrainingStream(loader(store, preprocessing), np.arange(store.training_count), batch_size, *seed)


def as_network_sees(store, position, top, left, side, mirrored=False):
    image = (store.images[position].astype(np.float32) - mean_of_all(store))[top : top + side, left : left + side]
    return (image[:, ::-1] if mirrored else image).transpose(2, 0, 1) / 64


@pytest.mark.parametrize("batch_size", [5, 8, 72, 100])
def test_every_epoch_shows_every_image_once(store, batch_size):
    count = store.training_count
    one = stream(store, batch_size, "seed")
    seen = np.concatenate([one.batch(i)[1].numpy() for i in range(-(-4 * count // batch_size))])
    epochs = [seen[start : start + count] for start in range(0, 4 * count, count)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])


def test_the_order_of_an_epoch_is_drawn_once(store, monkeypatch):
    drawn = []
    original = TrainingStream._order

    def spy(self, epoch):
        drawn.append(epoch)
        return original(self, epoch)

    monkeypatch.setattr(TrainingStream, "_order", spy)
    one = stream(store, 10, "seed")
    for i in range(3 * store.training_count // 10):
        one.batch(i)
    assert drawn[:3] == [0, 1, 2]
    assert len(drawn) == len(set(drawn))


def test_a_batch_is_a_function_of_its_number_alone(store):
    preprocessing = Preprocessing(crop=12, mirror=True, mean="whole", scale=64.0)
    forward, backward = (stream(store, 10, "seed", preprocessing=preprocessing) for _ in range(2))
    in_order = {i: forward.batch(i) for i in range(20)}
    for i in reversed(range(20)):
        images, targets = backward.batch(i)
        assert torch.equal(images, in_order[i][0])
        assert torch.equal(targets, in_order[i][1])


def test_another_seed_another_order(store):
    assert not torch.equal(stream(store, 50, 0, "A").batch(0)[1], stream(store, 50, 0, "B").batch(0)[1])


def test_whole_images_are_the_stores_less_the_mean(store):
    images, which = stream(store, 16, 0).batch(3)
    for image, position in zip(images.numpy(), which.tolist(), strict=True):
        assert np.allclose(image, as_network_sees(store, position, 0, 0, 16))
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_crops_are_pieces_of_the_image_less_the_mean_at_the_same_place(store):
    images, which = stream(store, 64, 0, preprocessing=Preprocessing(14, mirror=True, mean="whole", scale=64.0)).batch(
        0
    )
    places = Counter()
    for image, position in zip(images.numpy(), which.tolist(), strict=True):
        matches = [
            (top, left, mirrored)
            for top in range(3)
            for left in range(3)
            for mirrored in (False, True)
            if np.allclose(image, as_network_sees(store, position, top, left, 14, mirrored))
        ]
        assert len(matches) == 1
        places.update(matches)
    assert {top for top, _, _ in places} == {0, 1, 2}
    assert {left for _, left, _ in places} == {0, 1, 2}
    assert {mirrored for _, _, mirrored in places} == {False, True}


def test_validation_sees_the_center_unmirrored_in_file_order(store):
    one = loader(store, Preprocessing(12, mirror=True, mean="whole", scale=64.0), store.validation)
    targets = store.labels[store.validation]
    batches = list(EvaluationSet(one, targets, 7).batches())
    images, labels = torch.cat([b[0] for b in batches]), torch.cat([b[1] for b in batches])
    assert labels.tolist() == targets.tolist()
    for offset, image in enumerate(images.numpy()):
        assert np.allclose(image, as_network_sees(store, store.training_count + offset, 2, 2, 12))


def test_images_of_color_keep_their_channels(store):
    images = store.images[:]
    color = np.concatenate([images, 255 - images, images // 2], axis=-1)
    labels = store.labels[store.training]
    sums = [color[store.training][labels == label].sum(axis=0) for label in range(len(store.classes))]
    colored = replace(store, images=color, class_sums=np.array(sums, dtype=np.uint32))
    images, which = stream(colored, 8, 0).batch(0)
    assert np.allclose(images[0].numpy(), as_network_sees(colored, int(which[0]), 0, 0, 16), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mean_and_std_of_numbers_are_torchvisions_normalize(store, channels):
    """Of pixels from 0 to 1, as its ToTensor gives them, cropped and mirrored or not."""
    mean, std = (0.485, 0.456, 0.406)[:channels], (0.229, 0.224, 0.225)[:channels]
    color = np.concatenate([store.images[:], 255 - store.images[:], store.images[:] // 2], axis=-1)[..., :channels]
    colored = replace(store, images=color)
    of_task = Task(colored, tuple(range(6)), "whole", "whole").mean_image(mean)
    for crop, mirror in ((0, False), (11, True)):
        preprocessing = Preprocessing(crop=crop, mirror=mirror, mean=mean, std=std)
        one = ImageLoader(colored, np.arange(30), of_task, preprocessing, CPU)
        crops = one.random_crops(np.arange(30), np.random.default_rng(0))
        side = crop or 16
        for i, image in enumerate(one.batch(crops)):
            pixels = color[i, crops.top[i] : crops.top[i] + side, crops.left[i] : crops.left[i] + side]
            wanted = normalize(torch.from_numpy(pixels).permute(2, 0, 1) / 255, mean, std)
            assert torch.allclose(image, wanted.flip(-1) if crops.mirrored[i] else wanted, atol=1e-5)


def test_a_mean_of_another_number_of_channels_is_refused():
    preprocessing = Preprocessing(0, mirror=False, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    with pytest.raises(ValueError, match=r"preprocessing: mean has 3 numbers, but the images have 1 channel"):
        preprocessing.seen_shape((16, 16, 1))


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match=r"crop is 20, but the images are 16 x 16 pixels"):
        Preprocessing(20, mirror=False, mean="whole", scale=1.0).seen_shape((16, 16, 1))


@pytest.mark.parametrize(
    "preprocessing", [WHOLE_IMAGE, CROPPED, replace(CROPPED, crop=0), replace(CROPPED, mirror=False)]
)
def test_images_read_from_the_store_are_the_same_as_those_in_memory(store, preprocessing):
    held, stored = (loader(store, preprocessing, store.validation, cache_bytes=size) for size in (1e9, 0))
    chosen = np.random.default_rng(0).permutation(len(held))
    crops = held.random_crops(chosen, np.random.default_rng(1))
    assert torch.equal(held.batch(crops), stored.batch(crops))
    assert torch.equal(held.batch(held.center_crops(chosen)), stored.batch(held.center_crops(chosen)))


@pytest.mark.parametrize("side", [11, 16])
def test_the_mean_is_taken_off_alike_on_a_cpu_and_a_gpu(store, side):
    """The GPU's way of doing it, run on the CPU."""
    random = np.random.default_rng(0)
    crops = Crops(*(random.integers(0, high, 20) for high in (60, 17 - side, 17 - side, 2)))
    pixels = torch.from_numpy(random.integers(0, 256, (20, side, side, 1), dtype=np.uint8))
    mean = torch.from_numpy(mean_of_all(store))
    assert torch.equal(less_mean_on_host(crops, pixels, mean), less_mean_on_gpu(crops, pixels, mean))


@pytest.mark.parametrize("side", [11, 16])
def test_images_held_in_a_gpus_memory_are_cut_alike(store, side):
    """The GPU's way of doing it, run on the CPU."""
    random = np.random.default_rng(0)
    positions = random.permutation(len(store.images))[:40]
    crops = Crops(*(random.integers(0, high, 20) for high in (40, 17 - side, 17 - side, 2)))
    about = (store.images, positions, (side, side, 1), CPU, True)
    assert torch.equal(GPUImages(*about).start(crops)(), HostImages(*about).start(crops)())
