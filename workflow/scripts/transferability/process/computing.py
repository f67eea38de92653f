"""The device of a job, with everything that its results depend on set as the config asks."""

from collections.abc import Iterator
from contextlib import contextmanager

from transferability.process.determinism import deterministic_algorithms, use_threads
from transferability.process.devices import claimed_device, require_cuda
from transferability.process.log import Say


@contextmanager
def computing_device(wanted: str, say: Say, jobs_per_gpu: int, deterministic: bool, threads: int) -> Iterator[str]:
    """``cuda`` or ``cpu``, claimed and set up for the length of the block.

    Args:
        wanted: the config's: ``auto``, ``cuda`` or ``cpu``.
        say: told while the job waits for a free GPU, and which it gets.
        jobs_per_gpu: how many jobs may share a GPU.
        deterministic: whether a GPU uses only algorithms that give the same bits every time.
        threads: CPU threads to compute on.
    """
    with claimed_device(wanted, say, jobs_per_gpu) as device, deterministic_algorithms(device, wanted=deterministic):
        require_cuda(device)
        use_threads(threads)
        yield device
