"""Similarity is 1 for features that are the same except for a rotation, and around 0 for independent ones."""

import math

import numpy as np
import pytest
import torch

from transferability.proxies.similarity import Similarity, exchanges


def normal(seed, images, dimension):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(images, dimension))).float()


def similarity(x, y, batch=100, reverse=False):
    found, random = Similarity(), np.random.default_rng(0)
    batches = [slice(start, start + batch) for start in range(0, len(x), batch)]
    for part in reversed(batches) if reverse else batches:
        found.add(x[part], y[part], exchanges(len(x[part]), random))
    return found


def test_rotated_shifted_and_scaled_features_are_the_same():
    x = normal(1, 400, 20)
    rotation, _ = torch.linalg.qr(normal(2, 20, 20))
    assert similarity(x, 3 * x @ rotation + 5).value == pytest.approx(1, abs=1e-5)


def test_independent_features_of_many_dimensions_are_around_zero():
    """The biased estimate from as many images would be close to 1."""
    values = [similarity(normal(seed, 400, 300), normal(100 + seed, 400, 300)) for seed in range(10)]
    assert abs(np.mean([one.value for one in values])) < 0.01
    assert all(0 < one.independent < 0.05 for one in values)
    assert sum(one.value > one.independent for one in values) <= 2


def test_half_shared_features_are_between():
    shared = normal(1, 800, 10)
    x, y = (torch.cat([shared, normal(seed, 800, 10)], dim=1) for seed in (2, 3))
    found = similarity(x, y)
    assert found.value == pytest.approx(0.5, abs=0.05)
    assert found.independent < 0.1


def test_the_order_of_batches_does_not_matter_and_few_images_are_no_batch():
    x, y = normal(1, 302, 20), normal(2, 302, 20)
    assert similarity(x, y).value == pytest.approx(similarity(x, y, reverse=True).value, abs=1e-9)
    assert similarity(x, y).value == pytest.approx(similarity(x[:300], y[:300]).value, abs=1e-9)


def test_of_what_does_not_vary_there_is_none():
    assert math.isnan(similarity(torch.zeros(50, 3), normal(1, 50, 3)).value)
