import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

from tests.support import ROOT
from transferability.process.log import job_log
from transferability.process.signals import SIGNALS, Interrupted, StopRequest


def test_lines_go_to_the_file_and_to_the_terminal(tmp_path, capsys):
    with job_log(tmp_path / "logs" / "job.log", "random0 A1-7B") as say:
        say("iteration 1 of 2")
    assert re.fullmatch(r"[\d-]+ [\d:]+ iteration 1 of 2\n", (tmp_path / "logs" / "job.log").read_text())
    assert capsys.readouterr().err == "random0 A1-7B: iteration 1 of 2\n"


@pytest.mark.parametrize("error", [ValueError, RuntimeError, OSError, Interrupted])
def test_an_expected_problem_ends_the_job_with_its_message_alone(tmp_path, capsys, error):
    with pytest.raises(SystemExit) as caught, job_log(tmp_path / "job.log", "job"):
        raise error("what is wrong")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "job: what is wrong\n"
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_a_defect_keeps_its_traceback(tmp_path):
    with pytest.raises(KeyError), job_log(tmp_path / "job.log", "job"):
        raise KeyError("x")
    assert "KeyError" in (tmp_path / "job.log").read_text()


def test_a_message_that_is_not_unicode_is_not_lost(tmp_path):
    with job_log(tmp_path / "job.log", "job") as say:
        say("caf\udce9.png is no image")
    assert (tmp_path / "job.log").read_text().endswith("caf\\udce9.png is no image\n")


@pytest.mark.parametrize("number", [n for n in SIGNALS if n != signal.SIGINT], ids=lambda number: number.name)
def test_a_job_told_to_stop_clears_away_what_it_holds(tmp_path, capsys, number):
    held = tmp_path / "held"

    @contextmanager
    def holding():
        held.mkdir()
        try:
            yield
        finally:
            os.kill(os.getpid(), number)  # once more, while it clears away
            held.rmdir()

    with pytest.raises(SystemExit) as caught, job_log(tmp_path / "job.log", "job"), holding():
        os.kill(os.getpid(), number)
    assert (caught.value.code, held.exists()) == (1, False)
    assert capsys.readouterr().err == f"job: stopped by {number.name}\n"
    assert signal.getsignal(number) is signal.SIG_DFL


def test_signals_that_others_handle_or_ignore_are_theirs(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with job_log(tmp_path / "job.log", "job"):
            os.kill(os.getpid(), signal.SIGHUP)
            with StopRequest() as stop:
                os.kill(os.getpid(), signal.SIGTERM)
            assert stop.signal_name == "SIGTERM"
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


SCRIPTS = ROOT / "workflow" / "scripts"
JOB = """
import os, signal, sys, time
from pathlib import Path
from transferability.process.log import job_log
with job_log(Path(sys.argv[1]), "job", ["running.cache_gb", "training.batch_size"]) as say:
    held = bytearray(200_000_000)
    held[::4096] = b"x" * len(held[::4096])
    say("working")
    {end}
"""


def ended_by(tmp_path, end):
    """A job of its own process, once it and whatever watches it have ended: its log, and what the terminal shows."""
    log = tmp_path / "job.log"
    command = [sys.executable, "-c", JOB.replace("{end}", end), str(log)]
    # Its output is complete only when the watcher, which shares it, has ended.
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=False, timeout=60)
    return log.read_text(), done


class TestLastWords:
    LOWER = "lower running.cache_gb or training.batch_size, or give it more memory"

    @pytest.mark.parametrize("kill", ["os.kill(os.getpid(), 9)", "os.setpgid(0, 0); os.killpg(0, 9)"])
    def test_a_killed_job_is_told_in_its_log_and_on_the_terminal(self, tmp_path, kill):
        log, done = ended_by(tmp_path, f"time.sleep(2.5); {kill}")
        assert done.returncode == -signal.SIGKILL
        told = re.search(r"killed \(SIGKILL\); it used (\d+) MB: (.*)\n$", log)
        assert 200 < int(told[1]) < 400
        assert told[2].endswith(self.LOWER)
        assert done.stderr.endswith(f"job: {told[0]}")

    def test_killed_at_once_it_is_told_without_its_memory(self, tmp_path):
        log, _ = ended_by(tmp_path, "os.kill(os.getpid(), 9)")
        assert re.search(rf"killed \(SIGKILL\)(; it used \d+ MB)?: .*; {self.LOWER}\n$", log)

    @pytest.mark.parametrize(
        "end",
        ["pass", "sys.exit(3)", "raise KeyError(1)", "os.kill(os.getpid(), signal.SIGTERM)", "raise ValueError('x')"],
    )
    def test_a_job_that_has_its_own_words_has_the_last(self, tmp_path, end):
        log, _ = ended_by(tmp_path, end)
        assert "killed" not in log

    def test_what_python_says_of_a_fault_is_enough(self, tmp_path):
        log, _ = ended_by(tmp_path, "import ctypes; ctypes.string_at(0)")
        assert "Segmentation fault" in log
        assert "killed" not in log

    @pytest.mark.parametrize(
        "error", ["MemoryError()", "RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')", "bytearray(1 << 60)"]
    )
    def test_memory_that_python_lacks_is_told_with_what_to_lower(self, tmp_path, error):
        log, done = ended_by(tmp_path, f"raise {error}")
        assert done.returncode == 1
        assert log.endswith(f"memory has run out: {self.LOWER}\n")

    def test_the_watcher_ends_with_the_job(self, tmp_path):
        with job_log(tmp_path / "job.log", "job"):
            watchers = [
                child for child in psutil.Process().children() if any("last_words" in w for w in child.cmdline())
            ]
            assert len(watchers) == 1
        assert not watchers[0].is_running()
