"""What a study's files show of its progress: in made-up folders, and in real runs by another process."""

import copy
import os
import re
import signal
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.project import Project, wait_for
from tests.support import DEFAULT
from transferability.data.kinds import image_source
from transferability.files import write_json
from transferability.inspection.status import DONE, SILENT, WAITING, status_of
from transferability.inspection.status_text import status_text
from transferability.process.slurm import Queue, QueuedJob
from transferability.records.progress import FAILED, RUNNING, STOPPED, SUFFIX, JobRecord, Process, read_job_record
from transferability.study.config import STAGES
from transferability.study.design import read_study
from transferability.study.layout import benchmark_file, states_folder
from transferability.study.settings import ENGINE_VERSION

NOW = 1_800_000_000.0
FAR_AWAY = Process("node7", 4242, 1, "99")
CPU = "cpu (1 threads)"
# Every network of the made-up study sees 500 x 64 images.
IMAGES = 32_000


class MadeUp:
    """The files of a study, without the study."""

    def __init__(self, folder, **changes):
        self.config = copy.deepcopy(DEFAULT) | {"results": str(folder), "splits": ["random0"]} | changes
        self.study = read_study(self.config)
        self.metrics = {
            (split, seed, network.name): self.study.folder / "networks" / split / f"seed{seed}" / f"{network.name}.json"
            for split, seed, network in self.study.networks()
        }

    def finish(self, *names, seconds=60.0, device=CPU, **made_from):
        for split, seed, network in self.study.networks():
            if network.name in names:
                made = self.study.asked_of(split, network)
                content = {"device": device, "seconds": seconds, "made_from": made | made_from}
                write_json(self.metrics[split, seed, network.name], content)

    def job(self, label, *names, age=0.0, split="random0", **facts):
        record = JobRecord(split, 0, label, names, f"logs/{split}/{label}.log", Process.this(), time=NOW - age)
        path = states_folder(self.config, split, 0) / f"{label}{SUFFIX}"
        write_json(path, asdict(replace(record, **facts)))
        return path

    def benchmark(self, job, seconds):
        """Write what Snakemake writes about a finished job."""
        path = benchmark_file(self.config, "random0", 0, job)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:12\t560.38\n")

    def status(self, **more):
        return status_of(self.study, self.metrics, NOW, **more)

    def text(self, **more):
        return status_text(self.status(**more), NOW)


def unwrapped(made_up, **more):
    return " ".join(made_up.text(**more).split())


HALF_WAY = {
    "iteration": 250,
    "iterations": 500,
    "images_per_second": 1000.0,
    "seconds_left": 32.0,
    "device": CPU,
}


@pytest.fixture
def made_up(tmp_path):
    return MadeUp(tmp_path)


def test_when_nothing_has_begun(made_up, tmp_path):
    assert made_up.status().counts == {"base": {WAITING: 2}, "frozen": {WAITING: 42}, "fine_tuned": {WAITING: 28}}
    text = made_up.text()
    assert re.search(r"^networks +done +running +waiting +failed +total$", text, re.MULTILINE)
    assert re.search(r"^all +0 +0 +72 +0 +72$", text, re.MULTILINE)
    assert "spent in training: nothing yet" in text
    assert "left: not known" in text
    assert not list(tmp_path.iterdir())


def test_when_all_is_done(made_up):
    made_up.finish(*(name for *_, name in made_up.metrics), seconds=300.0)
    text = made_up.text()
    assert re.search(r"^all +72 +0 +0 +0 +72$", text, re.MULTILINE)
    assert text.endswith(f"spent in training: 6.0 h on {CPU}\nleft: no training")


@pytest.mark.parametrize(("split", "share"), [("random0", 0.25), ({"name": "images0", "by": "images"}, 0.5)])
def test_networks_on_few_images_of_a_half_take_their_share_of_its_epochs(split, share, tmp_path, monkeypatch):
    """They use 25 images per class out of 100, or out of the 50 that a half by images has."""
    manifest = {"classes": 64, "training": 6400}
    monkeypatch.setattr("transferability.inspection.status.manifest_there", lambda _folder: manifest)
    networks = {"depths": [4], "fine_tuned_depths": [], "treatments": ["transfer"], "examples_per_class": [25]}
    changes = {"networks": networks, "training": {"few_images": "epochs"}}
    changed = {section: DEFAULT[section] | more for section, more in changes.items()}
    made_up = MadeUp(tmp_path, splits=[split], **changed)
    made_up.finish("baseA", "baseB", seconds=60.0)
    assert made_up.status().work_left == pytest.approx(4 * 60.0 * share)


