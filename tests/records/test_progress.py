"""The file in which a training job reports its progress, which does not affect training."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from tests.support import files_in
from transferability.process.signals import Interrupted
from transferability.records.progress import (
    FAILED,
    RUNNING,
    STOPPED,
    JobRecord,
    Process,
    Progress,
    progress_file,
    read_job_record,
)
from transferability.training.learner import Learner
from transferability.training.train import TrainingError, train

JOB = JobRecord("random0", 0, "A1-3B", ("A1B", "A3B"), "logs/A1-3B.log", Process.this())
EVALUATION = {"iteration": 6, "validation_top1": 0.5}
HALF_WAY = Progress(
    iteration=9,
    iterations=18,
    images_per_second=72.0,
    seconds_left=2.0,
    seconds={"A1B": 1.0, "A3B": 1.0},
    device="cpu (1 threads)",
    histories={"A1B": [EVALUATION], "A3B": []},
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "states" / "A1-3B.progress.json"


def test_it_is_there_while_the_job_runs_and_says_what_the_job_said_last(path):
    with progress_file(path, JOB) as watch:
        began = read_job_record(path)
        watch(HALF_WAY)
        record = read_job_record(path)
    assert replace(began, time=0.0, peak_mb=None) == JOB
    assert began.peak_mb > 50
    assert began.start_seconds is None
    assert 0 < record.start_seconds < time.clock_gettime(time.CLOCK_BOOTTIME)
    assert (record.outcome, record.iteration, record.seconds_left) == (RUNNING, 9, 2.0)
    assert record.top1 == {"A1B": 0.5, "A3B": None}
    assert record.time >= began.time > 0
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (Interrupted("stopped by SIGTERM after iteration 9"), STOPPED, "stopped by SIGTERM after iteration 9"),
        (KeyboardInterrupt(), STOPPED, "KeyboardInterrupt()"),
        (TrainingError("A1B: the loss is nan;\nlower its rate"), FAILED, "A1B: the loss is nan; lower its rate"),
        (KeyError("x"), FAILED, "KeyError('x')"),
    ],
)
def test_a_job_that_does_not_finish_leaves_its_reason_in_one_line(path, error, outcome, reason):
    def die():
        with progress_file(path, JOB) as watch:
            watch(HALF_WAY)
            raise error

    with pytest.raises(type(error)):
        die()
    record = read_job_record(path)
    assert (record.outcome, record.reason, record.iteration) == (outcome, reason, 9)


def test_the_next_attempt_begins_anew(path):
    with pytest.raises(KeyError), progress_file(path, JOB):
        raise KeyError("x")
    with progress_file(path, JOB):
        assert read_job_record(path).outcome == RUNNING


def test_a_job_goes_on_when_its_file_cannot_be_written(path):
    path.parent.write_text("a file where the folder should be")
    with progress_file(path, JOB) as watch:
        watch(HALF_WAY)
    assert read_job_record(path) is None


@pytest.mark.parametrize("content", ["", '{"split": "random0"', "[]", "{}", json.dumps(asdict(JOB) | {"more": 1})])
def test_what_is_no_such_file_says_nothing(path, content):
    path.parent.mkdir()
    path.write_text(content)
    assert read_job_record(path) is None


class TestProcesses:
    def test_this_one_is_here(self):
        assert not Process.this().is_gone

    def test_one_that_has_ended_is_gone(self):
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        assert replace(Process.this(), pid=ended.pid).is_gone

    @pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"pid_namespace": 1}])
    def test_of_one_elsewhere_nothing_is_known(self, elsewhere):
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        assert not replace(Process.this(), pid=ended.pid, **elsewhere).is_gone

    def test_one_of_another_user_is_there(self, monkeypatch):
        def refuse(_pid, _signal):
            raise PermissionError

        monkeypatch.setattr(os, "kill", refuse)
        assert not Process.this().is_gone


class TestTraining:
    def test_watchers_are_told_from_the_first_iteration_to_the_last(self, recipe, running, tmp_path):
        seen = []
        train(
            recipe,
            files_in(tmp_path, "R1B", "R3B"),
            None,
            replace(running, log_every_seconds=0.0, watchers=[seen.append]),
        )
        assert [progress.iteration for progress in seen] == list(range(25))
        assert (seen[0].images_per_second, seen[0].seconds_left) == (None, None)
        assert seen[-1].seconds_left == 0.0
        assert {name: len(rows) for name, rows in seen[-1].histories.items()} == {"R1B": 4, "R3B": 4}
        metrics = json.loads((tmp_path / "R3B.metrics.json").read_text())
        # The file's are rounded to milliseconds, and have the evaluation on training images too.
        assert round(seen[-1].seconds["R3B"], 3) <= metrics["seconds"]
        assert seen[-1].top1["R3B"] == metrics["top1_final"]

    def test_the_rate_counts_networks_that_still_learn(self, recipe, running, tmp_path, monkeypatch):
        """Of two networks, one is given up after 6 of 24 iterations."""
        original = Learner.note

        def note(self, loss):
            original(self, loss)
            if (self.network.name, self.iteration) == ("R1B", 6):
                self.model[-1][0].weight.data.fill_(float("nan"))

        monkeypatch.setattr(Learner, "note", note)
        seen = []
        files = files_in(tmp_path, "R1B", "R3B")
        with pytest.raises(TrainingError):
            train(recipe, files, None, replace(running, log_every_seconds=0.0, watchers=[seen.append]))
        last_but_one = seen[-2]
        seconds = last_but_one.seconds_left * 23  # as long as 23 iterations took, one is left
        images = (6 * 2 + 17) * recipe.hyperparameters.batch_size
        assert last_but_one.images_per_second * seconds == pytest.approx(images)

    def test_a_watched_network_is_the_same_to_the_bit(self, recipe, running, path, tmp_path):
        train(recipe, files_in(tmp_path / "alone", "R1B"), None, running)
        with progress_file(path, JOB) as watch:
            watched = replace(running, states=tmp_path / "other", log_every_seconds=0.0, watchers=[watch])
            train(recipe, files_in(tmp_path / "watched", "R1B"), None, watched)
        for name in ("R1B.safetensors", "R1B.history.csv"):
            assert (tmp_path / "watched" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


class TestDeath:
    """What a job's next attempt knows about the previous one."""

    def test_a_process_that_is_gone_did_not_say_so(self):
        ended = subprocess.Popen(["true"])
        ended.wait()
        record = replace(JOB, process=replace(Process.this(), pid=ended.pid), peak_mb=5321)
        lower = "running.cache_gb, running.networks_per_job or training.batch_size"
        assert record.death == (
            f"the previous attempt, process {ended.pid} on {record.process.host}, was killed (SIGKILL); "
            f"it used 5,321 MB: usually because memory ran out; lower {lower}, or give it more memory"
        )

    def test_on_another_node_it_did_not_either(self):
        assert replace(JOB, process=replace(Process.this(), host="node7")).death

    def test_one_that_lives_or_gave_its_reason_is_no_death(self):
        assert replace(JOB, process=Process.this()).death is None
        assert replace(JOB, process=replace(Process.this(), host="node7"), outcome=FAILED).death is None
