"""Locks on a file system without any, and JSON that is not ours."""

import errno
import fcntl
import json
import os

import pytest

from transferability import files
from transferability.files import held_file, lock_file, read_json, require_writable
from transferability.records.states import StateFolder


@pytest.fixture(params=[errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def no_locks(request, monkeypatch):
    def flock(*_arguments):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(files, "_told_of_locks", [])


@pytest.mark.usefixtures("no_locks")
class TestNoLocks:
    def test_it_goes_on_and_says_once_what_that_means(self, tmp_path):
        said = []
        for name in ("a", "b"):
            with held_file(tmp_path / name, said.append, "waiting") as (descriptor, waited):
                assert os.fstat(descriptor).st_size == 0
                assert not waited
        (line,) = said
        assert line.startswith(f"{tmp_path}: its file system has no locks (")
        assert "make sure that only one runs at a time" in line

    def test_a_lock_that_says_nothing_of_its_own_tells_the_terminal(self, tmp_path, capsys):
        os.close(lock_file(tmp_path / "lock", "refused"))
        assert "has no locks" in capsys.readouterr().err

    def test_networks_are_held_all_the_same(self, tmp_path):
        with StateFolder(tmp_path, "me").held(lambda _line: None):
            pass

    def test_a_lock_that_is_required_is_refused(self, tmp_path):
        with pytest.raises(OSError, match=r"."):
            lock_file(tmp_path / "lock", "refused", required=True)


def test_any_other_fault_of_a_lock_is_one(tmp_path, monkeypatch):
    def flock(*_arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output error"):
        lock_file(tmp_path / "lock", "refused")


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"[" * 60 + b"]" * 60,
        b'{"a":' * 60 + b"1" + b"}" * 60,
        b"1" * 10_000,
        b"\xff\xfe",
        b"{",
        b"",
    ],
)
def test_json_that_is_none_of_ours_is_refused_by_name(content, tmp_path):
    path = tmp_path / "some.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"some\.json: damaged .* delete it to have it made again"):
        read_json(path)


def test_a_finished_networks_note_that_is_none_of_ours_is_passed_over(tmp_path):
    (tmp_path / "finished").mkdir()
    (tmp_path / "finished" / "note.json").write_text("[" * 100_000)
    assert not StateFolder(tmp_path, "me").restore_finished([tmp_path / "x"])


def test_json_of_ours_is_read(tmp_path):
    content = {"a": [1, {"b": [None, "ü"]}]}
    (tmp_path / "some.json").write_text(json.dumps(content))
    assert read_json(tmp_path / "some.json") == content


@pytest.mark.parametrize(("what", "said"), [("results", "results go there"), ("image stores", "image stores go there")])
def test_a_folder_below_a_file_is_refused_by_name_and_purpose(tmp_path, what, said):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=rf"file/x: cannot be written to \(Not a directory\); {said}$"):
        require_writable(tmp_path / "file" / "x", what)