def test_a_running_job_says_how_far_how_fast_how_good_and_where(made_up):
    made_up.job("A1-2B", "A1B", "A2B", top1={"A1B": 0.25, "A2B": None}, process=FAR_AWAY, **HALF_WAY)
    assert made_up.status().counts["frozen"] == {RUNNING: 2, WAITING: 40}
    assert (
        "running, with the newest top-1 accuracy of each network\n"
        "  random0 seed0 A1-2B: iteration 250 of 500, 1,000 images/s, 32 s left\n"
        "    A1B 0.250 A2B –\n"
        "    cpu (1 threads), process 4242 on node7, SLURM job 99\n"
    ) in made_up.text()


def test_a_job_that_has_only_started(made_up):
    made_up.job("baseA", "baseA", process=FAR_AWAY)
    assert "  random0 seed0 baseA: not yet training\n    process 4242 on node7, SLURM job 99\n" in made_up.text()


def test_a_failed_job_says_why_and_where_its_log_is(made_up):
    made_up.job("A1-2B+", "A1B+", "A2B+", outcome=FAILED, reason="A1B+: the loss is nan", **HALF_WAY)
    assert made_up.status().counts["fine_tuned"] == {FAILED: 2, WAITING: 26}
    assert "A1-2B+: iteration 250 of 500\n    A1B+: the loss is nan\n    logs/random0/A1-2B+.log\n" in made_up.text()


def test_siblings_of_a_failed_network_that_are_finished_are_done(made_up):
    made_up.finish("A2B+")
    made_up.job("A1-2B+", "A1B+", "A2B+", outcome=FAILED, seconds={"A1B+": 5.0, "A2B+": 60.0}, **HALF_WAY)
    assert made_up.status().counts["fine_tuned"] == {DONE: 1, FAILED: 1, WAITING: 26}
    assert made_up.status().spent == {CPU: 65.0}


def test_training_an_outdated_network_again_counts_both_times(made_up):
    made_up.finish("A1B+", architecture="caffenet")
    made_up.job("A1-2B+", "A1B+", "A2B+", seconds={"A1B+": 5.0, "A2B+": 7.0}, **HALF_WAY)
    assert made_up.status().spent == {CPU: 72.0}


def test_a_stopped_job_waits_to_go_on(made_up):
    made_up.job("baseA", "baseA", outcome=STOPPED, reason="stopped by SIGTERM after iteration 250", **HALF_WAY)
    assert made_up.status().counts["base"] == {WAITING: 2}
    assert "    stopped by SIGTERM after iteration 250\n" in made_up.text()


def test_a_killed_job_is_known_where_it_ran(made_up):
    ended = subprocess.Popen(["true"])
    ended.wait()
    here = replace(Process.this(), pid=ended.pid)
    made_up.job("baseA", "baseA", process=here, **HALF_WAY)
    assert made_up.status().counts["base"] == {FAILED: 1, WAITING: 1}
    assert f"process {ended.pid} is gone from {here.host}, killed (SIGKILL): usually because" in unwrapped(made_up)
    assert "lower running.cache_gb, running.networks_per_job or training.batch_size" in unwrapped(made_up)


@pytest.mark.parametrize(("age", "state"), [(-30, RUNNING), (299, RUNNING), (301, SILENT)])
def test_elsewhere_only_its_silence_tells(made_up, age, state):
    made_up.job("baseA", "baseA", process=FAR_AWAY, age=age, **HALF_WAY)
    assert made_up.status().counts["base"] == {state: 1, WAITING: 1}
    said = "last sign 5 min ago, cpu (1 threads), process 4242 on node7, SLURM job 99" in made_up.text()
    assert said == (state == SILENT)


def test_silence_is_longer_where_reports_are_rarer(tmp_path):
    made_up = MadeUp(tmp_path, running=DEFAULT["running"] | {"log_every_seconds": 60})
    made_up.job("baseA", "baseA", process=FAR_AWAY, age=599)
    assert made_up.status().counts["base"][RUNNING] == 1


