"""Which device a job computes on.

Snakemake's ``--resources gpu=N`` limits how many GPU jobs run, but gives none of them a device. So jobs claim a GPU
each, among those they may use, by locking a file of its own for as long as they live; the operating system frees the
lock of a job that dies, however it dies. Under SLURM the GPUs of an allocation are its own, and claimed within it.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transferability.files import lock_file


def visible_gpus() -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them; found without starting CUDA."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [gpu.strip() for gpu in allowed.split(",") if gpu.strip() not in ("", "-1")]
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(index) for index, line in enumerate(listing.splitlines()) if line.startswith("GPU ")]


def require_gpus(wanted: int, device: str) -> None:
    """ValueError if jobs would wait for more GPUs than there are; without any GPU they run on the CPU.

    Args:
        wanted: what ``--resources gpu=`` says.
        device: what the config says, ``auto``, ``cuda`` or ``cpu``.
    """
    there = visible_gpus()
    if device != "cpu" and there and wanted > len(there):
        raise ValueError(
            f"--resources gpu={wanted}: this machine shows {len(there)} GPUs ({', '.join(there)}); "
            f"ask for gpu={len(there)}, or set CUDA_VISIBLE_DEVICES to the ones to use"
        )


@contextmanager
def claimed_device(wanted: str, say: Callable[[str], None], locks: Path | None = None) -> Iterator[str]:
    """The device for this job, ``cuda`` or ``cpu``, claimed for the length of the block.

    Call it before CUDA starts: a claimed GPU becomes the only visible one.

    Args:
        wanted: ``auto`` (a GPU if there is one), ``cuda`` or ``cpu``.
        say: called with one line when the job has to wait for a GPU, and when it gets one.
        locks: where the lock files are, the same for all jobs on the machine; its temporary folder by default.

    Raises:
        ValueError: ``cuda`` is wanted and no GPU is visible.
    """
    gpus = [] if wanted == "cpu" else visible_gpus()
    if wanted == "cuda" and not gpus:
        raise ValueError("device: is cuda, but no GPU is visible here; set it to auto or cpu, or check nvidia-smi")
    if not gpus:
        yield "cpu"
    else:
        allocation = os.environ.get("SLURM_JOB_ID", "machine")
        folder = locks or Path(tempfile.gettempdir())
        folder = folder / f"transferability-gpus-{os.getuid()}-{allocation}"
        descriptor, gpu = _lock_first_free(gpus, folder, say)
        before = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        try:
            say(f"claimed GPU {gpu}")
            yield "cuda"
        finally:
            os.close(descriptor)
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before


def _lock_first_free(gpus: list[str], folder: Path, say: Callable[[str], None]) -> tuple[int, str]:
    waiting = False
    while True:
        for gpu in gpus:
            with suppress(BlockingIOError):
                return lock_file(folder / f"gpu-{gpu.replace('/', '_')}.lock", "taken"), gpu
        if not waiting:
            say(f"all {len(gpus)} GPUs are taken; waiting for one (limit the jobs with --resources gpu={len(gpus)})")
            waiting = True
        time.sleep(0.5)
