"""Which device a job computes on.

Snakemake's ``--resources gpu=N`` limits how many GPU jobs run, but does not assign them devices. So each job claims one
of the GPUs it may use by binding a local socket with the GPU's name for as long as it lives; the operating system frees
the name when the job dies, however it dies. Unlike a lock file, a name in Linux's abstract namespace is the same for
all users of a machine, whatever their permissions and temporary folders. Under SLURM, the GPUs of an allocation are its
own and are claimed within it.
"""

import errno
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import takewhile

from transferability.process.environment import environment
from transferability.process.log import Say

POLL_SECONDS = 0.5
LISTING_SECONDS = 60.0
_LISTED_GPU = re.compile(r"GPU (?P<index>\d+): .*\(UUID: (?P<uuid>GPU-[^)]+)\)")
_LISTED_INSTANCE = re.compile(r"\s+MIG .*\(UUID: (?P<uuid>MIG-[^)]+)\)")
_NAME = re.compile(r"\d+|(GPU|MIG)-\S+")


def visible_gpus() -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them; found without starting CUDA.

    If a GPU is divided into MIG instances, these are the devices. Like CUDA, this reads CUDA_VISIBLE_DEVICES up to the
    first entry that is not a device: ``-1``, or SLURM's ``NoDevFiles``.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        names = (name.strip() for name in allowed.split(","))
        return list(dict.fromkeys(takewhile(_NAME.fullmatch, names)))
    return [name for index, (_, instances) in _listed_gpus().items() for name in instances or [index]]


def _listed_gpus() -> dict[str, tuple[str, list[str]]]:
    """The UUIDs of each GPU and its MIG instances, by index, as nvidia-smi lists them; empty without nvidia-smi.

    TimeoutError if it does not answer: a driver that hangs is no reason to compute on the CPU.
    """
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=LISTING_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(
            f"nvidia-smi has not answered for {LISTING_SECONDS:.0f} s; check the driver, or set device to cpu"
        ) from error
    except (OSError, subprocess.CalledProcessError):
        return {}
    gpus: dict[str, tuple[str, list[str]]] = {}
    for line in done.stdout.splitlines():
        if gpu := _LISTED_GPU.match(line):
            instances: list[str] = []
            gpus[gpu["index"]] = gpu["uuid"], instances
        elif gpus and (instance := _LISTED_INSTANCE.match(line)):
            instances.append(instance["uuid"])
    return gpus


def require_gpus(wanted: int, device: str, jobs_per_gpu: int = 1) -> None:
    """ValueError if jobs would wait for more GPUs than there are; without any GPU they run on the CPU.

    Args:
        wanted: the number in ``--resources gpu=``.
        device: the config's: ``auto``, ``cuda`` or ``cpu``.
        jobs_per_gpu: how many jobs may share a GPU.
    """
    there = visible_gpus()
    room = len(there) * jobs_per_gpu
    if device != "cpu" and there and wanted > room:
        shared = f", for {jobs_per_gpu} jobs each" if jobs_per_gpu > 1 else ""
        raise ValueError(
            f"--resources gpu={wanted}: this machine shows {len(there)} GPUs ({', '.join(there)}){shared}; "
            f"ask for gpu={room}, or set CUDA_VISIBLE_DEVICES to the ones to use"
        )


def require_cuda(device: str) -> None:
    """ValueError if a GPU was claimed, but PyTorch cannot use any."""
    import torch  # noqa: PLC0415 - this module is imported whenever Snakemake starts

    if device == "cuda" and torch.version.cuda is None:
        raise ValueError(
            f"running.device: a GPU is visible, but PyTorch {torch.__version__} is built without CUDA; install a build "
            "with it, or set device to cpu"
        )


def throttled(wanted: int, device: str) -> str:
    """A warning if a limit on GPUs only limits how many jobs run on the CPU; otherwise empty."""
    if device != "auto" or visible_gpus():
        return ""
    return (
        f"no GPU is visible: training runs on the CPU, and --resources gpu={wanted} only limits it to {wanted} jobs "
        "at a time; omit it to use all cores"
    )


@contextmanager
def claimed_device(wanted: str, say: Say, jobs_per_gpu: int = 1) -> Iterator[str]:
    """The device for this job, ``cuda`` or ``cpu``, claimed for the length of the block.

    Call it before CUDA starts: a claimed GPU becomes the only visible one.

    Args:
        wanted: ``auto`` (a GPU if there is one), ``cuda`` or ``cpu``.
        say: called with one line when the job has to wait for a GPU, and when it gets one.
        jobs_per_gpu: how many jobs may share a GPU; none shares one while another is free.

    Raises:
        ValueError: ``cuda`` is wanted and no GPU is visible.
    """
    gpus = [] if wanted == "cpu" else visible_gpus()
    if wanted == "cuda" and not gpus:
        raise ValueError("device: is cuda, but no GPU is visible here; set it to auto or cpu, or check nvidia-smi")
    if not gpus:
        yield "cpu"
        return
    # Numbered as in nvidia-smi, because the claims are; CUDA's default order puts the fastest GPU first.
    with (
        _first_free(_claims_of(gpus), jobs_per_gpu, say) as gpu,
        environment(CUDA_VISIBLE_DEVICES=gpu, CUDA_DEVICE_ORDER="PCI_BUS_ID"),
    ):
        say(f"claimed GPU {gpu}")
        yield "cuda"


def _claims_of(gpus: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The names to claim for each GPU: its name here and its UUID, because another user may name it differently."""
    listed = _listed_gpus()
    uuids = [uuid for gpu, instances in listed.values() for uuid in (gpu, *instances)]
    allocation = os.environ.get("SLURM_JOB_ID", "machine")

    def claims(gpu: str) -> tuple[str, ...]:
        here = f"transferability-{allocation}-{gpu}"
        # A UUID may be abbreviated to its beginning.
        known = [listed[gpu][0]] if gpu in listed else [uuid for uuid in uuids if uuid.startswith(gpu)]
        return here, *(f"transferability-{uuid}" for uuid in known)

    return {gpu: claims(gpu) for gpu in gpus}


@contextmanager
def _first_free(claims: Mapping[str, tuple[str, ...]], jobs_per_gpu: int, say: Say) -> Iterator[str]:
    """The first GPU with a share that no other process has claimed, held for the length of the block."""
    waiting = False
    while True:
        for share in range(jobs_per_gpu):
            for gpu, names in claims.items():
                of_share = [f"{name}-share{share}" if share else name for name in names]
                with ExitStack() as held:
                    if all(_bind(held.enter_context(socket.socket(socket.AF_UNIX)), name) for name in of_share):
                        yield gpu
                        return
        if not waiting:
            room = len(claims) * jobs_per_gpu
            taken = f"all {len(claims)} GPUs are" if len(claims) > 1 else "the GPU is"
            say(f"{taken} taken; waiting for one (limit the jobs with --resources gpu={room})")
            waiting = True
        time.sleep(POLL_SECONDS)


def _bind(holder: socket.socket, name: str) -> bool:
    try:
        holder.bind(f"\0{name}")  # the leading null byte makes it abstract: not a file, and gone with its holder
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
