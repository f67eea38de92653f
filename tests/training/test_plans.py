"""Networks with a plan for every layer: what is copied, what changes, and that they do not depend on each other."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from tests.support import dying_after, files_in, train_bases, train_until_it_dies, with_settings
from tests.training.support import CUTS, of_dropping
from transferability.files import read_json
from transferability.networks.architectures.mini_caffenet import LAYERS
from transferability.networks.layered import Layered
from transferability.networks.truncation import truncated
from transferability.records.checkpoints import load_weights, read_about, save_checkpoint
from transferability.records.states import StateFolder
from transferability.study.names import Network
from transferability.study.settings import Foreign
from transferability.training.batch_statistics import STATISTICS
from transferability.training.evaluation import evaluate
from transferability.training.images import training_stream
from transferability.training.learner import Learner
from transferability.training.lock_step import train_in_lock_step
from transferability.training.sources import source_weights
from transferability.training.train import TrainingError, train

KINDS = ("own", "batch_norm")
TRAINED = ("surgical", "statistics", "truncated", "probe_then_tune")


@pytest.fixture(scope="module")
def recipes(recipe):
    """The project's own network, and one with batch norm, drop path and dropout, for a few iterations each."""
    short = recipe.with_hyperparameters(iterations=6, evaluate_every=3)
    return {"own": short, "batch_norm": of_dropping(short)}


@pytest.fixture(scope="module")
def bases(recipes, tmp_path_factory):
    return {kind: train_bases(made_by, tmp_path_factory.mktemp(kind)) for kind, made_by in recipes.items()}


@pytest.fixture
def trained(recipes, bases, running, tmp_path):
    """Trains networks of a series and gives their weights before and after, by name."""

    def made(kind, *names, **changes):
        before = {}

        def spy(learners, *about):
            for learner in learners:
                before[learner.network.name] = {k: v.clone() for k, v in learner.model.state_dict().items()}
            train_in_lock_step(learners, *about)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("transferability.training.train.train_in_lock_step", spy)
            source = None if names[0].startswith("R") else bases[kind] / f"base{names[0][0]}.safetensors"
            made_by = recipes[kind].with_hyperparameters(**changes) if changes else recipes[kind]
            train(made_by, files_in(tmp_path, *names), source, running)
        return before, {name: load_file(tmp_path / f"{name}.safetensors") for name in names}

    return made


def source(bases, kind, half="A"):
    return load_file(bases[kind] / f"base{half}.safetensors")


def number_of(kind, key):
    """The number, from 1, of the layer that a tensor belongs to."""
    names = LAYERS if kind == "own" else (*CUTS, "fc")
    return next(i for i, name in enumerate(names, start=1) if key.startswith(name))


def same(one, other):
    """The keys of one's tensors that are equal to the other's to the bit."""
    return {key for key in one if key in other and torch.equal(one[key], other[key])}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_surgery_moves_one_layer_and_the_head_and_leaves_all_others_as_they_are_in_the_source(n, kind, trained, bases):
    name = f"A{n}B_surgical"
    before, after = trained(kind, name, weight_decay=0.5, momentum=0.99)
    head = 8 if kind == "own" else 4
    of_source = source(bases, kind)
    assert {number_of(kind, key) for key in before[name].keys() - same(before[name], of_source)} == {head}
    moved = after[name].keys() - same(after[name], before[name])
    assert {number_of(kind, key) for key in moved} == {n, head}
    learned = {key for key in after[name] if number_of(kind, key) in {n, head}}
    assert moved == learned  # statistics of the layer that learns too


def test_a_frozen_layer_above_one_that_learns_is_in_evaluation(recipes, bases, running, tmp_path, monkeypatch):
    seen = {}
    original = Learner.update

    def spy(self, *about):
        modes = {name: {m.training for m in layer.modules()} for name, layer in self.model.named_children()}
        seen[self.network.name] = modes
        return original(self, *about)

    monkeypatch.setattr(Learner, "update", spy)
    train(recipes["batch_norm"], files_in(tmp_path, "A1B_surgical"), bases["batch_norm"] / "baseA.safetensors", running)
    modes = seen["A1B_surgical"]
    assert [next(iter(mode)) for mode in modes.values()] == [True, False, False, True]
    assert all(len(mode) == 1 for mode in modes.values())


