import errno
import fcntl
import json
import multiprocessing
import time

import pytest
import torch

from transferability.records.states import StateFolder, TrainingState, hold_all


def state(iteration, identity="me"):
    return TrainingState(
        identity, iteration, {"weights.a": torch.full((3,), float(iteration))}, {"history": [iteration]}
    )


@pytest.fixture
def folder(tmp_path):
    return StateFolder(tmp_path / "A3B", "me")


def test_the_newest_state_is_used(folder):
    for iteration in (1, 2, 3):
        folder.save(state(iteration))
    loaded = folder.load()
    assert loaded.iteration == 3
    assert loaded.progress == {"history": [3]}
    assert torch.equal(loaded.tensors["weights.a"], torch.full((3,), 3.0))


def test_nothing_there_is_no_state(folder):
    assert folder.load() is None


@pytest.mark.parametrize("position", [0, 8, 40, -40, -1])
def test_a_flipped_byte_anywhere_makes_the_one_before_be_used(folder, tmp_path, position):
    folder.save(state(1))
    folder.save(state(2))
    path = tmp_path / "A3B" / "newest.state"
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    assert folder.load().iteration == 1


@pytest.mark.parametrize("length", [0, 1, 20, 100])
def test_a_truncated_state_makes_the_one_before_be_used(folder, tmp_path, length):
    folder.save(state(1))
    folder.save(state(2))
    path = tmp_path / "A3B" / "newest.state"
    path.write_bytes(path.read_bytes()[:length])
    assert folder.load().iteration == 1


def test_a_crash_between_the_two_renames_leaves_the_one_before(folder, tmp_path):
    folder.save(state(1))
    (tmp_path / "A3B" / "newest.state").rename(tmp_path / "A3B" / "previous.state")
    assert folder.load().iteration == 1


def test_a_state_of_another_identity_is_not_used(folder, tmp_path):
    folder.save(state(5, identity="another"))
    assert folder.load() is None
    assert StateFolder(tmp_path / "A3B", "another").load().iteration == 5


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "out" / name for name in ("A3B.safetensors", "A3B.history.csv")]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_text(path.name)
    return paths


def test_finished_files_come_back_and_states_are_dropped(folder, files, tmp_path):
    folder.save(state(1))
    folder.keep_finished(files)
    assert folder.load() is None
    for path in files:
        path.unlink()
    assert folder.restore_finished(files)
    assert [path.read_text() for path in files] == [path.name for path in files]


def test_finished_files_of_another_identity_do_not_come_back(folder, files, tmp_path):
    folder.keep_finished(files)
    assert not StateFolder(tmp_path / "A3B", "another").restore_finished(files)


def test_damaged_finished_files_do_not_come_back(folder, files, tmp_path):
    folder.keep_finished(files)
    (tmp_path / "A3B" / "finished" / files[0].name).write_text("damaged")
    assert not folder.restore_finished(files)


def test_a_network_that_cannot_be_read_at_present_is_still_finished(folder, files, monkeypatch):
    folder.keep_finished(files)

    def fails(_path):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("transferability.records.states.sha256_of", fails)
        with pytest.raises(OSError, match="Input/output error"):
            folder.restore_finished(files)
    assert folder.restore_finished(files)


def test_damaged_notes_on_finished_files_do_not_count(folder, files, tmp_path):
    folder.keep_finished(files)
    notes = tmp_path / "A3B" / "finished" / "note.json"
    for content in ("", "[]", json.dumps({"identity": "me"}), json.dumps({"identity": "me", "sha256": []})):
        notes.write_text(content)
        assert not folder.restore_finished(files)


def _hold(path, ready):
    with StateFolder(path, "me").held(print):
        ready.set()
        time.sleep(60)


def test_one_waits_for_a_killed_holder_with_a_message(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, lines = context.Event(), []
    holder = context.Process(target=_hold, args=(tmp_path / "A3B", ready))
    holder.start()
    assert ready.wait(30)

    def say(line):
        lines.append(line)
        holder.kill()

    with StateFolder(tmp_path / "A3B", "me").held(say):
        assert lines == ["another process is training A3B; waiting for it"]
    holder.join()


def test_holding_several_holds_all(tmp_path):
    folders = [StateFolder(tmp_path / name, "me") for name in "ab"]
    with hold_all(folders, print):
        for name in "ab":
            with (tmp_path / name / "lock").open() as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