def test_finished_networks_of_other_settings_wait(made_up):
    made_up.finish("baseA")
    made_up.finish("baseB", engine_version=ENGINE_VERSION - 1)
    assert made_up.status().counts["base"] == {DONE: 1, WAITING: 1}
    assert "1 of those waiting was trained before, with other settings than the config's" in made_up.text()


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_files_that_are_not_whole_are_passed_over(made_up, content):
    made_up.job("baseA", "baseA").write_text(content)
    path = made_up.metrics["random0", 0, "baseB"]
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert made_up.status().counts["base"] == {WAITING: 2}


def test_jobs_of_networks_that_the_config_no_longer_has_are_passed_over(made_up):
    made_up.job("A1-2A_preserve1", "A1A_preserve1", "A2A_preserve1", outcome=FAILED)
    assert made_up.status().jobs == []


class TestTimeLeft:
    def test_by_what_others_of_the_stage_took(self, made_up):
        made_up.finish("baseA", "baseB", seconds=100.0)
        made_up.finish("A1B", "A2B", seconds=10.0)
        made_up.finish("A1B+", seconds=50.0)
        assert made_up.status().work_left == pytest.approx(40 * 10 + 27 * 50)
        assert made_up.status().time_left is None

    def test_a_stage_of_which_nothing_is_known_goes_by_its_images(self, tmp_path):
        training = DEFAULT["training"] | {"fine_tuned": {"iterations": 1500}}
        made_up = MadeUp(tmp_path, training=training)
        made_up.finish("baseA", "baseB", seconds=10.0)
        assert made_up.status().work_left == pytest.approx(42 * 10 + 28 * 30)

    def test_what_runs_says_itself_how_long_it_will_take(self, made_up):
        made_up.job("baseA", "baseA", process=FAR_AWAY, **HALF_WAY | {"seconds_left": 16.0})
        made_up.job("R1-7A", *(f"R{n}A" for n in range(1, 8)), process=FAR_AWAY, **HALF_WAY | {"seconds_left": 112.0})
        waiting = (72 - 8) * IMAGES / 1000
        assert made_up.status().work_left == pytest.approx(16 + 112 + waiting)
        assert made_up.status().time_left == pytest.approx((16 + 112 + waiting) / 2)

    def test_the_longest_job_is_waited_for(self, tmp_path):
        made_up = MadeUp(tmp_path, networks=DEFAULT["networks"] | {"treatments": ["random"], "depths": [1]})
        made_up.finish("baseA", "baseB")
        for name, left in (("R1A", 1000.0), ("R1B", 10.0)):
            made_up.job(name, name, process=FAR_AWAY, **HALF_WAY | {"seconds_left": left})
        assert (made_up.status().work_left, made_up.status().time_left) == (1010, 1000)

    def test_of_what_was_stopped_half_is_done(self, tmp_path):
        made_up = MadeUp(tmp_path, networks=DEFAULT["networks"] | {"treatments": ["random"], "depths": [1]})
        made_up.finish("baseA", "baseB", "R1A", seconds=10.0)
        made_up.job("R1B", "R1B", outcome=STOPPED, **HALF_WAY)
        assert made_up.status().work_left == 5


class TestStarts:
    """The start and end of a job take longer than a short training."""

    @pytest.fixture
    def made_up(self, tmp_path):
        return MadeUp(tmp_path, networks=DEFAULT["networks"] | {"treatments": ["random"], "depths": [1, 2]})

    def test_they_are_what_finished_jobs_took_besides_training(self, made_up):
        made_up.finish("baseA", "baseB", seconds=10.0)
        made_up.benchmark("baseA", 14.0)
        made_up.benchmark("baseB", 18.0)
        made_up.job(
            "R1-2A", "R1A", "R2A", process=FAR_AWAY, **HALF_WAY | {"seconds_left": 20.0, "images_per_second": 3200.0}
        )
        status = made_up.status()
        assert (status.starts_left, status.start_seconds, status.work_left) == (1, 6.0, 40.0)
        assert status.time_left == 46.0
        assert (
            "left: about 40 s of training, and 6 s for the start and end of 1 job; 46 s with 1 job at a time; then come"
            in unwrapped(made_up)
        )

    def test_jobs_of_several_attempts_tell_nothing(self, made_up):
        made_up.finish("baseA", seconds=10.0)
        made_up.benchmark("baseA", 7.0)
        assert made_up.status().start_seconds is None
        assert "and the start of 3 jobs, of which nothing is known yet" in unwrapped(made_up)

    def test_before_any_has_finished_those_that_train_tell(self, made_up):
        made_up.job("baseA", "baseA", process=FAR_AWAY, start_seconds=5.0, **HALF_WAY)
        made_up.job("baseB", "baseB", process=FAR_AWAY)
        status = made_up.status()
        assert (status.starts_left, status.start_seconds) == (3, 5.0)

    def test_a_finished_study_starts_nothing(self, made_up):
        made_up.finish(*(name for *_, name in made_up.metrics))
        assert made_up.status().starts_left == 0


