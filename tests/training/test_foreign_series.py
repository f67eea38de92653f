"""The engine on a network that is not the project's own: batch norm, drop path, functional dropout, shared layers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.networks import own_networks
from tests.support import dying_after, files_in, train_bases, train_until_it_dies, with_settings
from tests.training.support import CUTS, FOREIGN, below, equal, of_dropping
from transferability.study.names import Network
from transferability.study.settings import ADAPT, Foreign
from transferability.training.batch_statistics import STATISTICS
from transferability.training.evaluation import evaluate
from transferability.training.images import training_stream
from transferability.training.sources import frozen_weights
from transferability.training.train import train


@pytest.fixture(scope="module")
def dropping(recipe):
    return of_dropping(recipe)


@pytest.fixture(scope="module")
def bases(dropping, tmp_path_factory):
    return train_bases(dropping, tmp_path_factory.mktemp("bases"))


def weights_in(folder, name):
    return load_file(folder / f"{name}.safetensors")


def test_frozen_layers_and_their_statistics_are_the_sources_to_the_bit(dropping, running, bases, tmp_path):
    decaying = dropping.with_hyperparameters(weight_decay=0.5, momentum=0.99)
    train(decaying, files_in(tmp_path, "A1B", "A3B"), bases / "baseA.safetensors", running)
    source = weights_in(bases, "baseA")
    for name, depth in (("A1B", 1), ("A3B", 3)):
        found = weights_in(tmp_path, name)
        assert found.keys() == source.keys()
        assert equal(below(found, depth), below(source, depth))
    assert not torch.equal(weights_in(tmp_path, "A1B")["block1.norm.running_mean"], source["block1.norm.running_mean"])


@pytest.mark.parametrize("series", ["A{n}B", "A{n}B+", "R{n}B"])
def test_a_network_is_the_same_alone_and_beside_its_siblings(series, dropping, running, bases, tmp_path):
    source = None if series.startswith("R") else bases / "baseA.safetensors"
    names = [series.format(n=n) for n in (1, 2, 3)]
    train(dropping, files_in(tmp_path / "together", *names), source, running)
    for name in names:
        alone = replace(running, states=tmp_path / "alone" / "states")
        train(dropping, files_in(tmp_path / "alone", name), source, alone)
        assert equal(weights_in(tmp_path / "together", name), weights_in(tmp_path / "alone", name))


@pytest.mark.parametrize("series", ["A{n}B", "A{n}B+"])
def test_killed_and_resumed_it_ends_the_same(series, dropping, running, bases, tmp_path):
    names = [series.format(n=n) for n in (1, 3)]
    source = bases / "baseA.safetensors"
    often = replace(running, state_every_seconds=0.0, states=tmp_path / "killed" / "states")
    train_until_it_dies(dying_after(11), dropping, files_in(tmp_path / "killed", *names), source, often)
    train(dropping, files_in(tmp_path / "killed", *names), source, often)
    train(dropping, files_in(tmp_path / "whole", *names), source, running)
    for name in names:
        assert equal(weights_in(tmp_path / "killed", name), weights_in(tmp_path / "whole", name))


def test_frozen_layers_draw_nothing_and_compute_as_in_evaluation(dropping, running, bases, tmp_path, monkeypatch):
    modes = []
    drop_path = type(dropping.build(2)[1].get_submodule("block1.drop_path"))
    original = drop_path.forward

    def forward(self, x):
        modes.append(self.training)
        return original(self, x)

    frozen, learning = files_in(tmp_path, "A3B"), files_in(tmp_path, "A1B")
    with monkeypatch.context() as patch:
        patch.setattr(drop_path, "forward", forward)
        dropping.build(2)  # tries both modes
        assert {*modes} == {True, False}
        tried = len(modes)
        modes.clear()
        train(dropping, frozen, bases / "baseA.safetensors", running)
        assert sum(modes) <= tried  # of the trials only
        modes.clear()
        train(dropping, learning, bases / "baseA.safetensors", running)
        assert sum(modes) > tried


def test_statistics_of_untrained_layers_are_those_of_the_targets_images(dropping, running, tmp_path):
    train(dropping, files_in(tmp_path, "R2B", "R3B"), None, running)
    shallow, deep = weights_in(tmp_path, "R2B"), weights_in(tmp_path, "R3B")
    assert equal(below(shallow, 2), below(deep, 2))
    task = dropping.task("B")
    layers = dropping.build(2, dropping.seed, dropping.split.name, "R")[:1].eval()
    stream = training_stream(task, dropping.settings, dropping.seed, "cpu", cache_bytes=0)
    batches = -(-len(task.training()[0]) // dropping.hyperparameters.batch_size)
    block = dropping.build(2, dropping.seed, dropping.split.name, "R")[1]
    means = []
    block.get_submodule("block1.conv").register_forward_hook(lambda *seen: means.append(seen[2].mean((0, 2, 3))))
    with torch.no_grad():
        for iteration in range(batches):
            block.eval()(layers(stream.batch(iteration)[0]))
    assert torch.allclose(deep["block1.norm.running_mean"], torch.stack(means).mean(0), atol=1e-5)


def test_adapted_statistics_are_of_the_target_and_the_weights_of_the_source(dropping, bases):
    adapting = with_settings(dropping, foreign=replace(FOREIGN, frozen_batch_norm=ADAPT))
    base = weights_in(bases, "baseA")
    deep, shallow, tuned = (
        frozen_weights(adapting, Network.parse(name), base, "cpu") for name in ("A3B", "A1B", "A3B+")
    )
    assert equal(deep, shallow)
    for name, tensor in deep.items():
        assert torch.equal(tensor, base[name]) == (not name.endswith(STATISTICS))
    assert equal(tuned, base)  # nothing is frozen
    assert equal(frozen_weights(dropping, Network.parse("A3B"), base, "cpu"), base)


def test_preserved_layers_start_with_the_sources_statistics_and_frozen_ones_have_the_targets(
    dropping, running, bases, tmp_path
):
    adapting = with_settings(dropping, foreign=replace(FOREIGN, frozen_batch_norm=ADAPT))
    still = adapting.with_hyperparameters(iterations=1, learning_rate=1e-12)
    files = files_in(tmp_path, "A2B_preserve1")
    train(still, files, bases / "baseA.safetensors", running)
    found, base = weights_in(tmp_path, "A2B_preserve1"), weights_in(bases, "baseA")
    target = frozen_weights(adapting, Network.parse("A2B"), base, "cpu")
    assert torch.equal(found["block1.norm.running_mean"], target["block1.norm.running_mean"])
    batches = "block2.norm.num_batches_tracked"  # of the layer that is preserved, one more than of the source
    assert found[batches] == base[batches] + 1


def test_blocks_that_are_left_out_of_an_update_do_no_harm(dropping, running, tmp_path):
    calm = with_settings(
        dropping, architecture=f"{Path(own_networks.__file__)}:Calm", foreign=Foreign(cuts=("stem", "block"))
    )
    train(calm, files_in(tmp_path, "baseB", "baseB"), None, running)
    weights = weights_in(tmp_path, "baseB")
    positions = calm.build(3, calm.seed, calm.split.name, "baseB").state_dict()["positions"]
    assert torch.equal(weights["positions"], positions)  # they do not learn


def test_a_finished_network_evaluates_as_it_was_recorded(dropping, running, bases, tmp_path):
    files = files_in(tmp_path, "A2B")
    train(dropping, files, bases / "baseA.safetensors", running)
    (network, paths), *_ = files.items()
    found, _ = evaluate(dropping, network, load_file(paths.checkpoint), "cpu")
    assert f"{found.top1}" in paths.history.read_text().splitlines()[-1]


def test_identities_tell_networks_apart_by_what_shapes_them_and_are_read_back(dropping):
    variants = [
        FOREIGN,
        replace(FOREIGN, cuts=CUTS[:2]),
        replace(FOREIGN, options=(("width", 8),)),
        replace(FOREIGN, code_sha256="0"),
        replace(FOREIGN, frozen_batch_norm=ADAPT),
    ]
    settings = [replace(dropping.settings, foreign=foreign) for foreign in variants]
    assert len({str(one.to_json()) for one in settings}) == len(variants)
    assert [type(one).from_json(one.to_json()) for one in settings] == settings
    own = replace(dropping.settings, architecture="mini_caffenet", foreign=None)
    assert own.to_json().keys() == {"engine_version", "architecture", "preprocessing", "hyperparameters"}
