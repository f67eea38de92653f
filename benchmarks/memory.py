"""The most memory that this process has held."""

import resource

import torch


def peak_memory() -> dict[str, int]:
    """In MB: of this process, and of the GPU."""
    peak = {"memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000}
    if torch.cuda.is_available():
        peak["gpu_memory_mb"] = torch.cuda.max_memory_reserved() // 1_000_000
    return peak
