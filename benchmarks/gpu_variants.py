"""Each variant of variants.py against the engine as it is, and jobs that share a GPU.   (by gpu_check.py --variants)

The variant and the engine are measured alternately, twice each, so that drift in the clock rate shows; the row has the
spread of equal measurements. ``sharing`` measures processes that train the same thing at the same time.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import fmean

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from ceilings import DEVICE
from gpu_rows import emit, name_of, rehearsing, run_cases, seconds_left
from gpu_setups import recipe_for, seconds_of_a_measurement
from lock_step import job_rate
from variants import VARIANTS

from transferability.process.determinism import use_threads

# Variant, size, job, precision, captured updates; the trial where a variant's gain should be largest comes first.
TRIALS = (
    ("copy_stream", "large", "stored_base", "bf16", False),
    ("copy_stream", "large", "stored_fine_tuned", "bf16", False),
    ("fused_sgd", "large", "base", "bf16", False),
    ("fused_sgd", "small", "fine_tuned", "float32", False),
    ("one_copy", "small", "base", "bf16", True),
    ("one_copy", "small", "fine_tuned", "bf16", True),
    ("contiguous", "small", "fine_tuned", "float32", True),
    ("contiguous", "large", "base", "float32", False),
    ("recorded_dropout", "large", "base", "bf16", True),
    ("recorded_dropout", "large", "fine_tuned", "bf16", True),
)
SHARING = (1, 2, 4)
TURNS = 2  # with and without a variant; a rehearsal takes one
ONE_OF_SHARING = "one of the jobs that share"


def compare_variant(variant: str, size: str, job: str, precision: str, graphs: bool) -> None:
    rates: dict[bool, list[float]] = {False: [], True: []}
    for with_variant in (False, True) * (1 if rehearsing() else TURNS):
        if rates[True] and seconds_left() < 15:
            break
        with VARIANTS[variant]() if with_variant else nullcontext():
            recipe = recipe_for(size, DEVICE, precision)
            rates[with_variant].append(job_rate(recipe, job, DEVICE, seconds_of_a_measurement(), graphs=graphs))
    gain = 100 * (fmean(rates[True]) / fmean(rates[False]) - 1)
    spread = max(100 * (max(of) / min(of) - 1) for of in rates.values())
    with_and_without = " and ".join("/".join(f"{rate:.0f}" for rate in rates[which]) for which in (True, False))
    repeats = f"equal ones differ by {spread:.1f} %" if len(rates[True]) > 1 else "each once"
    note = f"{with_and_without} images/s with and without; {repeats}"
    emit(trial_name(variant, size, job, precision, graphs), round(gain, 1), "% faster", note=note)


def trial_name(variant: str, size: str, job: str, precision: str, graphs: bool) -> str:
    return f"{variant}: {name_of(size, job, precision, graphs)}"


def share(processes: int, job: str, graphs: bool) -> None:
    """Measure the images per second of this many processes together, each of which trains for some seconds."""
    command = [sys.executable, __file__, ONE_OF_SHARING, job, "1" if graphs else "0"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) for _ in range(processes)]
    outputs = [process.communicate(timeout=max(seconds_left() - 2, 1))[0] for process in running]
    rates = [float(json.loads(output.splitlines()[-1])) for output in outputs]
    emit(
        f"sharing: {processes} small {job} jobs, float32{', recorded' * graphs}",
        round(sum(rates)),
        "images/s",
        note="together; their times overlap but for their starts",
    )


def one_of_sharing(job: str, graphs: bool) -> None:
    """Train as one of the processes, for longer than their starts may differ."""
    recipe = recipe_for("small", DEVICE, "float32")
    print(json.dumps(job_rate(recipe, job, DEVICE, 0.1 if rehearsing() else 5.0, graphs=graphs)))


def cases() -> dict[str, Callable[[], None]]:
    # A rehearsal runs every variant once.
    wanted = {trial[0]: trial for trial in reversed(TRIALS)}.values() if rehearsing() else TRIALS
    trials = {trial_name(*trial): partial(compare_variant, *trial) for trial in wanted}
    ways = [(count, "fine_tuned", graphs) for graphs in (True, False) for count in SHARING]
    ways = ways[:1] if rehearsing() else ways
    shared = {f"sharing: {way[0]}, recorded {way[2]}": partial(share, *way) for way in ways}
    return {**trials, **shared}


if __name__ == "__main__":
    use_threads(1)
    if sys.argv[1:2] == [ONE_OF_SHARING]:
        one_of_sharing(sys.argv[2], sys.argv[3] == "1")
    else:
        run_cases(cases())
