"""Faults injected into real runs: nothing is lost or silently wrong, and repeating the same command succeeds."""

import ast
import contextlib
import io
import itertools
import json
import math
import os
import pickle
import pty
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from tests.project import Project, merged, text_of, wait_for
from tests.support import ROOT, Patterns, die_at_write, files_in, flip, running_in, train_until_it_dies, with_settings
from tests.training.support import in_a_process
from transferability.data.build import build_store
from transferability.data.splits import SplitError, split_from_json, split_to_json
from transferability.figures.style import save
from transferability.files import lock_file, read_json, require_writable, write_csv, write_json, write_table, write_text
from transferability.process.log import job_log
from transferability.process.signals import SIGNALS, Interrupted, StopRequest
from transferability.records.checkpoints import CheckpointError, load_weights, read_about, save_checkpoint
from transferability.records.states import StateFolder, TrainingState
from transferability.store.reading import open_store
from transferability.store.source import StoreError
from transferability.training.learner import Learner
from transferability.training.train import TrainingError, train

NAMES = ("A1B", "A3B+", "A7B")


@pytest.fixture(scope="module")
def undisturbed(recipe, bases, tmp_path_factory):
    """What three networks are when nothing happens to them."""
    folder = tmp_path_factory.mktemp("undisturbed")
    running = running_in(folder)
    files = files_in(folder, *NAMES)
    by_series = [("A1B", "A7B"), ("A3B+",)]
    for names in by_series:
        train(recipe, {n: f for n, f in files.items() if n.name in names}, bases / "baseA.safetensors", running)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Checkpoints and histories, which hold nothing that may differ from run to run."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name.endswith((".safetensors", ".history.csv"))}


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".part" in path.name]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class TestKilledInTheMiddleOfWriting:
    """SIGKILL when a file is written but not yet in its place: the one before stays, and the next attempt cleans up."""

    @staticmethod
    def killed(write, at: int = 1) -> None:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                die_at_write(at)
                write()
            os._exit(1)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    @pytest.mark.parametrize(
        ("name", "write"),
        [
            ("a.txt", lambda path, value: write_text(path, f"{value}")),
            ("a.csv", lambda path, value: write_csv(path, ["x"], [(value,)])),
            ("a.json", lambda path, value: write_json(path, {"x": value})),
            ("table.csv", lambda path, value: write_table(path, pd.DataFrame({"x": [value]}))),
            ("A3B+.safetensors", lambda path, value: save_checkpoint(path, {"w": torch.tensor([value])}, {})),
            ("figure.png", lambda path, value: save(Figure(figsize=(1 + value, 1)), path)),
        ],
    )
    def test_the_file_before_stays_whole(self, name, write, tmp_path):
        path = tmp_path / name
        write(path, 1)
        before = path.read_bytes()
        self.killed(lambda: write(path, 2))
        assert path.read_bytes() == before
        assert leftovers(tmp_path)
        write(path, 2)
        assert path.read_bytes() != before
        assert not leftovers(tmp_path)

    def test_the_state_before_is_used(self, tmp_path):
        folder = StateFolder(tmp_path, "me")
        for iteration in (1, 2):
            folder.save(TrainingState("me", iteration, {"w": torch.zeros(1)}, {}))
        self.killed(lambda: folder.save(TrainingState("me", 3, {"w": torch.zeros(1)}, {})))
        assert folder.load().iteration == 2
        folder.save(TrainingState("me", 3, {"w": torch.zeros(1)}, {}))
        assert folder.load().iteration == 3
        assert not leftovers(tmp_path)

    @pytest.mark.parametrize("at", range(1, 12))  # keys, notes, pixels, their digests, then the files of a store
    def test_half_a_store_is_none(self, at, tmp_path, store_folder):
        self.killed(lambda: build_store(Patterns(), tmp_path), at)
        with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
            open_store(tmp_path)
        build_store(Patterns(), tmp_path)
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
            p.name: p.read_bytes() for p in store_folder.iterdir()
        }

    @pytest.mark.slow
    def test_a_training_killed_in_file_after_file_ends_like_an_undisturbed_one(
        self, recipe, bases, store_folder, tmp_path
    ):
        short = recipe.with_hyperparameters(iterations=6)
        names = ("A1B+", "A3B+")
        source = bases / "baseA.safetensors"
        train(short, files_in(tmp_path / "undisturbed", *names), source, running_in(tmp_path))
        kills = 0
        for at in itertools.islice(itertools.cycle((3, 5, 8)), 20):
            job = in_a_process(short, store_folder, source, tmp_path / "killed", names, die_at_write=at)
            done = subprocess.run(**job, check=False, capture_output=True, text=True)
            if done.returncode == 0:
                break
            assert done.returncode == -signal.SIGKILL, done.stderr
            kills += 1
        assert kills >= 4
        assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")
        assert not leftovers(tmp_path)