@pytest.mark.parametrize("kind", KINDS)
def test_layers_by_statistics_have_the_mean_and_deviation_of_the_sources_tensors(kind, trained, bases):
    name = "A1B_statistics"
    before, after = trained(kind, name)
    of_source, head = source(bases, kind), 8 if kind == "own" else 4
    drawn = 0
    for key, tensor in before[name].items():
        if number_of(kind, key) == 1:
            assert torch.equal(tensor, of_source[key])
            assert torch.equal(after[name][key], of_source[key])
        elif number_of(kind, key) < head and not key.endswith(STATISTICS):
            count, deviation = tensor.numel(), of_source[key].std(correction=0)
            assert abs(tensor.mean() - of_source[key].mean()) <= 4 * deviation / count**0.5
            assert abs(tensor.std() - deviation) <= 4 * deviation / (2 * count) ** 0.5 + 1e-6
            assert not torch.equal(tensor, of_source[key]) or not deviation
            assert not torch.equal(tensor, after[name][key])
            drawn += 1
    assert drawn


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_network_has_the_frozen_layers_of_the_prefix_and_a_linear_head(kind, trained, bases):
    for n in (1, 2):
        name = f"A{n}B_truncated"
        _, after = trained(kind, name)
        prefix = {key for key in source(bases, kind) if number_of(kind, key) <= n}
        assert same(source(bases, kind), after[name]) == prefix
        weight, bias = (after[name].pop(key) for key in sorted(after[name].keys() - prefix, reverse=True))
        assert weight.shape == (3, {"own": {1: 16, 2: 32}[n], "batch_norm": 6}[kind])
        assert bias.shape == (3,)


def test_a_truncated_network_tells_classes_by_the_mean_of_what_crosses_the_cut(recipes, bases):
    network = Network.parse("A2B_truncated")
    model = recipes["own"].model_of(network, 0).eval()
    whole = recipes["own"].build(3, 0).eval()
    images = torch.randn(4, 1, 16, 16)
    crossing = whole[:2](images)
    assert crossing.ndim == 4
    head = dict(model.named_children())["readout"].truncated_readout
    assert torch.allclose(model(images), head(crossing.mean((2, 3))))
    assert len(model) == 3


@pytest.mark.parametrize("n", [1, 2])
def test_a_truncated_network_keeps_a_layer_that_is_called_as_its_readout(n):
    names = ("features", "readout", "head")
    shapes = [(3, 4), (4, 5), (5, 2)]
    layers = {name: nn.Sequential(nn.Flatten(), nn.Linear(*shape)) for name, shape in zip(names, shapes, strict=True)}
    network = Layered(layers)
    kept = truncated(network, n, (1, 1, 3), "any.py:Any", seed=0)
    assert list(kept)[:n] == list(network)[:n]
    assert kept(torch.ones(4, 3, 1, 1)).shape == (4, 2)
    assert len(kept) == n + 1


