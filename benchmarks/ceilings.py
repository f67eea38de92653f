"""The device's peak rates."""

import time
from collections.abc import Callable

import torch

from transferability.networks.precision import use_precision

SECONDS = 3.0
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIDE = 8192 if DEVICE == "cuda" else 1024  # of matrices; a CPU without bfloat16 takes seconds for 1024
CALLS_A_WAIT = 20 if DEVICE == "cuda" else 1  # otherwise, launching and waiting would dominate a GPU's short calls


def matrix_product_flops(precision: str) -> float:
    """Operations per second of a large matrix product."""
    use_precision(precision)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    one, other = (torch.randn(SIDE, SIDE, device=DEVICE, dtype=dtype) for _ in range(2))
    seconds = seconds_of(lambda: one @ other)
    use_precision("float32")
    return 2 * SIDE**3 / seconds


def copied_gb_per_second() -> float:
    """Gigabytes per second copied within the device's memory; each byte is both read and written."""
    source = torch.zeros(1_000_000_000 if DEVICE == "cuda" else 200_000_000, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    return source.numel() / 1e9 / seconds_of(lambda: target.copy_(source))


def seconds_of(call: Callable[[], object]) -> float:
    """Mean time of a call, after one call as a warm-up."""
    call()
    _wait()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        for _ in range(CALLS_A_WAIT):
            call()
        calls += CALLS_A_WAIT
        _wait()
    return (time.perf_counter() - started) / calls


def _wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