def stopped(recipe, files, source, running, after, number=signal.SIGTERM):
    """Run until a real signal stops it after this many iterations, with its states written."""

    def say(line):
        if line.startswith(f"iteration {after} "):
            os.kill(os.getpid(), number)

    name = signal.Signals(number).name
    with pytest.raises(Interrupted, match=rf"stopped by {name} after iteration \d+; the state is written"):
        train(recipe, files, source, replace(running, say=say, log_every_seconds=0.0))


class TestSignals:
    @pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
    def test_a_job_told_to_stop_goes_on_where_it_was(self, number, recipe, running, bases, undisturbed, tmp_path):
        files = files_in(tmp_path / "out", "A3B+")
        source = bases / "baseA.safetensors"
        stopped(recipe, files, source, replace(running, state_every_seconds=1e9), 7, number)
        lines = []
        train(recipe, files, source, replace(running, say=lines.append))
        assert "resuming at iteration 8" in lines
        assert contents(tmp_path / "out").items() <= undisturbed.items()

    def test_under_nohup_a_lost_terminal_stops_nothing(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with StopRequest() as stop:
                os.kill(os.getpid(), signal.SIGHUP)
                assert not stop
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, before)


class TestATerminalThatIsGone:
    SCRIPT = """
import sys
from pathlib import Path
from transferability.process.log import job_log
with job_log(Path(sys.argv[1]), "job") as say:
    sys.stdin.readline()
    for i in range(3):
        say(f"line {i}")
"""

    @pytest.mark.parametrize("kind", ["unread", "closed"])
    def test_a_job_ends_well_and_its_log_is_whole(self, kind, tmp_path):
        log = tmp_path / "job.log"
        process = subprocess.Popen(
            [
                "sh",
                "-c",
                f'exec "$@" {"2>&-" if kind == "closed" else ""}',
                "sh",
                sys.executable,
                "-c",
                self.SCRIPT,
                log,
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stderr.close()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(60) == 0
        assert [line[-6:] for line in log.read_text().splitlines()] == ["line 0", "line 1", "line 2"]

    def test_a_full_disk_under_the_log_stops_nothing(self, capsys):
        with job_log(Path("/dev/full"), "job") as say:
            say("goes on")
        assert capsys.readouterr().err == "job: goes on\n"


def test_a_lock_is_as_open_to_others_as_all_files_are(tmp_path):
    """Otherwise, two members of a group could not use a shared folder one after the other."""
    before = os.umask(0o002)
    try:
        os.close(lock_file(tmp_path / "lock", "held"))
    finally:
        os.umask(before)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o664


class SmallDisk:
    """A file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("takes the right to mount a tmpfs, which root has")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def largest_file(size):
    """Limit the size of files, which acts like a full disk for users who may not mount one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestAFullDisk:
    def test_training_names_the_file_and_goes_on_once_there_is_room(
        self, recipe, running, bases, undisturbed, small_disk, tmp_path
    ):
        files, source = files_in(tmp_path / "out", "A3B+"), bases / "baseA.safetensors"
        running = replace(running, states=small_disk.folder / "states")
        with pytest.raises(OSError, match=r"No space left on device: '.*newest\.state'"):
            train(recipe, files, source, running)
        assert not leftovers(small_disk.folder)
        small_disk.remount("size=16m")
        lines = []
        train(recipe, files, source, replace(running, say=lines.append))
        assert any(line.startswith("resuming at iteration") for line in lines)
        assert contents(tmp_path / "out").items() <= undisturbed.items()

    def test_without_room_for_a_checkpoint_the_states_are_kept(self, recipe, running, bases, small_disk, tmp_path):
        files, source = files_in(small_disk.folder, "A3B+"), bases / "baseA.safetensors"
        filler = small_disk.folder / "filler"
        with filler.open("wb") as file, contextlib.suppress(OSError):
            file.write(bytes(1900 * 1024))
        with pytest.raises(OSError, match=r"No space left on device: '.*A3B\+\.safetensors'"):
            train(recipe, files, source, running)
        assert [path.name for path in small_disk.folder.iterdir()] == ["filler"]
        filler.unlink()
        lines = []
        train(recipe, files, source, replace(running, say=lines.append))
        assert "resuming at iteration 24" in lines

    def test_a_store_that_does_not_fit_says_so(self, small_disk):
        large = Patterns(image_shape=(200, 200, 1))
        with pytest.raises(
            StoreError, match=r"the store takes .* MB, but only .* MB are free; set stores to a folder with more room"
        ):
            build_store(large, small_disk.folder / "store")
        assert not list((small_disk.folder / "store").iterdir())

    @pytest.mark.parametrize(
        ("name", "write"),
        [
            ("a.csv", lambda path: write_csv(path, ["x"], [("y" * 50_000,)])),
            ("a.safetensors", lambda path: save_checkpoint(path, {"w": torch.zeros(20_000)}, {})),
        ],
    )
    def test_a_file_that_cannot_grow_is_named_and_not_left_half_written(self, name, write, tmp_path):
        with largest_file(10_000), pytest.raises(OSError, match=rf"File too large: '.*{name}'"):
            write(tmp_path / name)
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
        write(tmp_path / name)
        assert (tmp_path / name).exists()


def test_a_folder_that_cannot_be_written_to_is_named(small_disk):
    require_writable(small_disk.folder / "results")
    assert not list((small_disk.folder / "results").iterdir())
    small_disk.remount("ro")
    for folder in ("results", "other"):
        with pytest.raises(OSError, match=rf"/{folder}: cannot be written to \(Read-only file system\)"):
            require_writable(small_disk.folder / folder)


class TestStates:
    """Anything wrong with the states makes a network start again, never continue wrongly."""

    @pytest.fixture
    def half_way(self, recipe, running, bases, tmp_path):
        files = files_in(tmp_path / "out", "A3B+")
        stopped(recipe, files, bases / "baseA.safetensors", running, 9)
        return files

    @pytest.mark.parametrize("damage", [truncate, lambda path: flip(path, -100), lambda path: path.write_bytes(b"")])
    def test_a_damaged_one(self, damage, half_way, recipe, running, bases, undisturbed, tmp_path):
        lines = []
        damage(running.states / "A3B+" / "newest.state")
        stopped(recipe, half_way, bases / "baseA.safetensors", running, 12)
        for path in (running.states / "A3B+").glob("*.state"):
            damage(path)
        train(recipe, half_way, bases / "baseA.safetensors", replace(running, say=lines.append))
        assert not any(line.startswith("going on") for line in lines)
        assert contents(tmp_path / "out").items() <= undisturbed.items()

    def test_one_of_another_engine_version(self, half_way, recipe, running, bases):
        lines, later = [], with_settings(recipe, engine_version=10_000)
        train(later, half_way, bases / "baseA.safetensors", replace(running, say=lines.append))
        assert not any(line.startswith("going on") for line in lines)
        (files,) = half_way.values()
        assert read_about(files.checkpoint)["engine_version"] == 10_000

    def test_one_of_a_sibling(self, half_way, recipe, running, bases, undisturbed, tmp_path):
        shutil.copytree(running.states / "A3B+", running.states / "A7B")
        lines = []
        train(
            recipe, files_in(tmp_path / "out", "A7B"), bases / "baseA.safetensors", replace(running, say=lines.append)
        )
        assert not any(line.startswith("going on") for line in lines)
        assert contents(tmp_path / "out").items() <= undisturbed.items()


class TestSources:
    """A base's checkpoint that is not what it should be stops its series, by name, before anything is trained."""

    @pytest.fixture
    def source(self, bases, tmp_path):
        return Path(shutil.copy(bases / "baseA.safetensors", tmp_path))

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (truncate, "not a readable checkpoint .* delete it to train the network again"),
            (lambda path: flip(path, -3), "its weights are damaged; delete it to train the network again"),
            (lambda path: flip(path, 8), "not a readable checkpoint"),
        ],
    )
    def test_a_damaged_one(self, damage, message, source, recipe, running, tmp_path):
        damage(source)
        with pytest.raises(CheckpointError, match=rf"baseA\.safetensors: {message}"):
            train(recipe, files_in(tmp_path / "out", "A1B", "A3B"), source, running)
        assert not (tmp_path / "out").exists()

    def test_one_swapped_with_its_sibling(self, source, bases, recipe, running, tmp_path):
        shutil.copy(bases / "baseB.safetensors", source)
        with pytest.raises(CheckpointError, match="its network is 'baseB', not 'baseA'"):
            train(recipe, files_in(tmp_path / "out", "A1B"), source, running)
        assert not (tmp_path / "out").exists()


