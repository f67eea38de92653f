"""What SLURM's answers mean; the answers themselves are in test_slurm.py."""

from dataclasses import replace
from pathlib import Path

import pytest

from transferability.process import slurm
from transferability.process.slurm import Node, Queue, QueuedJob, fewest_cores, partition_nodes, queue_of, why_it_waits

NODES = (
    Node("gpu", True, 8, 64_000, "infinite"),
    Node("gpu", True, 4, 32_000, "infinite"),
    Node("big", False, 64, 1, ""),
)
JOB = QueuedJob("7", "PENDING", "Priority", 2, 4000, "gpu", "60:00", "train_base random0_0_A", "/home/me/study")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": "Priority"}, "Priority: others are ahead"),
        ({"reason": "Resources"}, "Resources: no node is free yet"),
        (
            {"reason": "PartitionConfig", "cores": 16, "rule": "store"},
            "PartitionConfig: asks for 16 cores, partition gpu has nodes of 8: set running.store_threads",
        ),
        ({"reason": "Resources", "cores": 16}, "partition gpu has nodes of 8: set running.threads"),
        (
            {"reason": "PartitionConfig", "memory_mb": 99_000.0},
            "asks for 99,000 MB, partition gpu has nodes of 64,000 MB: lower running.cache_gb or running.networks",
        ),
        ({"reason": "PartitionConfig"}, "has no node with what it asks for, such as a GPU"),
        ({"reason": "PartitionTimeLimit"}, "lower running.longest_minutes"),
        ({"reason": "ReqNodeNotAvail, UnavailableNodes:n1"}, "down, drained or reserved"),
        ({"reason": "QOSMaxCpuPerJobLimit"}, "it exceeds the limit per job on cores: lower running.threads"),
        ({"reason": "AssocMaxWallDurationPerJobLimit"}, "limit per job on time: lower running.longest_minutes"),
        ({"reason": "QOSMaxCpuPerUserLimit"}, "it starts as others end"),
        ({"reason": "AssocGrpGRES"}, "it starts as others end"),
        ({"reason": "DependencyNeverSatisfied"}, "will never start"),
        ({"reason": "SomethingNew"}, "SomethingNew"),
    ],
)
def test_why_a_job_waits(changes, words):
    assert words in why_it_waits(replace(JOB, **changes), NODES)


def test_the_smallest_node_of_the_partition_counts():
    assert fewest_cores(NODES, None) == fewest_cores(NODES, "gpu") == 4
    assert fewest_cores(NODES, "big") == 64
    assert fewest_cores(NODES, "big,gpu") == 4
    assert fewest_cores(NODES, "other") is None
    assert fewest_cores((), None) is None


def test_answers_are_read_whatever_is_in_them(monkeypatch):
    answers = {
        "squeue": [
            "7|PENDING|Priority|2|3.5G|gpu|1-00:00:00|rule_train_base_wildcards_random0_0_A|/home/me/st|udy",
            "8|OUT_OF_MEMORY|OutOfMemory|2|4000M|gpu|60:00|(null)|/home/me/st|udy",
            "9|RUNNING|None|2|4000M|gpu|60:00|rule_store|/elsewhere",
            "slurm_load_jobs error",
        ],
        "sinfo": ["gpu*|8+|64000|infinite", "cpu|16|128000|1-00:00:00", "?"],
    }
    monkeypatch.setattr(slurm, "_answer", lambda command, *_: answers[command])
    queue = queue_of(Path("/home/me/st|udy"))
    assert [(job.number, job.rule, job.memory_mb) for job in queue.jobs] == [
        ("7", "train_base random0_0_A", 3584.0),
        ("8", "", 4000.0),
    ]
    assert [job.number for job in queue.pending] == ["7"]
    assert [queue.end_of(number) for number in ("7", "8", "9", None)] == [None, "OUT_OF_MEMORY", None, None]
    assert partition_nodes() == (Node("gpu", True, 8, 64000, "infinite"), Node("cpu", False, 16, 128000, "1-00:00:00"))


def test_without_slurm_there_is_nothing(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert queue_of(Path.cwd()) == Queue()
    assert partition_nodes() == ()
