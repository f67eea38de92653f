"""Learning curves as TensorBoard reads them, with its own reader."""

import importlib
import importlib.util
import time
from dataclasses import replace

import pytest

from tests.support import files_in
from transferability.process.signals import Interrupted
from transferability.records.progress import Progress
from transferability.training.event_files import TAGS, event_files, require_tensorboard
from transferability.training.train import train

NAMES = ("R1B", "R3B+")


def test_without_tensorboard_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    sentence = r"^running\.tensorboard: is true, but .* pip install tensorboard, or set it to false$"
    with pytest.raises(ValueError, match=sentence):
        require_tensorboard()
    with pytest.raises(ValueError, match=sentence), event_files(tmp_path, wanted=True):
        pass


def test_nobody_needs_tensorboard_who_does_not_want_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with event_files(tmp_path / "events", wanted=False) as watchers:
        assert watchers == []
    assert not (tmp_path / "events").exists()


@pytest.fixture
def reader():
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    return lambda folder: accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0})


@pytest.fixture
def trained(recipe, running, tmp_path):
    """Returns a function that trains both networks with event files, until told to stop, and returns their files."""

    def run(name, stop_at=None):
        time.sleep(1.1)  # attempts have files of their own, in the order of the seconds in their names
        with event_files(tmp_path / name / "events", wanted=True) as curves:

            def stop(progress):
                if progress.iteration == stop_at:
                    raise Interrupted

            watchers = [*curves, stop]
            states = tmp_path / name / "states"
            files = files_in(tmp_path / name, *NAMES)
            train(recipe, files, None, replace(running, states=states, log_every_seconds=0.0, watchers=watchers))
        return tmp_path / name

    return run


def curve(accumulator, tag):
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]


def recorded(folder, name, column):
    header, *rows = [line.split(",") for line in (folder / f"{name}.history.csv").read_text().splitlines()]
    place = header.index(column)
    return [(int(row[0]), pytest.approx(float(row[place]), rel=1e-6)) for row in rows]


def test_every_evaluation_of_every_network_is_in_its_curve(reader, trained):
    folder = trained("run")
    for name in NAMES:
        accumulator = reader(folder / "events" / name).Reload()
        assert set(accumulator.Tags()["scalars"]) == set(TAGS.values())
        for column, tag in TAGS.items():
            assert curve(accumulator, tag) == recorded(folder, name, column)


def test_weights_are_the_same_to_the_bit_with_and_without(reader, trained, recipe, running, tmp_path):
    folder = trained("run")
    train(recipe, files_in(tmp_path / "without", *NAMES), None, running)
    for name in NAMES:
        for kind in ("safetensors", "history.csv"):
            assert (folder / f"{name}.{kind}").read_bytes() == (tmp_path / "without" / f"{name}.{kind}").read_bytes()


def test_after_an_interruption_no_point_is_there_twice_or_lost(reader, trained, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        trained("run", stop_at=13)
    watching = {name: reader(folder / "events" / name).Reload() for name in NAMES}
    for accumulator in watching.values():
        assert [event.step for event in accumulator.Scalars("accuracy/top1")] == [6, 12]
    trained("run")
    for name in NAMES:
        # A reader that looks for the first time, and one that has been watching all along.
        for accumulator in (reader(folder / "events" / name).Reload(), watching[name].Reload()):
            assert curve(accumulator, "accuracy/top1") == recorded(folder, name, "validation_top1")


def test_points_after_the_last_state_are_those_of_the_second_attempt(reader, trained, tmp_path, monkeypatch):
    """The job dies with a curve that reaches beyond its last state."""
    from transferability.records.states import StateFolder

    save = StateFolder.save
    monkeypatch.setattr(StateFolder, "save", lambda self, state: save(self, state) if state.iteration < 8 else None)
    with pytest.raises(Interrupted):
        trained("run", stop_at=19)
    monkeypatch.undo()
    folder = trained("run")
    for name in NAMES:
        accumulator = reader(folder / "events" / name).Reload()
        assert curve(accumulator, "loss/validation") == recorded(folder, name, "validation_loss")


def test_training_goes_on_when_event_files_cannot_be_written(reader, trained, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "events").write_text("a file where the folder should be")
    folder = trained("run")
    assert (folder / "R1B.safetensors").exists()


def test_a_disk_that_is_full_in_the_end_fails_no_job(reader, monkeypatch, tmp_path):
    """There is no room for what is written when a file is closed."""
    writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter
    closed = []

    def close(_writer):
        closed.append(True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "close", close)
    histories = {name: [dict.fromkeys(TAGS, 0.5) | {"iteration": 6}] for name in NAMES}
    with event_files(tmp_path, wanted=True) as (watch,):
        watch(Progress(6, 12, 1.0, 1.0, {}, "cpu", histories))
    assert len(closed) == 2