@pytest.mark.parametrize("kind", KINDS)
def test_first_only_what_is_above_learns_and_then_all(kind, recipes, bases, running, tmp_path):
    n, kept = 2, {}

    class Kept(StateFolder):
        def save(self, state):
            kept[state.iteration] = {name: tensor.clone() for name, tensor in state.tensors.items()}
            super().save(state)

    often = replace(running, state_every_seconds=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transferability.training.train.StateFolder", Kept)
        train(recipes[kind], files_in(tmp_path, "A2B_probe_then_tune"), bases[kind] / "baseA.safetensors", often)
    of_source, after = source(bases, kind), load_file(tmp_path / "A2B_probe_then_tune.safetensors")
    numbers = {
        updates: {number_of(kind, in_model(kind, key)) for key in tensors if key.startswith("weights.")}
        for updates, tensors in kept.items()
    }
    layers = 8 if kind == "own" else 4
    assert numbers[1] == numbers[2] == {*range(n + 1, layers + 1)}
    assert numbers[3] == numbers[4] == {*range(1, layers + 1)}  # of six iterations
    at_switch = {in_model(kind, key): tensor for key, tensor in kept[3].items() if key.startswith("weights.")}
    for key, tensor in at_switch.items():
        assert torch.equal(tensor, of_source[key]) == (number_of(kind, key) <= n)
    assert all(not torch.equal(after[key], tensor) for key, tensor in at_switch.items())


def in_model(kind, key):
    """The name that a state's tensor has in a checkpoint."""
    name = key.partition(".")[2]
    return name if kind == "own" else name.partition(".")[2]


@pytest.mark.parametrize("n", [1, 3])
def test_one_layer_drawn_anew_and_nothing_trained(n, recipes, bases, running, tmp_path):
    name = f"B{n}B_reinitialized"
    files = files_in(tmp_path, name)
    train(recipes["own"], files, bases["own"] / "baseB.safetensors", running)
    base, found = source(bases, "own", "B"), load_file(tmp_path / f"{name}.safetensors")
    changed = {key for key in found if not torch.equal(found[key], base[key])}
    drawn = recipes["own"].build(3, 0, "random0", name).state_dict()
    assert {number_of("own", key) for key in changed} == {n}
    assert all(torch.equal(found[key], drawn[key]) for key in changed)
    (paths,) = files.values()
    metrics = read_json(paths.metrics)
    assert (metrics["iterations"], metrics["evaluations"]) == (0, 1)
    assert metrics["top1_final"] == evaluate(recipes["own"], Network.parse(name), found, "cpu")[0].top1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_any_optimizer_lets_a_network_be_in_which_nothing_learns(optimizer, kind, recipes, bases, running, tmp_path):
    files = files_in(tmp_path, "B2B_reinitialized")
    by_torch = recipes[kind].with_hyperparameters(optimizer=optimizer)
    train(by_torch, files, bases[kind] / "baseB.safetensors", running)
    assert read_json(next(iter(files.values())).metrics)["iterations"] == 0


@pytest.mark.parametrize("frozen_batch_norm", ["source", "adapt"])
def test_a_layer_drawn_anew_has_statistics_of_its_own_among_layers_with_the_bases(
    frozen_batch_norm, recipes, bases, running, tmp_path
):
    recipe = with_settings(recipes["batch_norm"], foreign=Foreign(cuts=CUTS, frozen_batch_norm=frozen_batch_norm))
    files = files_in(tmp_path, "B2B_reinitialized")
    train(recipe, files, bases["batch_norm"] / "baseB.safetensors", running)
    base, found = source(bases, "batch_norm", "B"), load_file(tmp_path / "B2B_reinitialized.safetensors")
    assert {number_of("batch_norm", key) for key in found.keys() - same(found, base)} == {2}
    assert read_json(next(iter(files.values())).metrics)["frozen_batch_norm"] == "source"

    drawn = {key.rpartition("block1.")[2]: tensor for key, tensor in found.items() if key.startswith("block1")}
    stem = [next(found[key] for key in found if key.endswith(f"stem.{name}")) for name in ("weight", "bias")]
    stream = training_stream(recipe.task("B"), recipe.settings, recipe.seed, "cpu", cache_bytes=0)
    batches = -(-len(recipe.task("B").training()[0]) // recipe.hyperparameters.batch_size)
    means, variances = [], []
    for iteration in range(batches):
        below = functional.conv2d(stream.batch(iteration)[0], *stem, stride=2, padding=1).relu()
        features = functional.conv2d(below, drawn["conv.weight"], padding=1)
        means.append(features.mean((0, 2, 3)))
        variances.append(features.var((0, 2, 3)))
    assert torch.allclose(drawn["norm.running_mean"], torch.stack(means).mean(0), atol=1e-6)
    assert torch.allclose(drawn["norm.running_var"], torch.stack(variances).mean(0), atol=1e-6)


def test_a_network_without_a_finite_loss_is_refused_and_the_others_are_kept(recipes, bases, running, tmp_path):
    base = bases["own"] / "baseB.safetensors"
    weights = load_weights(base)
    fifth = next(name for name in weights if number_of("own", name) == 5)
    weights[fifth].fill_(1e38)
    save_checkpoint(tmp_path / "baseB.safetensors", weights, read_about(base))
    files = files_in(tmp_path, "B3B_reinitialized", "B5B_reinitialized")
    with pytest.raises(TrainingError) as raised:
        train(recipes["own"], files, tmp_path / "baseB.safetensors", running)
    assert "B3B_reinitialized" in str(raised.value)
    assert "no finite loss" in str(raised.value)
    assert "1 of 2 networks are finished and kept" in str(raised.value)
    made = [network.name for network, paths in files.items() if any(path.exists() for path in paths.all())]
    assert made == ["B5B_reinitialized"]


def test_with_nothing_drawn_anew_the_base_is_found_again(recipes, bases, running, tmp_path, monkeypatch):
    """Except for that layer, such a network is its base, so with this layer copied too it gets the same accuracies."""
    recipe, base = recipes["own"], bases["own"] / "baseB.safetensors"
    whole = dict(source_weights(recipe, Network.parse("B3B_reinitialized"), base))
    build = type(recipe).model_of

    def as_base(self, network, *seed):
        model = build(self, network, *seed)
        model.load_state_dict(whole)
        return model

    monkeypatch.setattr(type(recipe), "model_of", as_base)
    files = files_in(tmp_path, "B3B_reinitialized")
    train(recipe, files, base, running)
    metrics, of_base = read_json(next(iter(files.values())).metrics), read_json(base.with_suffix(".metrics.json"))
    for key in ("top1_final", "validation_cross_entropy", "training_cross_entropy"):
        assert metrics[key] == of_base[key]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plan", TRAINED)
def test_a_network_with_a_plan_is_the_same_alone_and_killed_as_beside_its_siblings(
    plan, kind, recipes, bases, running, tmp_path
):
    names = [f"A{n}B_{plan}" for n in (1, 2)]
    job = (recipes[kind], bases[kind] / "baseA.safetensors")
    train(job[0], files_in(tmp_path / "together", *names), job[1], running)
    for died_after in (2, 3, 4):  # the plan may change after three
        folder = tmp_path / f"died after {died_after}"
        often = replace(running, state_every_seconds=0.0, states=folder / "states")
        train_until_it_dies(dying_after(died_after), job[0], files_in(folder, names[1]), job[1], often)
        train(job[0], files_in(folder, names[1]), job[1], often)
        found, expected = (load_weights(at / f"{names[1]}.safetensors") for at in (folder, tmp_path / "together"))
        assert found.keys() == expected.keys()
        assert same(found, expected) == expected.keys()
