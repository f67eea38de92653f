"""Probes of made-up features, for which the answer is known."""

import numpy as np
import pytest
import torch

from transferability.proxies.features import MOST_FEATURES, rows_of
from transferability.proxies.moments import Moments, Standardization
from transferability.proxies.probes import PASSES, REGULARIZATIONS, Probe, best_regularization

CLASSES = 3


def drawn(seed, images=300, dimension=5, noise=0.3):
    """Features around a center for each class, and one that never varies."""
    random = np.random.default_rng(seed)
    targets = random.permutation(images) % CLASSES
    centers = np.random.default_rng(0).normal(size=(CLASSES, dimension))
    rows = centers[targets] + noise * random.normal(size=(images, dimension))
    rows = np.concatenate([rows, np.full((images, 1), 7.0)], axis=1)
    return torch.from_numpy(rows).float(), torch.from_numpy(targets)


def moments_of(rows, targets, batch=64):
    moments = Moments(rows.shape[1], CLASSES)
    for start in range(0, len(rows), batch):
        moments.add(rows[start : start + batch], targets[start : start + batch])
    return moments


def fitted(rows, targets, order=slice(None), batch=64, regularizations=REGULARIZATIONS, passes=PASSES):
    standard = Standardization.of(moments_of(rows, targets))
    probe = Probe(standard, regularizations)
    members = torch.nn.functional.one_hot(targets, CLASSES).float()
    starts = np.arange(0, len(rows), batch)[order]
    for _ in range(passes):
        for start in starts:
            part = slice(start, start + batch)
            probe.add(standard.applied(rows[part]), members[part])
        probe.step()
    return standard, probe


def test_a_probe_tells_classes_that_lines_part_and_is_no_better_on_shuffled_ones():
    (rows, targets), (others, their_targets) = drawn(1), drawn(2)
    standard, probe = fitted(rows, targets)
    assert (probe.classes_of(standard.applied(others)) == their_targets).float().mean() > 0.95
    assert (standard.nearest_center(standard.applied(others)) == their_targets).float().mean() > 0.95
    standard, probe = fitted(rows, targets[torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))])
    assert (probe.classes_of(standard.applied(others)) == their_targets).float().mean() < 0.6


def test_a_probe_goes_to_the_regularized_minimum():
    """It is the minimum of the mean cross-entropy plus half the squared weights, by torch's own optimizer."""
    rows, targets = drawn(3, noise=1.0)
    standard, probe = fitted(rows, targets, regularizations=[0.01], passes=300)
    features = standard.applied(rows)
    weights = torch.zeros(rows.shape[1], CLASSES, requires_grad=True)
    bias = torch.zeros(CLASSES, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=500, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        scores = features @ weights + bias
        value = torch.nn.functional.cross_entropy(scores, targets) + 0.005 * weights.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    assert torch.allclose(probe._weights[:-1, 0].float(), weights.detach(), atol=1e-3)


def test_the_order_and_size_of_batches_do_not_matter():
    rows, targets = drawn(4)
    _, one = fitted(rows, targets)
    _, other = fitted(rows, targets, order=slice(None, None, -1))
    _, single = fitted(rows, targets, batch=len(rows))
    assert torch.allclose(one._weights, other._weights, atol=1e-5)
    assert torch.allclose(one._weights, single._weights, atol=1e-5)


def test_a_probe_goes_on_with_the_regularization_that_is_chosen():
    rows, targets = drawn(5)
    standard, probe = fitted(rows, targets)
    before = probe.classes_of(standard.applied(rows))
    probe.only(1)
    assert probe.regularizations == (REGULARIZATIONS[1],)
    assert torch.equal(probe.classes_of(standard.applied(rows)), before[1:2])


def test_the_largest_of_equally_good_regularizations_is_taken():
    assert best_regularization([3, 5, 5]) == 2
    assert best_regularization([6, 5, 5]) == 0
    assert best_regularization([0, 0, 0]) == 2


def test_features_are_standardized_on_the_images_they_were_seen_on_and_constants_are_nothing():
    rows, targets = drawn(6)
    standardized = Standardization.of(moments_of(rows, targets)).applied(rows)
    assert torch.allclose(standardized[:, :-1].mean(0), torch.zeros(5), atol=1e-5)
    assert torch.allclose(standardized[:, :-1].std(0, unbiased=False), torch.ones(5), atol=1e-5)
    assert (standardized[:, -1] == 0).all()


def test_a_class_without_images_is_the_nearest_of_none():
    rows, targets = drawn(7)
    there = targets != 1
    standard = Standardization.of(moments_of(rows[there], targets[there]))
    assert not (standard.nearest_center(standard.applied(rows)) == 1).any()


def test_dead_units_and_directions_are_counted():
    images = 4000
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(images, 8))).float()
    targets = torch.zeros(images, dtype=torch.int64)
    rows[:, 6:] = 0.0
    moments = moments_of(rows, targets)
    assert moments.dead_units == 0.25
    assert moments.effective_dimension == pytest.approx(6, rel=0.02)
    line = rows[:, :1] * torch.arange(1.0, 9.0)
    assert moments_of(line, targets).effective_dimension == pytest.approx(1)
    assert moments_of(torch.zeros(10, 3), targets[:10]).effective_dimension == 0
    assert moments_of(torch.zeros(10, 3), targets[:10]).dead_units == 1


@pytest.mark.parametrize(
    ("shape", "pooled", "flattened"),
    [
        ((2, 6), None, 6),
        ((2, 8, 3, 3), 8, 72),
        ((2, 96, 27, 27), 96, 96 * 6 * 6),
        ((2, 7, 7, 96), 96, 96 * 6 * 6),  # maps with the channels last
        ((2, 17, 12), 12, 204),  # tokens
        ((2, 197, 192), 192, 192 * 21),
        ((2, 16, 4, 5, 6), 16, 16 * 120),  # maps with three sides
        ((2, 16, 4, 9, 9), 16, MOST_FEATURES),
    ],
)
def test_features_of_any_shape_become_rows(shape, pooled, flattened):
    """Each channel varies around a level of its own, so a coarser grid has nearly the same mean as all positions."""
    features = 0.1 * torch.rand(shape, generator=torch.Generator().manual_seed(0))
    if pooled:
        features += torch.arange(pooled).reshape(*(pooled if side == pooled else 1 for side in shape))
    rows = rows_of(features)
    assert rows["flattened"].shape == (2, flattened)
    assert ("pooled" in rows) == (pooled is not None)
    if pooled:
        assert rows["pooled"].shape == (2, pooled)
        places = rows["flattened"].unflatten(1, (pooled, -1)).mean(2)
        assert torch.allclose(places, rows["pooled"], atol=0.05)


@pytest.mark.parametrize("shape", [(60, 25_088), (60, 2 * MOST_FEATURES + 5, 2, 2)])
def test_more_features_than_fit_are_projected_and_keep_their_distances(shape):
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    rows, again = rows_of(features), rows_of(features.clone())
    for kind, found in rows.items():
        whole = features if features.ndim == 2 else features.flatten(2).mean(2)
        assert found.shape == (60, MOST_FEATURES)
        assert torch.equal(found, again[kind])
        ratios = torch.pdist(found) / torch.pdist(whole)
        assert ratios.mean() == pytest.approx(1, abs=0.02)
        assert ratios.std() < 0.05
