"""The sections of a config that affect no network: how it is run, and what tables and figures show.

The schema says what each key means; what affects networks is in `transferability.study.settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RunningSection:
    """The section ``running``, which changes no result; the part that a training uses is `training.recipe.Running`."""

    device: str
    deterministic: bool
    threads: int
    cache_gb: float
    store_threads: int
    images_per_second: float
    longest_minutes: int
    jobs_per_gpu: int
    cuda_graphs: bool
    networks_per_job: int
    state_every_seconds: float
    log_every_seconds: float
    tensorboard: bool
    verify_networks: int

    @property
    def cache_bytes(self) -> float:
        """The most bytes of a half's images that are held in memory."""
        return self.cache_gb * 1e9


@dataclass(frozen=True, kw_only=True)
class FiguresSection:
    """The section ``figures``.

    Attributes:
        colors: by treatment, as `matplotlib` knows them.
    """

    metric: str
    max_drop: float
    unlearned: str
    colors: Mapping[str, str]
