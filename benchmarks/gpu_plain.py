"""A plain PyTorch loop (plain_pytorch.py), compared with the rates of gpu_speed.py.   (by gpu_check.py)"""

import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from gpu_projects import CORES
from gpu_rows import earlier, emit, name_of, run_cases, seconds_left
from gpu_setups import images_of, seconds_of_a_measurement, setups
from gpu_speed import SMALL, Case
from plain_pytorch import training_rate
from setups import LAYOUTS, STORED, networks_of

from transferability.process.determinism import use_threads


def cases() -> dict[str, Case]:
    ways = [("small", 0), ("large", 0), ("small", 7), ("large", 7)]
    return {plain_name(*way): partial(plain, *way) for way in ways}


def plain_name(size: str, frozen: int) -> str:
    return f"{size} plain PyTorch loop, {f'{frozen} layers frozen' if frozen else 'base'}"


def plain(size: str, frozen: int) -> None:
    """Measure both memory layouts, if there is time; the better one counts."""
    workers = min(CORES, 16)
    rates: dict[str, float] = {}
    for layout in reversed(LAYOUTS):
        if rates and seconds_left() < 15:
            break
        about = (setups()[size], images_of(size), frozen, workers, layout)
        rates[layout] = training_rate(*about, seconds=seconds_of_a_measurement())
    best = max(rates, key=lambda layout: rates[layout])
    note = f"{best}, {workers} workers; tried {', '.join(rates)}"
    emit(plain_name(size, frozen), round(rates[best]), "images/s", note=note)
    compare_with_engine(size, frozen, rates[best])


def compare_with_engine(size: str, frozen: int, plain_rate: float) -> None:
    """Compare a series with as many runs of the plain loop, one after the other.

    For a frozen series, the plain loop's rate is that of its fastest network, with all seven layers frozen.
    """
    for job in ("frozen",) if frozen else ("base", "fine_tuned"):
        ways = (
            [(job, *way) for way in SMALL] if size == "small" else [(job, "bf16", False), (STORED + job, "bf16", False)]
        )
        rates = {name: rate for way in ways if (rate := earlier(name := name_of(size, *way)))}
        if rates:
            best = max(rates, key=lambda name: rates[name])
            note = f"{best}, {len(networks_of(job))} networks" + ("; at least" if frozen else "")
            emit(f"{size} {job}: times the plain loop", round(rates[best] / plain_rate, 2), "times", note=note)


if __name__ == "__main__":
    use_threads(1)
    run_cases(cases())
