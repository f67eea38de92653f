"""A study on a real SLURM cluster: the same bits as a local run, a GPU of its own for each job, through every fault."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project import ACCURACIES, Project, kill_started, merged, text_of, wait_for
from tests.workflow.slurm_cluster import SlurmCluster, job_processes, slurm, why_not
from transferability.process.slurm import queue_of

ON_CLUSTER = (
    # The cluster counts GPUs that do not exist: jobs compute on the CPU, but request one all the same.
    *("--set-resources", "train_base:gpu=1", "train_frozen_n1_to_7:gpu=1"),
    *("--profile", "profiles/slurm", "--slurm-status-command", "squeue", "--slurm-no-account"),
    *("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10"),
)
STUDY = {
    "splits": ["random0"],
    "networks": {"depths": [1, 7], "treatments": ["selffer"]},
    "training": {"iterations": 1000, "batch_size": 16, "evaluate_every": 250, "learning_rate": 0.005},
    "running": {"device": "cpu", "store_threads": 1, "cache_gb": 0.01, "state_every_seconds": 0.2},
}
LAST_WORDS = "killed (SIGKILL)"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not())]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"SLURM is installed, but does not start here: {error}")
    yield cluster
    kill_started()
    cluster.stop()


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The study, run locally."""
    project = project_in(tmp_path_factory.mktemp("here"))
    project.run(ACCURACIES)
    return project


def project_in(folder):
    project = Project(folder)
    project.configure(STUDY)
    return project


@dataclass(frozen=True)
class Training:
    """The process of a training job's present attempt, known by having the job's log open."""

    pid: int
    slurm_job: str
    gpus: str | None

    @property
    def node(self):
        return slurm("squeue", "--noheader", "--job", self.slurm_job, "--format", "%N").strip()


def trainings(project):
    """The jobs that are training now, by the names of their logs."""
    logs = {str(path): path.stem for path in (project.results / "logs").glob("*/seed*/*.log")}
    found = {}
    for pid, variables in job_processes().items():
        with contextlib.suppress(OSError):  # it has ended
            files = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
            for log in logs.keys() & set(files):
                found[logs[log]] = Training(pid, variables["SLURM_JOB_ID"], variables.get("CUDA_VISIBLE_DEVICES"))
    return found


def log_of(project, job):
    """A job's log, which Snakemake starts anew with every attempt."""
    return text_of(project.results / "logs" / "random0" / "seed0" / f"{job}.log")


def caught(project, job):
    """The job's next attempt, paused once it trains and has states, so that no machine is too fast for a fault."""
    first_network = re.sub(r"-\d", "", job)
    state = project.results / "states" / "random0" / "seed0" / first_network / "newest.state"

    def under_way():
        trains = state.exists() and "for half" in log_of(project, job)
        return trainings(project).get(job) if trains else None

    training = wait_for(under_way)
    os.kill(training.pid, signal.SIGSTOP)
    return training


def wait_for_end(training):
    """Wait until it has ended; SLURM checks time limits every 30 s."""
    wait_for(lambda: not Path(f"/proc/{training.pid}").exists())


def cancel(training):
    slurm("scancel", training.slurm_job)


def kill(training):
    os.kill(training.pid, signal.SIGKILL)


def run_out_of_time(training):
    """Move its time limit closer than the warning that it requested."""
    slurm("scontrol", "update", f"jobid={training.slurm_job}", "timelimit=2")


def start_requeued_jobs_elsewhere(node):
    """Start them at once, when SLURM would wait two minutes; a node with remains of a job does not take it again."""
    for job in slurm("squeue", "--noheader", "--states", "PENDING", "--format", "%i").split():
        slurm("scontrol", "update", f"jobid={job}", "starttime=now", f"excnodelist={node}")


SERIES = "A1-7A"  # of the base that finishes last


@pytest.fixture(scope="module")
def battered(cluster, here, tmp_path_factory):
    """The study on the cluster, after every fault, and the logs of each job's attempts, by job.

    The store, which no fault concerns, comes from the local run.
    """
    project, logs = project_in(tmp_path_factory.mktemp("battered")), defaultdict(list)
    shutil.copytree(here.folder / "results" / "stores", project.folder / "results" / "stores")
    process = project.start(*ON_CLUSTER, ACCURACIES)

    for job, fault in (("baseA", cancel), ("baseB", kill), ("baseA", run_out_of_time)):
        training = caught(project, job)
        fault(training)
        wait_for_end(training)
        if fault is kill:
            wait_for(lambda job=job: LAST_WORDS in log_of(project, job))
        logs[job].append(log_of(project, job))
    wait_for(lambda: "done in" in log_of(project, "baseA"))
    training = caught(project, SERIES)  # which starts now, whenever the other base was done
    for job in ("baseA", "baseB"):
        wait_for(lambda job=job: "done in" in log_of(project, job))
        logs[job].append(log_of(project, job))
    node = training.node
    cluster.set_down(node)
    wait_for_end(training)
    logs[SERIES].append(log_of(project, SERIES))
    start_requeued_jobs_elsewhere(node)

    training = caught(project, SERIES)
    node = training.node
    logs[SERIES].append(log_of(project, SERIES))
    cluster.cut_off(node)
    start_requeued_jobs_elsewhere(node)
    wait_for(lambda: "waiting for it" in log_of(project, SERIES))
    cluster.bring_back(node)

    os.killpg(process.pid, signal.SIGKILL)  # the command itself
    process = project.start(*ON_CLUSTER, ACCURACIES)
    os.kill(training.pid, signal.SIGCONT)  # the lost one
    assert process.wait(900) == 0
    logs[SERIES].append(log_of(project, SERIES))
    return project, logs