class TestQueue:
    JOB = QueuedJob("99", "PENDING", "Priority", 2, 4000.0, "gpu", "60:00", "store", "/home/me")

    def test_what_waits_is_told_by_its_reason(self, made_up):
        jobs = [replace(self.JOB, number=str(number), rule=f"train {number}") for number in range(40)]
        text = unwrapped(made_up, queue=Queue([*jobs, replace(self.JOB, reason="JobHeldUser")]))
        assert "waiting in SLURM's queue train 0 (SLURM job 0) and 39 more Priority: others are ahead" in text
        assert "store (SLURM job 99) JobHeldUser: held" in text

    @pytest.mark.parametrize(
        ("state", "reason"),
        [
            ("OUT_OF_MEMORY", "SLURM ended job 99 for want of memory: lower running.cache_gb"),
            ("NODE_FAIL", "SLURM job 99 has ended without a word: NODE_FAIL"),
        ],
    )
    def test_what_slurm_has_ended_has_failed(self, made_up, state, reason):
        made_up.job("baseA", "baseA", process=FAR_AWAY, **HALF_WAY)
        queue = Queue([replace(self.JOB, state=state)])
        assert made_up.status(queue=queue).counts["base"] == {FAILED: 1, WAITING: 1}
        assert reason in unwrapped(made_up, queue=queue)
        assert made_up.status(queue=Queue([replace(self.JOB, state="RUNNING")])).counts["base"][RUNNING] == 1


def test_networks_of_a_glyph_set_of_any_name_are_its_own(tmp_path):
    """The identity is that of the data set's name in the config, which its store bears."""
    settings = DEFAULT["datasets"]["glyphs"]
    made_up = MadeUp(tmp_path, dataset="letters", datasets={"letters": settings})
    with image_source(made_up.study.config["dataset"], made_up.study.data_set.store_settings) as source:
        made_up.finish("baseA", data_set=source.name)
    assert made_up.status().counts["base"] == {DONE: 1, WAITING: 1}


@pytest.mark.parametrize("begun", [0, 40, 400])
def test_a_thousand_networks_are_summarized(tmp_path, begun):
    made_up = MadeUp(tmp_path, splits=[f"random{i}" for i in range(14)])
    assert len(made_up.metrics) > 1000
    names = tuple(f"A{n}B+" for n in range(1, 8))
    top1 = dict.fromkeys(names, 0.123)
    for number in range(begun):
        split, seconds = f"random{number % 14}", {"seconds_left": float(number)}
        facts = {"process": FAR_AWAY, "top1": top1, "split": split, **HALF_WAY | seconds}
        outcome = {} if number % 2 else {"outcome": FAILED, "reason": "the loss is nan; " * 9}
        made_up.job(f"{'ABR'[number % 3]}{number}", *names, age=600 * (number % 7), **facts | outcome)
    lines = made_up.text().splitlines()
    assert len(lines) < 150
    assert max(map(len, lines[1:])) <= 80


states = st.sampled_from([DONE, RUNNING, SILENT, STOPPED, FAILED, WAITING])


