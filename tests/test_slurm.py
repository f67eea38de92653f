"""A study on a real SLURM cluster: the same bits as a local run, and a GPU of its own for each job."""

import re
import subprocess
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
    "running": {"device": "cpu", "store_threads": 1, "resident_gb": 0.01, "state_seconds": 1},
}
TRAINING = r"python.*scripts/\w+\.train\.py"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not())]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"SLURM is installed, but does not start here: {error}")
    yield cluster
    cluster.stop()


def project_in(folder, training):
    project = Project(folder)
    project.configure(STUDY | {"training": training})
    return project


def running_jobs():
    """By job id: the GPUs that its training process sees."""
    jobs = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (path / "environ").read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            continue
        variables = dict(line.split("=", 1) for line in environment.split("\0") if "=" in line)
        if re.search(TRAINING, command) and "SLURM_JOB_ID" in variables:
            jobs[variables["SLURM_JOB_ID"]] = variables.get("CUDA_VISIBLE_DEVICES")
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
        for job, gpus in running_jobs().items():
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