class TestStoresThatChange:
    def test_a_rebuilt_store_of_other_images_is_not_the_splits_nor_the_bases(self, recipe, running, bases, tmp_path):
        build_store(Patterns(training_per_class=13), tmp_path / "store")
        other = open_store(tmp_path / "store")
        with pytest.raises(SplitError, match="made for another store"):
            split_from_json(split_to_json(recipe.split, recipe.store), other)
        files = files_in(tmp_path / "out", "A1B")
        with pytest.raises(CheckpointError, match="its store_checksum is"):
            train(replace(recipe, store=other), files, bases / "baseA.safetensors", running)

    @pytest.mark.parametrize("name", ["images.npy", "labels.npy", "class_sums.npy", "manifest.json"])
    def test_half_a_file_is_named(self, name, tmp_path):
        build_store(Patterns(), tmp_path)
        truncate(tmp_path / name)
        with pytest.raises(ValueError, match=rf"{name}: damaged"):
            open_store(tmp_path)

    CUT_SHORT = """
import os, sys
from pathlib import Path
from transferability.process.log import job_log
from transferability.store.reading import open_store
folder = Path(sys.argv[1])
with job_log(Path(sys.argv[2]), "job"):
    store = open_store(folder)
    os.truncate(folder / "images.npy", 4096)
    store.images[-1].sum()
"""

    def test_one_cut_short_while_it_is_read_leaves_where_in_the_log_and_is_refused_by_name(self, tmp_path):
        build_store(Patterns(), tmp_path / "store")
        log = tmp_path / "job.log"
        done = subprocess.run(
            [sys.executable, "-c", self.CUT_SHORT, tmp_path / "store", log],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        assert done.returncode == -signal.SIGBUS
        assert "Fatal Python error: Bus error" in log.read_text()
        with pytest.raises(StoreError, match=r"images\.npy: damaged \(.*\); delete .* to have the store built again"):
            open_store(tmp_path / "store")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"format": 1}, "format 1, this version reads"),
            ({"training": None}, "its content is not what was written"),
            ({"image_shape": 3}, "its content is not what was written"),
            ({"checksum": 7}, "its content is not what was written"),
        ],
    )
    def test_a_manifest_that_is_none_is_named(self, change, message, tmp_path):
        build_store(Patterns(), tmp_path)
        write_json(tmp_path / "manifest.json", read_json(tmp_path / "manifest.json") | change)
        with pytest.raises(StoreError, match=rf"manifest\.json: .*{message}.*; delete .* built again"):
            open_store(tmp_path)
        write_json(tmp_path / "manifest.json", [])
        with pytest.raises(StoreError, match=r"manifest\.json: format None"):
            open_store(tmp_path)

    def test_other_labels_are_named(self, tmp_path):
        build_store(Patterns(), tmp_path)
        labels = np.load(tmp_path / "labels.npy", allow_pickle=False)
        labels[3] = 6
        np.save(tmp_path / "labels.npy", labels)
        with pytest.raises(StoreError, match=r"labels\.npy: damaged \(its content is not what was written\)"):
            open_store(tmp_path)

    def test_half_a_split_is_named(self, recipe, tmp_path):
        write_json(tmp_path / "random0.json", split_to_json(recipe.split, recipe.store))
        truncate(tmp_path / "random0.json")
        with pytest.raises(ValueError, match=r"random0\.json: damaged .* delete it to have it made again"):
            read_json(tmp_path / "random0.json")


