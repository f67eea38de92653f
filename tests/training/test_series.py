"""The series engine: what is copied and frozen, the independence of siblings, and resuming after an interruption."""

import csv
import json
import random
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.support import dying_after, files_in, train_until_it_dies, with_settings
from tests.training.support import equal, in_a_process
from transferability.data.splits import whole_split
from transferability.data.tasks import Task
from transferability.networks import build as networks
from transferability.networks.architecture import Architecture, he_normal
from transferability.networks.architectures.mini_caffenet import LAYERS, mini_caffenet
from transferability.process.signals import Interrupted
from transferability.records.checkpoints import CheckpointError, read_about, save_checkpoint
from transferability.records.states import StateFolder
from transferability.results.scores import accuracies_of, balanced_accuracy
from transferability.study.compared import BALANCED
from transferability.study.layout import NetworkFiles
from transferability.study.names import Network
from transferability.training.evaluation import evaluate
from transferability.training.images import data_for
from transferability.training.learner import EXPLOSION, Learner
from transferability.training.lock_step import train_in_lock_step
from transferability.training.recipe import Recipe
from transferability.training.train import TrainingError, train

DEPTHS = (1, 3, 7)
OF_TRAINING_IMAGES = ("training_cross_entropy", "training_top1", "training_images_evaluated")
ALL_SERIES = ("A{n}B", "A{n}B+", "B{n}B", "B{n}B+", "R{n}B", "R{n}B+")


def source_of(name: str, bases: Path) -> Path | None:
    return None if name.startswith("R") else bases / f"base{name[0]}.safetensors"