def stopped_after(log):
    return int(re.search(r"stopped by SIGTERM after iteration (\d+); the state is written", log)[1])


def went_on_from(log):
    return int(re.search(r"resuming at iteration (\d+)", log)[1])


class TestEveryFault:
    def test_canceled_it_goes_on_where_it_was(self, battered):
        _, logs = battered
        assert went_on_from(logs["baseA"][1]) == stopped_after(logs["baseA"][0]) > 0

    def test_out_of_time_it_goes_on_where_it_was(self, battered):
        _, logs = battered
        assert went_on_from(logs["baseA"][2]) == stopped_after(logs["baseA"][1]) > stopped_after(logs["baseA"][0])

    def test_killed_it_goes_on_from_its_last_state(self, battered):
        _, logs = battered
        assert "stopped" not in logs["baseB"][0]
        assert went_on_from(logs["baseB"][1]) > 0

    def test_killed_its_log_says_so_and_the_next_one_too(self, battered):
        _, logs = battered
        for log in logs["baseB"][:2]:
            assert LAST_WORDS in log
            assert "lower running.cache_gb, running.networks_per_job or training.batch_size" in log
        assert "the previous attempt, process" in logs["baseB"][1]

    def test_one_that_could_say_why_it_ended_was_not_killed(self, battered):
        _, logs = battered
        assert LAST_WORDS not in logs["baseA"][0] + logs["baseA"][1]

    def test_on_a_node_set_down_it_goes_on_where_it_was_on_another(self, battered):
        _, logs = battered
        assert went_on_from(logs[SERIES][1]) == stopped_after(logs[SERIES][0]) > 0

    def test_on_a_node_cut_off_it_is_waited_for_and_not_trained_twice(self, battered):
        _, logs = battered
        assert "2 of 2 networks were finished before and are kept" in logs[SERIES][2]

    def test_the_study_is_the_same_to_the_bit(self, battered, here):
        project, _ = battered
        same_results(here, project)


def same_results(one, other):
    assert one.contents() == other.contents()
    assert (one.folder / ACCURACIES).read_bytes() == (other.folder / ACCURACIES).read_bytes()


def test_a_study_on_the_cluster_is_the_same_to_the_bit(cluster, here, tmp_path):
    there = project_in(tmp_path)
    process, seen = there.start(*ON_CLUSTER, ACCURACIES), {}
    while process.poll() is None:
        at_once = {}
        for training in trainings(there).values():
            if node := training.node:
                at_once.setdefault(node, []).append(training.gpus)
                seen[training.slurm_job] = training.gpus
        for gpus in at_once.values():
            assert len(gpus) == len(set(gpus)) <= 2
        time.sleep(0.5)
    assert process.returncode == 0
    assert len(seen) > 2
    assert all(re.fullmatch(r"\d", gpus) for gpus in seen.values()), "each job sees one GPU"
    same_results(here, there)


def test_a_store_asks_for_what_the_nodes_have_and_status_says_why_jobs_wait(cluster, tmp_path):
    """The nodes have two cores each."""
    project = project_in(tmp_path)
    project.configure(merged(STUDY, {"running": {"store_threads": 16}}))
    process = project.start(*ON_CLUSTER, "results/small/splits/random0.json")
    submitted = wait_for(lambda: [job for job in queue_of(tmp_path).jobs if job.rule == "store"])
    assert submitted[0].cores == 2
    assert process.wait(600) == 0

    slurm("sbatch", "--chdir", str(tmp_path), "--cpus-per-task=16", "--comment=rule_store", "--wrap=true")
    wait_for(lambda: any(job.reason == "PartitionConfig" for job in queue_of(tmp_path).pending))
    text = " ".join(project.run("status").split())
    assert "store (SLURM job" in text
    assert "PartitionConfig: asks for 16 cores, partition gpu has nodes of 2: set running.store_threads" in text
    slurm("scancel", "--user", "root")
