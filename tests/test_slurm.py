"""A study on a real SLURM cluster: the same bits as a local run, through cancelled jobs, lost nodes and time limits."""

import os
import re
import time
from pathlib import Path

import pytest

from slurm_cluster import SlurmCluster, slurm, why_not
from test_workflow import Project

ON_CLUSTER = (
    *("--profile", "profiles/slurm", "--slurm-status-command", "squeue", "--slurm-no-account"),
    *("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10"),
)
STUDY = {
    "splits": ["random0"],
    "networks": {"depths": [1, 7], "treatments": ["selffer", "transfer+"]},
    "running": {"device": "cpu", "store_threads": 1, "resident_gb": 0.01},
}
TRAINING = r"python.*scripts/\w+\.train\.py"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not())]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    cluster.start()
    yield cluster
    cluster.stop()


def project_in(folder, training):
    project = Project(folder)
    project.configure(STUDY | {"training": training})
    return project


def running_jobs():
    """By job id: the node it runs on, and the GPUs that its training process sees."""
    jobs = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (path / "environ").read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            continue
        if re.search(TRAINING, command):
            variables = dict(line.split("=", 1) for line in environment.split("\0") if "=" in line)
            jobs[variables["SLURM_JOB_ID"]] = (int(path.name), variables.get("CUDA_VISIBLE_DEVICES"))
    return jobs


def wait_for_jobs(count, process):
    deadline = time.monotonic() + 120
    while len(jobs := running_jobs()) < count:
        assert process.poll() is None, "the run ended before there were as many jobs"
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return jobs


def node_of(job):
    return slurm("squeue", "--noheader", "--job", job, "--format", "%N").strip()


def same_results(one, other):
    assert one.contents() == other.contents()
    assert (one.results / "accuracies.csv").read_bytes() == (other.results / "accuracies.csv").read_bytes()


def test_a_study_on_the_cluster_is_the_same_to_the_bit(cluster, tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    training = {"iterations": 12, "batch_size": 16, "evaluate_every": 4}
    here, there = (project_in(tmp_path / name, training) for name in ("here", "there"))
    here.run()
    process, seen = there.start(*ON_CLUSTER), {}
    while process.poll() is None:
        at_once = {}
        for job, (_, gpus) in running_jobs().items():
            if node := node_of(job):
                at_once.setdefault(node, []).append(gpus)
                seen[job] = gpus
        for gpus in at_once.values():
            assert len(gpus) == len(set(gpus)) <= 2
        time.sleep(0.2)
    assert process.returncode == 0
    assert len(seen) > 2
    assert all(re.fullmatch(r"\d", gpus) for gpus in seen.values()), "each job sees one GPU"
    same_results(here, there)


def test_cancelled_killed_timed_out_and_on_a_lost_node_it_ends_the_same(cluster, tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    training = {"iterations": 1500, "batch_size": 16, "evaluate_every": 500}
    here, there = (project_in(tmp_path / name, training) for name in ("here", "there"))
    process = there.start(*ON_CLUSTER)

    first, second = list(wait_for_jobs(2, process).items())[:2]
    slurm("scancel", first[0])
    os.kill(second[1][0], 9)

    job = next(iter(wait_for_jobs(1, process)))
    slurm("scontrol", "update", f"jobid={job}", "timelimit=1")  # nearer than the warning that the job asked for

    wait_until_gone(job)
    job = next(iter(wait_for_jobs(1, process)))
    node = node_of(job)
    slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    wait_until_gone(job)
    slurm("scontrol", "update", f"nodename={node}", "state=resume")

    deadline = time.monotonic() + 300
    while process.poll() is None:
        assert time.monotonic() < deadline
        start_requeued_jobs_now()
        time.sleep(1)
    if process.returncode:
        there.run(*ON_CLUSTER)
    logs = "".join(path.read_text() for path in (there.results / "logs").rglob("base*.log")) + "".join(
        path.read_text() for path in (there.results / "logs").rglob("*-7*.log")
    )
    assert "stopped by SIGTERM" in logs
    assert "going on from iteration" in logs
    here.run()
    same_results(here, there)


def start_requeued_jobs_now():
    """SLURM holds a requeued job back for two minutes."""
    for line in slurm("squeue", "--noheader", "--format", "%i %r").splitlines():
        job, reason = line.split(maxsplit=1)
        if reason == "BeginTime":
            slurm("scontrol", "update", f"jobid={job}", "starttime=now")


def wait_until_gone(job):
    deadline = time.monotonic() + 60
    while job in running_jobs():
        assert time.monotonic() < deadline
        time.sleep(0.2)