class TestExplosions:
    @pytest.fixture
    def exploding(self, monkeypatch):
        """Returns a function that makes a network's last layer useless after an iteration."""
        original = Learner.note

        def explode(name, after, factor):
            def note(self, loss):
                original(self, loss)
                if (self.network.name, self.iteration) == (name, after):
                    with torch.no_grad():
                        self.model[-1][0].weight.mul_(factor)

            monkeypatch.setattr(Learner, "note", note)

        return explode

    @pytest.mark.parametrize(
        ("after", "factor", "message"),
        [
            (8, float("nan"), r"A1B: the loss is nan at iteration 9; lower its learning rate \(0\.02\)"),
            (8, -1e9, r"A1B: the loss is [\d.]+e\+\d+ at iteration 9; lower its learning rate"),
            (24, float("nan"), r"A1B: the loss is nan at iteration 24; lower its learning rate"),
        ],
    )
    def test_one_network_fails_by_name_and_step_and_its_siblings_are_finished(
        self, after, factor, message, exploding, recipe, running, bases, undisturbed, tmp_path, monkeypatch
    ):
        files, source = files_in(tmp_path / "out", "A1B", "A7B"), bases / "baseA.safetensors"
        exploding("A1B", after, factor)
        with pytest.raises(TrainingError, match=message + r".*; 1 of 2 networks are finished and kept"):
            train(recipe, files, source, running)
        assert {"A7B.safetensors": undisturbed["A7B.safetensors"]}.items() <= contents(tmp_path / "out").items()
        assert "A1B.safetensors" not in contents(tmp_path / "out")

        lines = []
        with pytest.raises(TrainingError, match=message):  # again: the same refusal, and the sibling is not trained
            train(recipe, files, source, replace(running, say=lines.append))
        assert "1 of 2 networks were finished before and are kept" in lines

        monkeypatch.undo()  # no state with NaN weights or an exploded loss was kept
        if math.isfinite(factor):
            shutil.rmtree(running.states / "A1B")
        train(recipe, files, source, running)
        assert contents(tmp_path / "out").items() <= undisturbed.items()

    def test_the_others_go_on_from_their_states_when_all_that_lag_behind_have_failed(
        self, exploding, recipe, running, bases, undisturbed, tmp_path
    ):
        files, source = files_in(tmp_path / "out", "A1B", "A7B"), bases / "baseA.safetensors"

        class Dying(StateFolder):
            """A crash that leaves one network's state at 4 and its sibling's at 20."""

            def save(self, state):
                if state.iteration <= 4 or self._folder.name == "A7B":
                    super().save(state)
                if state.iteration == 20 and self._folder.name == "A7B":
                    raise KeyboardInterrupt

        train_until_it_dies(Dying, recipe, files, source, running)
        exploding("A1B", 5, float("nan"))  # seen at 6; until 20 there is no network to train
        lines = []
        with pytest.raises(TrainingError, match=r"A1B: the loss is nan at iteration 6; .*; 1 of 2 networks"):
            train(recipe, files, source, replace(running, say=lines.append))
        assert "resuming at iteration 4" in lines
        assert {"A7B.safetensors": undisturbed["A7B.safetensors"]}.items() <= contents(tmp_path / "out").items()

    def test_the_iteration_is_told_after_a_restart_between_two_evaluations(
        self, exploding, recipe, running, bases, tmp_path
    ):
        files, source = files_in(tmp_path / "out", "A1B"), bases / "baseA.safetensors"
        stopped(recipe, files, source, running, 7)  # with a state after 8: evaluations are after 6 and 12
        exploding("A1B", 9, float("nan"))
        with pytest.raises(TrainingError, match=r"A1B: the loss is nan at iteration 10; lower its learning rate"):
            train(recipe, files, source, running)

    def test_when_all_have_failed_the_job_ends_at_once(self, recipe, running, bases, tmp_path):
        wild = recipe.with_hyperparameters(learning_rate=1e12)
        files, lines = files_in(tmp_path / "out", "A1B", "A7B"), []
        with pytest.raises(TrainingError, match=r"A1B: .*; A7B: .*; 0 of 2 networks are finished"):
            train(wild, files, bases / "baseA.safetensors", replace(running, say=lines.append, log_every_seconds=0.0))
        assert not any(line.startswith("iteration 7 ") for line in lines)  # the first evaluation is after 6
        assert not (tmp_path / "out").exists()


