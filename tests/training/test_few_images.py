"""Networks on few images per class: which they see, which base they copy from, and how long they train."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file
from torch import equal

from tests.support import files_in
from transferability.data.tasks import TooFewImagesError
from transferability.files import read_json
from transferability.inspection.findings import failures
from transferability.inspection.network_check import NetworkCheck
from transferability.records.checkpoints import CheckpointError
from transferability.study.names import Network
from transferability.study.settings import EPOCHS
from transferability.training.recipe import digest_of, identity_of
from transferability.training.train import train


@pytest.fixture
def by_epochs(recipe):
    return replace(recipe, settings=recipe.settings.on_few_images(EPOCHS))


def trained(recipe, running, folder, name, source=None):
    """Train one network, and return its files."""
    ((network, files),) = files_in(folder, name).items()
    train(recipe, {network: files}, source, running)
    return files


def test_all_treatments_of_a_seed_see_the_same_images(recipe):
    seen = [
        recipe.task_of(Network.parse(name)).training()[0]
        for name in ("baseB_images3", "B3B_images3", "A1B+_images3", "R7B_images3", "A3B_preserve2_images3")
    ]
    assert all(np.array_equal(seen[0], other) for other in seen[1:])
    more = recipe.task_of(Network.parse("A1B_images5")).training()[0]
    of_all = recipe.task_of(Network.parse("A1B")).training()[0]
    assert {*seen[0]} < {*more} < {*of_all}
    other_seed = replace(recipe, seed=1).task_of(Network.parse("baseB_images3")).training()[0]
    assert not np.array_equal(seen[0], other_seed)


def test_a_selffer_copies_from_the_base_on_its_images_and_transfer_from_one_on_all(recipe, running, tmp_path):
    few = trained(recipe, running, tmp_path, "baseB_images3").checkpoint
    other = trained(recipe, running, tmp_path, "baseA").checkpoint
    selffer = trained(recipe, running, tmp_path, "B3B_images3", few)
    transfer = trained(recipe, running, tmp_path, "A3B_images3", other)
    for files, source in ((selffer, few), (transfer, other)):
        weights, copied = load_file(files.checkpoint), load_file(source)
        assert all(equal(weights[f"conv{n}.0.weight"], copied[f"conv{n}.0.weight"]) for n in (1, 2, 3))
        assert not failures([*NetworkCheck(recipe, files).findings(evaluated=True)])
        metrics = read_json(files.metrics)
        assert (metrics["examples_per_class"], metrics["iterations"]) == (3, 24)
        assert metrics["training_images_evaluated"] == 9
        assert metrics["validation_images"] == 15
    on_all = trained(recipe, running, tmp_path, "baseB").checkpoint
    with pytest.raises(CheckpointError):
        trained(recipe, running, tmp_path, "B4B_images3", on_all)


def test_with_as_many_epochs_iterations_are_by_the_share_of_the_images(by_epochs, running, tmp_path):
    """With 3 of 12 images per class, there are a quarter of 24 iterations, with as many evaluations."""
    files = trained(by_epochs, running, tmp_path, "baseB_images3")
    metrics = read_json(files.metrics)
    assert (metrics["iterations"], metrics["evaluations"]) == (6, 3)
    assert not failures([*NetworkCheck(by_epochs, files).findings(evaluated=True)])
    few, whole = (by_epochs.hyperparameters_of(Network.parse(name)) for name in ("A3B_images3", "A3B"))
    assert (few.iterations, few.step_every, whole) == (6, 3, by_epochs.hyperparameters)
    assert by_epochs.hyperparameters_of(Network.parse("baseB_images1")).evaluates_after(2)


def test_epochs_are_of_the_identity_and_iterations_of_none(recipe, by_epochs):
    few = Network.parse("baseB_images3")
    identities = [identity_of(one, few, None) for one in (recipe, by_epochs)]
    assert "few_images" not in identities[0]["hyperparameters"]
    assert identities[1]["hyperparameters"].pop("few_images") == EPOCHS
    assert digest_of(identities[0]) == digest_of(identities[1])


def test_no_more_images_are_trained_on_than_every_class_has(recipe, running, tmp_path):
    with pytest.raises(TooFewImagesError, match="asks for 13 images per class, but in random0 the class "):
        trained(recipe, running, tmp_path, "baseB_images13")
