import re

import pytest

from transferability.interruption import Interrupted
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
