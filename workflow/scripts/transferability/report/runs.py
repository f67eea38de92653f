"""What was run to make a study's networks: jobs with their time, and what the networks were made with."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from transferability.process.benchmark_files import last_attempt
from transferability.study.design import Key, Study
from transferability.study.names import job_name

_JOB_COLUMNS = ("split", "seed", "job", "networks", "device", "training_seconds", "last_attempt_seconds", "peak_mb")
MAKER_COLUMNS = ("commit", "torch", "numpy", "python", "device", "threads", "deterministic", "networks")


def jobs(study: Study, networks: Mapping[Key, Mapping[str, Any]], benchmarks: Path) -> pd.DataFrame:
    """Make a row for each job with finished networks.

    Columns: split, seed, job; ``networks``, how many of its networks are finished; device; ``training_seconds`` of all
    attempts, without starting and reading images; and from Snakemake's benchmark file of the last attempt,
    ``last_attempt_seconds`` from start to end of its process and its peak memory, ``peak_mb``. These two are empty
    without such a file.

    Args:
        study: the study.
        networks: the metrics, as returned by `transferability.records.metrics.read_metrics`.
        benchmarks: the folder of Snakemake's benchmark files.
    """
    rows = []
    for split, seed, job in study.jobs():
        finished = [networks[key] for network in job if (key := (split, seed, network.name)) in networks]
        if finished:
            name = job_name(job)
            seconds = sum(network["seconds"] for network in finished)
            last = last_attempt(benchmarks / split / f"seed{seed}" / f"{name}.tsv")
            rows.append((split, seed, name, len(finished), finished[-1]["device"], seconds, *last))
    return pd.DataFrame(rows, columns=_JOB_COLUMNS)


def makers(networks: Mapping[Key, Mapping[str, Any]]) -> pd.DataFrame:
    """What the networks were made with: a row for each combination, with its number of networks, `MAKER_COLUMNS`."""
    made = pd.DataFrame([dict(_maker(network)) for network in networks.values()], columns=MAKER_COLUMNS[:-1])
    counts = made.astype(object).fillna("unknown").value_counts(sort=True).reset_index()
    return counts.set_axis(list(MAKER_COLUMNS), axis=1)


def hours_by_device(jobs: pd.DataFrame) -> dict[str, float]:
    """Hours of training on each device; jobs that share a device are counted separately."""
    return {str(device): seconds / 3600 for device, seconds in jobs.groupby("device")["training_seconds"].sum().items()}


def _maker(network: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a network was made with; networks trained before a fact was recorded lack it."""
    yield from network["versions"].items()
    yield from ((key, network.get(key)) for key in ("commit", "device", "threads", "deterministic"))