@given(st.lists(states, min_size=72, max_size=72))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_network_is_counted_once(tmp_path_factory, states):
    made_up = MadeUp(tmp_path_factory.mktemp("study"))
    for (*_, name), state in zip(made_up.metrics, states, strict=True):
        if state == DONE:
            made_up.finish(name)
        elif state in (RUNNING, SILENT):
            made_up.job(name, name, process=FAR_AWAY, age=1e6 if state == SILENT else 0)
        elif state != WAITING:
            made_up.job(name, name, outcome=state)
    counts = made_up.status().counts
    assert list(counts) == [stage for stage in STAGES if stage in counts]
    for state in (DONE, RUNNING, SILENT, FAILED):
        assert sum(of_stage.get(state, 0) for of_stage in counts.values()) == states.count(state)
    assert sum(sum(of_stage.values()) for of_stage in counts.values()) == 72


BASES = ("random0/seed0/baseA", "random0/seed0/baseB")


@pytest.fixture
def project(tmp_path):
    """A project that trains two bases for some seconds, and reports a few times per second."""
    project = Project(tmp_path)
    project.configure(
        {"training": {"iterations": 1500}, "running": {"state_every_seconds": 1, "log_every_seconds": 0.1}}
    )
    return project


def targets(project):
    return [f"results/small/networks/{name}.safetensors" for name in BASES]


def records(project):
    paths = project.results.glob(f"states/random0/seed0/*{SUFFIX}")
    return [record for path in paths if (record := read_job_record(path)) is not None]


def under_way(project):
    return len(records(project)) == 2 and all(record.iteration for record in records(project))


def contents_and_times(project):
    """The contents and times of all files that a run leaves, except Snakemake's logs and lists of files."""
    passing = {project.folder / ".snakemake" / name for name in ("log", "iocache", "scripts", "auxiliary")}
    files = [path for folder in ("results", ".snakemake") for path in (project.folder / folder).rglob("*")]
    return {path: path.stat().st_mtime_ns for path in files if path.is_file() and passing.isdisjoint(path.parents)}


def row(text, stage):
    """A row of the table: how many networks are done, running, waiting and failed, and how many there are."""
    return tuple(map(int, re.search(rf"^{stage} +(.*)$", text, re.MULTILINE)[1].split()))


@pytest.mark.slow
class TestAsItRuns:
    def test_before_anything_has_run_it_makes_nothing(self, tmp_path):
        project = Project(tmp_path)
        assert row(project.run("status"), "all") == (0, 0, 64, 0, 64)
        assert not (tmp_path / "results").exists()

    def test_asked_again_and_again_it_disturbs_no_run(self, project, tmp_path):
        process = project.start(*targets(project))
        wait_for(lambda: under_way(project))
        seen = [row(project.run("status"), "base") for _ in range(3)]
        assert process.wait(600) == 0
        assert (0, 2, 2, 0, 4) in seen
        assert row(project.run("status"), "base") == (2, 0, 2, 0, 4)
        assert not records(project)

        before = contents_and_times(project)
        assert "Nothing to be done" in project.run(*targets(project))
        project.run("status")
        assert contents_and_times(project) == before

        (tmp_path / "undisturbed").mkdir()
        undisturbed = Project(tmp_path / "undisturbed")
        undisturbed.configure({"training": {"iterations": 1500}, "running": {"state_every_seconds": 60}})
        undisturbed.run(*targets(undisturbed))
        assert project.contents() == undisturbed.contents()

    def test_after_a_kill_it_says_so_and_the_same_command_resumes(self, project):
        process = project.start(*targets(project))
        wait_for(lambda: under_way(project) and len(list(project.results.rglob("newest.state"))) == 2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        pids = [record.process.pid for record in records(project)]
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
        before = contents_and_times(project)
        text = project.run("status")
        assert row(text, "base") == (0, 0, 2, 2, 4)
        for pid in pids:
            assert f"process {pid} is gone" in text
        assert contents_and_times(project) == before
        output = project.run(*targets(project))
        assert "resuming at iteration" in output
        assert row(project.run("status"), "base") == (2, 0, 2, 0, 4)

    def test_a_failed_job_is_told_with_its_reason_and_log(self, project):
        project.configure({"training": {"learning_rate": 1.0e12}})
        project.run(targets(project)[0], check=False)
        text = project.run("status")
        assert row(text, "base") == (0, 0, 3, 1, 4)
        assert re.search(r"baseA: the loss is (nan|inf)", text)
        assert "\n    results/small/logs/random0/seed0/baseA.log\n" in text
