"""The peak of a process's memory."""

import re
from pathlib import Path

import torch


def peak_memory() -> dict[str, int]:
    """The peak memory of this process, and on the GPU, in MB."""
    # Not resource.getrusage, because a process inherits its peak from the process that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    peaks = {"memory_mb": round(int(kilobytes) / 1000)}
    if torch.cuda.is_available():
        peaks["gpu_memory_mb"] = torch.cuda.max_memory_reserved() // 1_000_000
    return peaks