def layer(weights: dict[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
    return {key: value for key, value in weights.items() if key.startswith(f"{LAYERS[number - 1]}.")}


def contents(files: dict[Network, NetworkFiles]) -> dict[str, bytes]:
    """Checkpoints and histories, which hold nothing that may differ from run to run."""
    return {path.name: path.read_bytes() for f in files.values() for path in (f.checkpoint, f.history)}


class TestFrozenAndCopied:
    @pytest.mark.parametrize("pattern", ["A{n}B", "B{n}B"])
    def test_frozen_layers_equal_their_source_and_the_others_have_learned(
        self, pattern, recipe, running, bases, tmp_path
    ):
        files = files_in(tmp_path, *(pattern.format(n=n) for n in DEPTHS))
        train(recipe, files, source_of(pattern, bases), running)
        source = load_file(source_of(pattern, bases))
        for network, paths in files.items():
            weights = load_file(paths.checkpoint)
            untrained = networks.build_network("mini_caffenet", (16, 16, 1), 3, 0, "random0", network.name).state_dict()
            for number in range(1, 9):
                is_frozen = number <= network.n
                assert equal(layer(weights, number), layer(source, number)) == is_frozen
                assert not equal(layer(weights, number), layer(untrained, number))

    def test_random_layers_stay_as_drawn_and_are_the_same_at_every_depth(self, recipe, running, tmp_path):
        files = files_in(tmp_path, "R3B", "R7B")
        train(recipe, files, None, running)
        shallow, deep = (load_file(paths.checkpoint) for paths in files.values())
        assert all(equal(layer(shallow, number), layer(deep, number)) for number in (1, 2, 3))
        drawn = networks.build_network("mini_caffenet", (16, 16, 1), 3, 0, "random0", "R").state_dict()
        assert all(equal(layer(deep, number), layer(dict(drawn), number)) for number in range(1, 8))

    def test_fine_tuned_layers_start_at_their_source_and_move(self, recipe, running, bases, tmp_path, monkeypatch):
        seen = {}

        def spy(learners, *about):
            for learner in learners:
                seen[learner.network.name] = {k: v.clone() for k, v in learner.model.state_dict().items()}
            train_in_lock_step(learners, *about)

        monkeypatch.setattr("transferability.training.train.train_in_lock_step", spy)
        files = files_in(tmp_path, "A3B+", "A3B_preserve2")
        train(recipe, files, bases / "baseA.safetensors", running)
        source = load_file(bases / "baseA.safetensors")
        for network, paths in files.items():
            after = load_file(paths.checkpoint)
            for number in range(1, 9):
                was_copied = equal(layer(seen[network.name], number), layer(source, number))
                assert was_copied == (number <= network.copied)
                assert equal(layer(after, number), layer(seen[network.name], number)) == (number <= network.frozen)

    def test_the_shared_layers_never_see_gradients(self, recipe, running, bases, tmp_path, monkeypatch):
        wanted = []
        original = Learner.update

        def spy(self, features, targets, rate):
            wanted.append(features.requires_grad)
            return original(self, features, targets, rate)

        monkeypatch.setattr(Learner, "update", spy)
        train(recipe, files_in(tmp_path, "A1B", "A7B"), bases / "baseA.safetensors", running)
        assert wanted
        assert not any(wanted)

    def test_layers_are_not_taken_from_another_networks_checkpoint(self, recipe, running, bases, tmp_path):
        with pytest.raises(CheckpointError, match="its network is 'baseB', not 'baseA'"):
            train(recipe, files_in(tmp_path, "A3B"), bases / "baseB.safetensors", running)

    @pytest.mark.parametrize("names", [("A3B", "B3B"), ("B3A", "B3B"), ("basewhole", "reduced2")])
    def test_networks_of_different_images_or_sources_do_not_share_a_job(self, names, recipe, running, bases, tmp_path):
        source = None if names[0].startswith("base") else bases / f"base{names[0][0]}.safetensors"
        whole = replace(recipe, split=whole_split(recipe.store.classes))
        with pytest.raises(ValueError, match=f"^{', '.join(names)}: networks of one job must have the same target"):
            train(recipe if source else whole, files_in(tmp_path, *names), source, running)
        assert not list(tmp_path.glob("*.safetensors"))


class TestIndependence:
    @pytest.mark.parametrize("pattern", ALL_SERIES)
    def test_a_network_is_the_same_alone_and_among_siblings(self, pattern, recipe, running, bases, tmp_path):
        names = [pattern.format(n=n) for n in DEPTHS]
        together = files_in(tmp_path / "together", *names)
        train(recipe, together, source_of(pattern, bases), running)
        for name in names:
            alone = files_in(tmp_path / "alone", name)
            train(recipe, alone, source_of(pattern, bases), replace(running, states=tmp_path / "other states"))
            assert contents(alone).items() <= contents(together).items()

    def test_dropout_and_augmentation_are_each_networks_own_too(self, recipe, running, bases, tmp_path, with_dropout):
        recipe = with_settings(
            recipe,
            architecture=with_dropout,
            preprocessing=replace(recipe.settings.preprocessing, crop=14, mirror=True),
        )
        self._assert_same_alone(recipe, running, tmp_path, "A2B", "A6B", "A7B")

    def test_dropout_of_channels_is_each_networks_own_too(self, recipe, running, tmp_path, with_channel_dropout):
        recipe = with_settings(recipe, architecture=with_channel_dropout)
        self._assert_same_alone(recipe, running, tmp_path, "A2B", "A4B", "A3B")

    @staticmethod
    def _assert_same_alone(recipe, running, folder, *names):
        """The last of these copies of a base, which is trained too, is alone what it is beside the others."""
        train(recipe, files_in(folder, "baseA"), None, running)
        source = folder / "baseA.safetensors"
        together, alone = files_in(folder / "together", *names), files_in(folder / "alone", names[-1])
        train(recipe, together, source, running)
        train(recipe, alone, source, replace(running, states=folder / "other states"))
        assert contents(alone).items() <= contents(together).items()

    def test_what_was_drawn_before_makes_no_difference(self, recipe, running, bases, tmp_path):
        for folder, draws in (("one", 0), ("other", 7)):
            torch.rand(draws)
            files = files_in(tmp_path / folder, "baseA")
            train(recipe, files, None, replace(running, states=tmp_path / folder / "states"))
            assert (tmp_path / folder / "baseA.safetensors").read_bytes() == (bases / "baseA.safetensors").read_bytes()

    def test_another_seed_gives_another_network(self, recipe, running, bases, tmp_path):
        train(replace(recipe, seed=1), files_in(tmp_path, "baseA"), None, running)
        one, other = (load_file(folder / "baseA.safetensors") for folder in (bases, tmp_path))
        assert not any(torch.equal(one[key], other[key]) for key in one)


def train_dying_and_again(dying, recipe, files, source, running):
    """Train until states of the class ``dying`` end it; then resume."""
    train_until_it_dies(dying, recipe, files, source, running)
    train(recipe, files, source, running)


class TestGoingOn:
    @pytest.mark.parametrize("pattern", ALL_SERIES)
    @pytest.mark.parametrize("stop_after", [1, 6, 13])
    def test_interrupted_training_ends_like_an_undisturbed_one(
        self, pattern, stop_after, recipe, running, bases, tmp_path, monkeypatch
    ):
        names = [pattern.format(n=n) for n in DEPTHS]
        undisturbed = files_in(tmp_path / "undisturbed", *names)
        train(recipe, undisturbed, source_of(pattern, bases), replace(running, states=tmp_path / "other states"))

        class Stop:
            """Asks to stop after some iterations."""

            signal_name = "SIGTERM"
            asked = 0

            def __enter__(self):
                return self

            def __exit__(self, *_error):
                return None

            def __bool__(self):
                Stop.asked += 1
                return Stop.asked == stop_after

        interrupted = files_in(tmp_path / "interrupted", *names)
        with monkeypatch.context() as patch:
            patch.setattr("transferability.training.train.StopRequest", Stop)
            with pytest.raises(Interrupted, match=f"iteration {stop_after}"):
                train(recipe, interrupted, source_of(pattern, bases), replace(running, state_every_seconds=1e9))
        lines = []
        train(recipe, interrupted, source_of(pattern, bases), replace(running, say=lines.append))
        assert f"resuming at iteration {stop_after}" in lines
        assert contents(interrupted) == contents(undisturbed)

    def test_siblings_at_different_iterations_go_on_each_from_its_own(self, recipe, running, bases, tmp_path):
        undisturbed = files_in(tmp_path / "undisturbed", "A1B+", "A3B+")
        source = bases / "baseA.safetensors"
        train(recipe, undisturbed, source, replace(running, states=tmp_path / "other states"))
        files = files_in(tmp_path, "A1B+", "A3B+")
        saves = {"A1B+": 5, "A3B+": 9}

        class Dying(StateFolder):
            """Stops writing one network's states earlier than the other's, as a crash between two writes would."""

            def save(self, state):
                if state.iteration <= saves[self._folder.name]:
                    super().save(state)
                if state.iteration == 12:
                    raise KeyboardInterrupt

        train_dying_and_again(Dying, recipe, files, source, running)
        assert contents(files) == contents(undisturbed)

    def test_running_statistics_go_on_too(self, recipe, running, tmp_path, with_batch_norm):
        recipe = with_settings(recipe, architecture=with_batch_norm)
        undisturbed, files = files_in(tmp_path / "undisturbed", "R1B", "R3B"), files_in(tmp_path, "R1B", "R3B")
        train(recipe, undisturbed, None, replace(running, states=tmp_path / "other states"))
        train_dying_and_again(dying_after(13), recipe, files, None, running)
        assert contents(files) == contents(undisturbed)

    @pytest.mark.parametrize(
        "edit", [lambda: nn.AvgPool2d(3, 1, padding=1), lambda: nn.BatchNorm2d(16)], ids=["same weights", "more"]
    )
    def test_a_state_of_a_network_whose_layers_were_edited_is_not_used(
        self, edit, recipe, running, tmp_path, monkeypatch
    ):
        """An edited architecture keeps its name; training half with each version would give a network of neither."""

        def edited(image_shape, classes):
            network = mini_caffenet(image_shape, classes)
            network.conv1.append(edit())
            return network

        recipe, files = with_settings(recipe, architecture="mine"), files_in(tmp_path, "baseA")
        monkeypatch.setitem(networks.ARCHITECTURES, "mine", Architecture(mini_caffenet, he_normal, smallest_side=7))
        train_until_it_dies(dying_after(4), recipe, files, None, running)
        monkeypatch.setitem(networks.ARCHITECTURES, "mine", Architecture(edited, he_normal, smallest_side=7))
        undisturbed = files_in(tmp_path / "undisturbed", "baseA")
        train(recipe, undisturbed, None, replace(running, states=tmp_path / "other states"))
        train(recipe, files, None, running)
        assert contents(files) == contents(undisturbed)

    def test_clipped_networks_are_the_same_alone_and_interrupted(self, recipe, running, bases, tmp_path):
        """A gradient is clipped by its own network's norm, not by that of the job."""
        free, recipe = recipe, recipe.with_hyperparameters(clip_norm=0.1)
        source, elsewhere = bases / "baseA.safetensors", replace(running, states=tmp_path / "other states")
        together = files_in(tmp_path / "together", "A1B", "A3B", "A7B")
        train(recipe, together, source, elsewhere)
        alone = files_in(tmp_path / "alone", "A3B")
        train_dying_and_again(dying_after(13), recipe, alone, source, running)
        (network,) = alone
        assert alone[network].checkpoint.read_bytes() == together[network].checkpoint.read_bytes()
        unclipped = files_in(tmp_path / "unclipped", "A3B")
        train(free, unclipped, source, elsewhere)
        assert unclipped[network].checkpoint.read_bytes() != alone[network].checkpoint.read_bytes()

    def test_finished_networks_are_put_back_not_trained_again(self, recipe, running, bases, tmp_path, monkeypatch):
        files, source = files_in(tmp_path, "A1B", "A3B", "A7B"), bases / "baseA.safetensors"
        train(recipe, files, source, running)
        before = contents(files)
        trained = []

        def spy(learners, *about):
            trained.extend(learner.network.name for learner in learners)
            train_in_lock_step(learners, *about)

        monkeypatch.setattr("transferability.training.train.train_in_lock_step", spy)
        for path in tmp_path.glob("*.safetensors"):
            path.unlink()
        (running.states / "A3B" / "finished" / "A3B.safetensors").write_bytes(b"damaged")
        train(recipe, files, source, running)
        assert trained == ["A3B"]
        assert contents(files) == before

    @pytest.mark.parametrize(
        "change",
        [
            lambda recipe: replace(recipe, seed=1),
            lambda recipe: recipe.with_hyperparameters(learning_rate=0.01),
            lambda recipe: with_settings(recipe, preprocessing=replace(recipe.settings.preprocessing, mirror=True)),
            lambda recipe: replace(recipe, store=replace(recipe.store, checksum="another")),
        ],
    )
    def test_states_and_finished_networks_of_other_settings_are_not_used(self, change, recipe, running, tmp_path):
        files = files_in(tmp_path / "one", "baseA")
        train(recipe, files, None, running)
        fresh = files_in(tmp_path / "fresh", "baseA")
        train(change(recipe), fresh, None, replace(running, states=tmp_path / "fresh states"))
        train(change(recipe), files, None, running)
        assert contents(files) == contents(fresh)

    @pytest.mark.slow
    def test_killed_at_random_moments_ends_like_an_undisturbed_one(
        self, recipe, running, bases, store_folder, tmp_path
    ):
        """SIGKILL leaves no time for anything: whatever is on the disk at that moment must do."""
        long = recipe.with_hyperparameters(iterations=120)
        names = ["A1B+", "A3B+", "A7B+"]
        undisturbed = files_in(tmp_path / "undisturbed", *names)
        train(long, undisturbed, bases / "baseA.safetensors", running)
        files = files_in(tmp_path / "killed", *names)
        job = in_a_process(long, store_folder, bases / "baseA.safetensors", tmp_path / "killed", names)
        delays = random.Random(0)
        kills = 0
        for _ in range(30):
            process = subprocess.Popen(**job, stdout=subprocess.PIPE)
            assert process.stdout is not None
            process.stdout.readline()  # it trains from here on
            time.sleep(delays.uniform(0.1, 1.5))
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break
            kills += 1
        else:
            pytest.fail("never finished")
        assert kills >= 3
        assert contents(files) == contents(undisturbed)


class TestProtocol:
    def test_evaluations_come_when_they_should_and_the_last_is_the_end(self, recipe, running, tmp_path):
        train(recipe.with_hyperparameters(iterations=20, evaluate_every=6), files_in(tmp_path, "baseA"), None, running)
        rows = (tmp_path / "baseA.history.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in rows] == ["iteration", "6", "12", "18", "20"]
        assert json.loads((tmp_path / "baseA.metrics.json").read_text())["iterations"] == 20

    def test_recorded_accuracy_is_that_of_the_checkpoint_on_the_validation_set(self, recipe, bases):
        store, classes = recipe.store, recipe.split.halves["B"]
        network = mini_caffenet((16, 16, 1), len(classes))
        network.load_state_dict(load_file(bases / "baseB.safetensors"))
        network.eval()
        hits = 0
        positions = [i for i in range(store.training_count, len(store.labels)) if store.labels[i] in classes]
        for i in positions:
            image = (store.images[i].astype("float32") - store.mean_image(classes)) / 64.0
            answer = int(network(torch.from_numpy(image).permute(2, 0, 1)[None]).argmax())
            hits += classes[answer] == store.labels[i]
        recorded = json.loads((bases / "baseB.metrics.json").read_text())["top1_final"]
        assert recorded == pytest.approx(hits / len(positions))

    def test_recorded_cross_entropies_are_those_of_the_checkpoint(self, recipe, bases):
        store, task = recipe.store, recipe.task("B")
        network = mini_caffenet((16, 16, 1), len(task.classes))
        network.load_state_dict(load_file(bases / "baseB.safetensors"))
        network.eval()
        recorded = json.loads((bases / "baseB.metrics.json").read_text())
        parts = {"validation": task.validation(), "training": task.training_sample(recipe.seed)}
        for part, (positions, targets) in parts.items():
            images = (store.images[positions].astype("float32") - store.mean_image(task.classes)) / 64.0
            with torch.no_grad():
                logits = network(torch.from_numpy(images).permute(0, 3, 1, 2)).double()
            of_right = logits.log_softmax(1)[range(len(targets)), targets]
            assert recorded[f"{part}_cross_entropy"] == pytest.approx(-of_right.mean().item(), rel=1e-4)
        assert recorded["training_top1"] == pytest.approx(np.mean(logits.argmax(1).numpy() == targets))
        assert recorded["training_images_evaluated"] == len(targets) == recorded["validation_images"]

    def test_training_images_are_evaluated_as_validation_images_are(self, recipe, running, tmp_path):
        """The same crop, mean image and layers: where the very images of validation are the sample, nothing differs."""

        class Swapped(Task):
            def training_sample(self, seed):
                return self.validation()

        class OfSwapped(Recipe):
            def task(self, target):
                task = super().task(target)
                return Swapped(task.store, task.classes, task.target, task.split)

        preprocessing = replace(recipe.settings.preprocessing, crop=13, mirror=True)
        recipe = OfSwapped(
            recipe.store, recipe.split, recipe.seed, replace(recipe.settings, preprocessing=preprocessing)
        )
        files = files_in(tmp_path, "A1B", "A3B", "A3B+")
        train(recipe, files_in(tmp_path, "baseA"), None, running)
        for network, paths in files.items():
            train(recipe, {network: paths}, tmp_path / "baseA.safetensors", running)
        for paths in files.values():
            recorded = json.loads(paths.metrics.read_text())
            assert recorded["training_cross_entropy"] == recorded["validation_cross_entropy"]
            assert recorded["training_top1"] == recorded["top1_final"]

    def test_evaluations_are_independent_of_siblings_to_the_bit(self, recipe, running, bases, tmp_path):
        names, recorded = ("B1B", "B3B", "B3B+", "B7B"), []
        for jobs in ([names], [[name] for name in names]):
            folder = tmp_path / str(len(jobs))
            for job in jobs:
                apart = replace(running, states=folder / "states")
                train(recipe, files_in(folder, *job), bases / "baseB.safetensors", apart)
            files = files_in(folder, *names).values()
            recorded.append([{k: json.loads(f.metrics.read_text())[k] for k in OF_TRAINING_IMAGES} for f in files])
        assert recorded[0] == recorded[1]
        assert len({one["training_cross_entropy"] for one in recorded[0]}) == len(names)

    @pytest.mark.parametrize("iterations", [13, 24])
    def test_a_job_that_resumes_records_the_same_of_its_training_images(
        self, iterations, recipe, running, bases, tmp_path
    ):
        """This includes a job that died after its last iteration, before it was evaluated on these images."""
        files = files_in(tmp_path, "baseB")
        train_dying_and_again(dying_after(iterations), recipe, files, None, running)
        there, undisturbed = (json.loads((folder / "baseB.metrics.json").read_text()) for folder in (tmp_path, bases))
        assert {key: there[key] for key in OF_TRAINING_IMAGES} == {key: undisturbed[key] for key in OF_TRAINING_IMAGES}

    def test_validation_changes_nothing(self, recipe, running, bases, tmp_path):
        """A network evaluated rarely has the same weights as one evaluated often."""
        often = recipe.with_hyperparameters(evaluate_every=1)
        train(often, files_in(tmp_path, "baseA"), None, running)
        assert equal(load_file(tmp_path / "baseA.safetensors"), load_file(bases / "baseA.safetensors"))

    def test_dropout_is_on_only_in_training(self, recipe, running, tmp_path, with_dropout, monkeypatch):
        seen = {True: set(), False: set()}
        original = nn.Dropout.forward

        def spy(self, features):
            seen[torch.is_grad_enabled()].add(self.training)
            return original(self, features)

        monkeypatch.setattr(nn.Dropout, "forward", spy)
        train(with_settings(recipe, architecture=with_dropout), files_in(tmp_path, "baseA"), None, running)
        assert seen == {True: {True}, False: {False}}

    def test_frozen_batch_statistics_do_not_move(self, recipe, running, tmp_path, with_batch_norm):
        recipe = with_settings(recipe, architecture=with_batch_norm)
        train(recipe, files_in(tmp_path, "baseA"), None, running)
        files = files_in(tmp_path, "A1B", "A3B", "A3B+")
        for name in ("A1B", "A3B", "A3B+"):
            network = Network.parse(name)
            train(recipe, {network: files[network]}, tmp_path / "baseA.safetensors", running)
        source = load_file(tmp_path / "baseA.safetensors")
        for network, paths in files.items():
            weights = load_file(paths.checkpoint)
            for number in range(1, 9):
                assert equal(layer(weights, number), layer(source, number)) == (number <= network.frozen)

    def test_reduced_networks_see_only_the_first_images_of_each_class(self, recipe, running):
        whole = replace(recipe, split=whole_split(recipe.store.classes))
        stream, validation = data_for(whole.task_of(Network.parse("reduced2")), whole.settings, whole.seed, running)
        seen = {tuple(image.flatten().tolist()) for i in range(6) for image in stream.batch(i)[0]}
        first = {label: [] for label in range(len(recipe.store.classes))}
        for i, label in enumerate(recipe.store.labels[recipe.store.training]):
            first[int(label)].append(i)
        images = recipe.store.images[[i for positions in first.values() for i in positions[:2]]]
        mean = images.astype("float64").mean(axis=0).astype("float32")
        expected = {tuple(((image - mean) / 64.0).transpose(2, 0, 1).astype("float32").ravel()) for image in images}
        assert seen == expected
        assert len(validation) == len(recipe.store.labels) - recipe.store.training_count

    def test_a_loss_that_is_not_a_number_stops_and_names_the_network(self, recipe, running, tmp_path):
        wild = recipe.with_hyperparameters(learning_rate=1e12)
        with pytest.raises(TrainingError, match=r"baseA: the loss is (nan|inf) .* lower its learning rate"):
            train(wild, files_in(tmp_path, "baseA"), None, running)
        assert not list(tmp_path.glob("*.safetensors"))

    def test_statistics_of_a_history(self):
        history = [
            {"validation_top1": i / 100, "validation_top5": 0.5, "validation_balanced": i / 200}
            for i in (*range(20), 3)
        ]
        result = accuracies_of(history)
        assert result["top1_final"] == 0.03
        assert result["top1_best"] == 0.19
        assert result["top1_mean_best10"] == pytest.approx(sum(range(10, 20)) / 1000)
        assert result["top5_mean_best10"] == 0.5
        assert result["balanced_mean_best10"] == pytest.approx(sum(range(10, 20)) / 2000)

    def test_a_history_that_lacks_an_accuracy_somewhere_has_no_best_of_it(self):
        history = [{"validation_top1": 0.5, "validation_top5": 0.5}] * 2
        assert [accuracies_of(history)[name] for name in BALANCED] == [None] * 3
        history = [*history, {"validation_top1": 0.5, "validation_top5": 0.5, "validation_balanced": 0.4}]
        assert [accuracies_of(history)[name] for name in BALANCED] == [0.4, None, None]

    @pytest.mark.parametrize("counts", [(5, 5, 5), (1, 30, 4), (7, 0, 2)])
    def test_balanced_accuracy_is_the_mean_of_the_classes_own(self, counts):
        targets = np.repeat(np.arange(3), counts)
        right = np.random.default_rng(0).random(len(targets)) < 0.4
        of_classes = [right[targets == i].mean() for i in range(3) if counts[i]]
        assert balanced_accuracy(right, targets) == pytest.approx(sum(of_classes) / len(of_classes))
        if len(set(counts)) == 1:
            assert balanced_accuracy(right, targets) == pytest.approx(right.mean())

    def test_recorded_balanced_accuracy_is_that_of_the_checkpoint(self, recipe, running, tmp_path):
        """The classes have 5, 5 and 1 validation images; the last class's others were moved to the other half."""
        store, classes = recipe.store, recipe.split.halves["B"]
        positions = np.arange(store.training_count, len(store.labels))
        labels = store.labels.copy()
        labels[positions[labels[positions] == classes[0]][1:]] = recipe.split.halves["A"][0]
        recipe = replace(recipe, store=replace(store, labels=labels))
        train(recipe, files_in(tmp_path, "baseB"), None, running)
        weights = load_file(tmp_path / "baseB.safetensors")
        network = mini_caffenet((16, 16, 1), len(classes))
        network.load_state_dict(weights)
        network.eval()
        of_classes = []
        for target, of_class in enumerate(classes):
            images = store.images[positions[labels[positions] == of_class]]
            batch = torch.from_numpy((images.astype("float32") - store.mean_image(classes)) / 64.0)
            of_classes.append((network(batch.permute(0, 3, 1, 2)).argmax(1) == target).double().mean().item())
        metrics = json.loads((tmp_path / "baseB.metrics.json").read_text())
        assert metrics["balanced_final"] == pytest.approx(np.mean(of_classes))
        assert metrics["balanced_final"] == evaluate(recipe, Network.parse("baseB"), weights, "cpu")[0].balanced
        assert metrics["majority_baseline"] == pytest.approx(5 / 11)

    @pytest.mark.parametrize("stop_after", [3, None])
    def test_a_large_loss_that_training_brings_down_is_no_explosion(self, stop_after, recipe, running, bases, tmp_path):
        """The copied layers' features are so large that the first losses are beyond the limit on average."""
        large, slow = with_large_features(bases, tmp_path, 1e3), at_rate(recipe, 3e-6)
        files = files_in(tmp_path, "A7B")
        if stop_after:
            train_until_it_dies(dying_after(stop_after), slow, files, large, running)
        train(slow, files, large, running)
        rows = list(csv.DictReader((tmp_path / "A7B.history.csv").open()))
        assert float(rows[0]["training_loss"]) > EXPLOSION * np.log(3) > float(rows[-1]["validation_loss"])

    @pytest.mark.parametrize(
        ("factor", "rate", "where"),
        [
            (1e3, 0.005, r"236\.\d+ at iteration 1, before any update"),
            (1e3, 3e-5, r"[\d.]+ at iteration 11 and was 236\.\d+ before the first update"),
        ],
    )
    def test_of_a_loss_that_was_too_large_at_first_the_base_is_named_with_its_rate(
        self, factor, rate, where, recipe, running, bases, tmp_path
    ):
        large = with_large_features(bases, tmp_path, factor)
        message = (
            rf"A7B: the loss is {where}: the features of baseA's layers are too large; "
            rf"lower the learning rate of base networks \(0\.02\), or its own \({rate:g}\)"
        )
        with pytest.raises(TrainingError, match=message):
            train(at_rate(recipe, rate), files_in(tmp_path, "A7B"), large, running)


def with_large_features(bases, folder, factor):
    """A copy of baseA whose fc7 gives features larger by this factor."""
    path = folder / "large" / "baseA.safetensors"
    path.parent.mkdir()
    weights = load_file(bases / "baseA.safetensors")
    large = {key: tensor * factor if key.startswith("fc7") else tensor for key, tensor in weights.items()}
    save_checkpoint(path, large, read_about(bases / "baseA.safetensors"))
    return path


def at_rate(recipe, rate):
    return recipe.with_hyperparameters(learning_rate=rate)


@pytest.fixture
def with_dropout(monkeypatch):
    def build(image_shape, classes):
        network = mini_caffenet(image_shape, classes)
        for name in ("fc7", "fc8"):
            setattr(network, name, nn.Sequential(nn.Dropout(0.5), *getattr(network, name)))
        return network

    monkeypatch.setitem(networks.ARCHITECTURES, "with_dropout", Architecture(build, he_normal, smallest_side=7))
    return "with_dropout"


@pytest.fixture
def with_channel_dropout(monkeypatch):
    def build(image_shape, classes):
        network = mini_caffenet(image_shape, classes)
        network.conv4 = nn.Sequential(nn.Dropout2d(0.5), *network.conv4)
        return network

    architecture = Architecture(build, he_normal, smallest_side=7)
    monkeypatch.setitem(networks.ARCHITECTURES, "with_channel_dropout", architecture)
    return "with_channel_dropout"


@pytest.fixture
def with_batch_norm(monkeypatch):
    def build(image_shape, classes):
        network = mini_caffenet(image_shape, classes)
        for name in LAYERS[:5]:
            convolution, *rest = getattr(network, name)
            setattr(network, name, nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), *rest))
        return network

    monkeypatch.setitem(networks.ARCHITECTURES, "with_batch_norm", Architecture(build, he_normal, smallest_side=7))
    return "with_batch_norm"