class TestNothingRuns:
    """Other people's files are data: our code never unpickles or evaluates what it reads."""

    SOURCES = sorted((ROOT / "workflow").rglob("*.py")) + sorted((ROOT / "benchmarks").glob("*.py"))
    MODULES = frozenset({"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"})
    CALLS = frozenset({"eval", "exec", "pd.read_pickle", "yaml.load", "yaml.unsafe_load", "np.fromregex"})

    @pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
    def test_no_source_file_can_unpickle(self, path):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert self.MODULES.isdisjoint(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in self.MODULES
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in self.CALLS, f"{path}, line {node.lineno}"
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                if called in ("np.load", "numpy.load"):
                    assert given.get("allow_pickle") == "False", f"{path}, line {node.lineno}"
                if called == "torch.load":
                    assert given.get("weights_only") == "True", f"{path}, line {node.lineno}"

    @pytest.fixture
    def trap(self):
        """A pickle that fails the test when it is opened."""

        class Trap:
            def __reduce__(self):
                return (pytest.fail, ("unpickled",))

        return Trap()

    @pytest.mark.parametrize("name", ["images.npy", "labels.npy", "class_sums.npy"])
    def test_a_store_with_a_pickle_in_it_is_refused(self, name, trap, tmp_path):
        build_store(Patterns(), tmp_path)
        content = io.BytesIO()
        np.save(content, np.array([trap], dtype=object), allow_pickle=True)
        for pickled in (content.getvalue(), pickle.dumps(trap)):
            (tmp_path / name).write_bytes(pickled)
            with pytest.raises(StoreError, match=name):
                open_store(tmp_path)

    def test_a_manifest_a_split_and_a_metrics_file_that_are_pickles_are_refused(self, trap, tmp_path):
        (tmp_path / "file.json").write_bytes(pickle.dumps(trap))
        with pytest.raises(ValueError, match=r"file\.json: damaged"):
            read_json(tmp_path / "file.json")

    def test_a_checkpoint_that_is_a_pickle_is_refused(self, trap, tmp_path):
        (tmp_path / "plain").write_bytes(pickle.dumps(trap))
        torch.save({"w": trap}, tmp_path / "torch")
        for name in ("plain", "torch"):
            with pytest.raises(CheckpointError, match="not a readable checkpoint"):
                load_weights(tmp_path / name)

    def test_a_state_that_is_a_pickle_is_passed_over(self, trap, tmp_path):
        (tmp_path / "newest.state").write_bytes(pickle.dumps(trap))
        torch.save({"w": trap}, tmp_path / "previous.state")
        assert StateFolder(tmp_path, "me").load() is None


def test_nothing_depends_on_the_time_of_day():
    """Durations come from a clock that never goes back; the time of day only says when a job was last heard from."""
    for path in TestNothingRuns.SOURCES:
        if path.name in ("progress.py", "status.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in (
                    "time.time",
                    "time.time_ns",
                    "datetime.now",
                    "datetime.datetime.now",
                )


# ---- The workflow ----------------------------------------------------------------------------------------------------

TINY = {"splits": ["random0"], "networks": {"depths": [1, 7], "treatments": ["transfer"]}}
CHECKPOINTS = [
    f"results/small/networks/random0/seed0/{name}.safetensors"
    for name in ("baseA", "baseB", "A1B", "A7B", "B1A", "B7A")
]
TARGETS = ["results/small/accuracies.csv", *CHECKPOINTS]


def tiny_project(folder):
    folder.mkdir()
    project = Project(folder)
    project.configure(TINY)
    return project


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A finished study of six networks, to be copied."""
    project = tiny_project(tmp_path_factory.mktemp("tiny") / "project")
    project.run()
    return project


@pytest.fixture
def project(tiny, tmp_path):
    """A copy of the finished study to damage."""
    project = tiny_project(tmp_path / "project")
    for name in ("results", ".snakemake"):
        shutil.copytree(tiny.folder / name, project.folder / name, copy_function=shutil.copy2)
    return project


@pytest.fixture
def fresh(tmp_path):
    """The same study before its first run."""
    return tiny_project(tmp_path / "fresh")


@pytest.mark.slow
class TestWorkflow:
    def test_a_finished_study_is_verified_and_what_is_damaged_is_named_and_comes_back(self, project, tiny):
        assert "checks passed" in project.run("verify")
        path = project.networks()["random0/seed0/A7B.safetensors"]
        flip(path, -3)
        output = project.run("verify", check=False)
        assert "checks failed:\nresults/small/networks/random0/seed0/A7B.safetensors: its weights are damaged" in output
        report = pd.read_csv(project.results / "verification.csv")
        wrong = report[report["result"] != "ok"]
        assert wrong["what"].tolist() == ["results/small/networks/random0/seed0/A7B.safetensors"]
        path.unlink()
        project.run(*TARGETS)
        assert project.contents() == tiny.contents()

    def test_a_truncated_base_stops_its_series_and_can_be_trained_again(self, project, tiny):
        base = project.networks()["random0/seed0/baseA.safetensors"]
        truncate(base)
        output = project.run(*TARGETS, check=False)
        assert "baseA.safetensors: not a readable checkpoint" in output
        assert "delete it to train the network again" in output
        base.unlink()
        project.run(*TARGETS)
        assert project.contents() == tiny.contents()

    def test_a_base_of_the_future_is_refused_and_costs_no_training(self, project, tiny):
        """If the clock was ahead when the base was trained, and was set back, the base is newer than later files."""
        base = project.networks()["random0/seed0/baseA.safetensors"]
        os.utime(base, (time.time() + 3600,) * 2)
        # Snakemake compares the content of small files; checkpoints of larger networks go by their time.
        by_time = ("--max-checksum-file-size", "0")
        assert "This could indicate a clock skew problem" in project.run(*TARGETS, *by_time, check=False)
        base.touch()
        output = project.run(*TARGETS, *by_time)
        assert "2 of 2 networks were finished before and are kept" in output
        assert "iteration" not in output
        assert project.contents() == tiny.contents()

    def test_a_learning_rate_that_explodes_fails_its_series_only(self, project, tiny):
        project.configure(merged(TINY, {"training": {"frozen": {"learning_rate": 1e9}}}))
        output = project.run(*TARGETS, check=False)
        for name in ("A1B", "A7B", "B1A", "B7A"):
            assert f"{name}: the loss is " in output
        assert {Path(name).stem for name in project.networks()} == {"baseA", "baseB"}
        project.configure(TINY)
        project.run(*TARGETS)
        assert project.contents() == tiny.contents()

    def test_results_that_cannot_be_written_are_refused_before_the_first_job(self, fresh, small_disk):
        small_disk.remount("ro")
        fresh.configure(merged(TINY, {"results": str(small_disk.folder)}))
        output = fresh.run(check=False)
        assert f"{small_disk.folder}/small: cannot be written to (Read-only file system)" in output
        assert "Traceback" not in output

    def test_on_a_full_disk_it_says_so_and_goes_on_once_there_is_room(self, fresh, tiny, small_disk):
        fresh.configure(merged(TINY, {"results": str(small_disk.folder)}))
        output = fresh.run(f"{small_disk.folder}/small/accuracies.csv", check=False)
        assert "No space left on device" in output
        small_disk.remount("size=64m")
        fresh.run(f"{small_disk.folder}/small/accuracies.csv")
        networks = small_disk.folder / "small" / "networks"
        assert {str(path.relative_to(networks)): path.read_bytes() for path in networks.rglob("*.safetensors")} == (
            tiny.contents()
        )

    def test_a_terminal_that_is_closed_leaves_states_to_go_on_from(self, fresh):
        fresh.configure(merged(TINY, {"training": {"iterations": 100_000}, "running": {"log_every_seconds": 0.1}}))
        base = "results/small/networks/random0/seed0/baseA.safetensors"
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(fresh.folder)
            os.execv(sys.executable, fresh.command(base))
        try:
            os.set_blocking(terminal, False)
            states = fresh.results / "states" / "random0" / "seed0" / "baseA" / "newest.state"

            def trains():
                with contextlib.suppress(BlockingIOError):  # otherwise, it would wait for its lines to be read
                    os.read(terminal, 1 << 16)
                return states.exists()

            wait_for(trains)
        finally:
            os.close(terminal)
            os.waitpid(process, 0)
        log = fresh.results / "logs" / "random0" / "seed0" / "baseA.log"
        wait_for(lambda: "stopped by SIGHUP after iteration" in text_of(log))
        assert StateFolder(states.parent, read_identity(states)).load().iteration > 0


def read_identity(state: Path) -> str:
    """The identity that a state file says it has."""
    content = state.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["transferability"])["identity"]
