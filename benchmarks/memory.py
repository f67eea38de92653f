"""The peak of a process's memory."""

import re
from pathlib import Path

import torch


def peak_memory() -> dict[str, int]:
    """In MB: of this process, and of the GPU."""
    # Not resource.getrusage, whose peak a process takes over from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    peaks = {"memory_mb": round(int(kilobytes) / 1000)}
    if torch.cuda.is_available():
        peaks["gpu_memory_mb"] = torch.cuda.max_memory_reserved() // 1_000_000
    return peaks
