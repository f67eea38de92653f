"""Where a GPU's time goes: the slowest kernels, and the gaps between kernels.   python benchmarks/gpu_profile.py

Profiles some iterations of real training with torch.profiler, after a warm-up. On a CPU, which has no kernels to trace,
the operations are timed instead, which the rows say. Run by gpu_check.py.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
from ceilings import DEVICE
from gpu_rows import FAILED, LEFT_OUT, emit, name_of, rehearsing, run_cases
from gpu_setups import recipe_for
from lock_step import FEW
from setups import networks_of
from torch.profiler import ProfilerActivity, profile

from transferability.process.determinism import use_threads
from transferability.records.progress import Progress
from transferability.study.layout import NetworkFiles
from transferability.training.recipe import Running
from transferability.training.train import train

TOP = 8
WAYS = (
    ("small", "fine_tuned", "bf16", True),
    ("small", "base", "float32", False),
    ("large", "base", "bf16", False),
    ("large", "fine_tuned", "bf16", False),
)


class Profiled:
    """Called with every line of progress: profiles some iterations in the middle of a training."""

    def __init__(self, first: int, count: int) -> None:
        self._first, self._count = first, count
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if DEVICE == "cuda" else [])]
        self.profile = profile(activities=activities)
        self.done = False
        self._running = False

    def __call__(self, progress: Progress) -> None:
        if progress.iteration == self._first and not self._running:
            wait()
            self.profile.start()
            self._running = True
        elif self._running and not self.done and progress.iteration >= self._first + self._count:
            wait()
            self.profile.stop()
            self.done = True


def wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def profiled(size: str, job: str, precision: str, graphs: bool) -> None:
    recipe = recipe_for(size, DEVICE, precision)
    count = 3 if rehearsing() else 20
    of_this = recipe.with_hyperparameters(iterations=FEW + count + 1)
    watcher = Profiled(FEW, count)
    with TemporaryDirectory() as folder:
        files = [NetworkFiles.beside(Path(folder, f"{name}.safetensors")) for name in networks_of(job)]
        # Every iteration is reported, which waits for nothing.
        running = Running(Path(folder, "states"), DEVICE, 1e9, 0.0, lambda _line: None, 1e12, graphs, [watcher])
        train(of_this, {one.network: one for one in files}, None, running)
    tell(name_of(size, job, precision, graphs), watcher.profile, count)


def tell(name: str, of: profile, count: int) -> None:
    if DEVICE != "cuda":
        emit(f"{name}: no kernels on a CPU", "", how=LEFT_OUT, note="the profiler traces kernels of a GPU only")
        return
    kernels = [event for event in events_of(of) if event.device_type.name == "CUDA"]
    if not kernels:
        emit(f"{name}: no kernels seen", "", how=FAILED, note="CUPTI could not trace them")
        return
    spans = sorted((event.time_range.start, event.time_range.end) for event in kernels)
    whole = max(end for _, end in spans) - spans[0][0]
    busy = covered(spans)
    emit(
        f"{name}: an update", round(whole / count / 1e3, 3), "ms", note=f"profiled, {len(kernels) / count:.0f} kernels"
    )
    emit(f"{name}: the GPU computes nothing", round(100 * (1 - busy / whole), 1), "% of the time")
    total: dict[str, float] = defaultdict(float)
    for event in kernels:
        total[event.name] += event.time_range.end - event.time_range.start
    for kernel in sorted(total, key=lambda key: total[key], reverse=True)[:TOP]:
        share = f"{100 * total[kernel] / sum(total.values()):.1f} % of all kernels' time"
        emit(f"kernel of {name}: {kernel[:90]}", round(total[kernel] / count / 1e3, 4), "ms an update", note=share)


def events_of(of: profile) -> Iterable[Any]:
    """Events other than the spans that only mark what the host was doing."""
    events = of.events() or []  # type: ignore[no-untyped-call]
    return [event for event in events if not getattr(event, "is_user_annotation", False)]


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals, which are sorted by their starts."""
    length, reached = 0.0, float("-inf")
    for start, end in spans:
        length += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return length


def cases() -> dict[str, Callable[[], None]]:
    ways = WAYS[::3] if rehearsing() else WAYS
    return {f"profile of {way[0]} {way[1]}, {way[2]}": partial(profiled, *way) for way in ways}


if __name__ == "__main__":
    use_threads(1)
    run_cases(cases())
