import os
import re
import signal
from contextlib import contextmanager

import pytest

from transferability.interruption import SIGNALS, Interrupted, StopRequest
from transferability.joblog import job_log


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
