"""Bit-identical results on a GPU. On the CPU they always are, for the same machine, versions and number of threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from transferability.process.environment import environment

# The workspaces with which cuBLAS guarantees the same bits every time.
WORKSPACES = (":4096:8", ":16:8")
_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def deterministic_algorithms(device: str, *, wanted: bool) -> Iterator[None]:
    """Compute with deterministic algorithms only, if wanted and on ``cuda``, for the length of the block.

    Enter it before CUDA computes anything: cuBLAS reads its setting once. Within it, an operation for which PyTorch has
    no deterministic algorithm raises a RuntimeError that names it; none of our networks has one.
    """
    if not wanted or device != "cuda":
        yield
        return
    cudnn, memory = torch.backends.cudnn, torch.utils.deterministic
    workspace = os.environ.get(_WORKSPACE)
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic,
        cudnn.benchmark,
        memory.fill_uninitialized_memory,  # type: ignore[attr-defined]
    )
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing here reads what it has not written
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with environment(**{_WORKSPACE: workspace if workspace in WORKSPACES else WORKSPACES[0]}):
            yield
    finally:
        enabled, warn_only, cudnn.deterministic, cudnn.benchmark, filled = before
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        memory.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def use_threads(threads: int) -> None:
    """Compute on this many CPU threads; on the CPU, results are the same to the bit only for the same number."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
