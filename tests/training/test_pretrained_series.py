"""Networks with layers of published weights: unchanged if frozen, and equal to the bit however they are trained."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support import dying_after, files_in, train_until_it_dies, with_settings
from tests.training.support import CUTS, FOREIGN, below, equal, of_dropping
from transferability.files import read_json, sha256_of
from transferability.networks.weight_files import WeightsError
from transferability.study.names import Network
from transferability.study.settings import ADAPT
from transferability.training.batch_statistics import STATISTICS
from transferability.training.sources import frozen_weights, source_weights
from transferability.training.train import train


@pytest.fixture(scope="module")
def dropping(recipe):
    return of_dropping(recipe)


@pytest.fixture(scope="module")
def published(dropping, tmp_path_factory):
    """Weights of a network for other classes, with statistics of their own."""
    weights = dropping.build(11, "published").state_dict()
    for name in weights:
        if name.endswith("running_mean"):
            weights[name] += 0.25
    path = tmp_path_factory.mktemp("published") / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    return path


def test_frozen_layers_and_their_statistics_are_the_files_to_the_bit(dropping, published, running, tmp_path):
    decaying = dropping.with_hyperparameters(weight_decay=0.5, momentum=0.99)
    files = files_in(tmp_path, "P1B", "P3B")
    train(decaying, files, published, running)
    source = load_file(published)
    for network, paths in files.items():
        found = load_file(paths.checkpoint)
        assert equal(below(found, network.n), below(source, network.n))
        assert not equal(below(found, 3), below(source, 3)) or network.n == 3
        assert read_json(paths.metrics)["made_from"]["source_sha256"] == sha256_of(published)


def test_fine_tuned_layers_begin_with_them_and_move(dropping, published, running, tmp_path):
    still = dropping.with_hyperparameters(learning_rate=1e-20, weight_decay=0)
    files = files_in(tmp_path / "still", "P2A+")
    train(still, files, published, replace(running, states=tmp_path / "still"))
    found, source = load_file(files.popitem()[1].checkpoint), load_file(published)
    weights = [name for name in below(source, 2) if not name.endswith(STATISTICS)]
    assert all(torch.allclose(found[name], source[name], rtol=0, atol=1e-12) for name in weights)
    files = files_in(tmp_path, "P2A+")
    train(dropping, files, published, running)
    assert not equal(below(load_file(files.popitem()[1].checkpoint), 2), below(source, 2))


def test_statistics_are_the_files_or_the_targets_as_the_config_says(dropping, published):
    network = Network.parse("P3B")
    source = source_weights(dropping, network, published)
    assert equal(dict(frozen_weights(dropping, network, source, "cpu")), source)
    adapting = with_settings(dropping, foreign=replace(FOREIGN, frozen_batch_norm=ADAPT))
    adapted = frozen_weights(adapting, network, source, "cpu")
    for name, tensor in adapted.items():
        assert torch.equal(tensor, source[name]) == (not name.endswith(STATISTICS))


@pytest.mark.parametrize("series", ["P{n}B", "P{n}B+"])
def test_alone_or_together_killed_or_not_they_end_the_same(series, dropping, published, running, tmp_path):
    names = [series.format(n=n) for n in (1, 3)]
    train(dropping, files_in(tmp_path / "together", *names), published, running)
    often = replace(running, state_every_seconds=0.0, states=tmp_path / "killed" / "states")
    train_until_it_dies(dying_after(11), dropping, files_in(tmp_path / "killed", *names), published, often)
    train(dropping, files_in(tmp_path / "killed", *names), published, often)
    for name in names:
        alone = replace(running, states=tmp_path / "alone" / "states")
        train(dropping, files_in(tmp_path / "alone", name), published, alone)
        together, killed, single = (
            load_file(tmp_path / folder / f"{name}.safetensors") for folder in ("together", "killed", "alone")
        )
        assert equal(together, killed)
        assert equal(together, single)


def test_weights_that_do_not_fit_name_their_file(dropping, running, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match=r"other\.safetensors: it does not fit the network: none of its names"):
        train(dropping, files_in(tmp_path, "P1B"), path, running)


def test_by_a_plan_all_but_the_layer_that_learns_and_the_head_stay_the_files(dropping, published, running, tmp_path):
    files = files_in(tmp_path, "P2B_surgical", "P3B_surgical", "P2B_surgical_images5")
    for name, paths in files.items():
        train(dropping, {name: paths}, published, replace(running, states=tmp_path / name.name))
    source = load_file(published)
    for network, paths in files.items():
        found = load_file(paths.checkpoint)
        for layer in CUTS:
            of_layer = [key for key in source if key.startswith(layer)]
            learns = layer == CUTS[network.n - 1]
            assert all(torch.equal(found[key], source[key]) for key in of_layer) != learns
