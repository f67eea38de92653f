"""The state of a training, kept so that a job that dies resumes where it was.

State files live outside the outputs of the workflow's rules, because Snakemake deletes the outputs of failed jobs.
Every network has up to two states, the newest and the one before it, and its files once it is finished.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from transferability.files import held_file, read_json, sha256_of, whole_file, write_json
from transferability.networks.weight_files import METADATA
from transferability.process.log import Say

_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True)
class TrainingState:
    """One network between two iterations.

    Attributes:
        identity: digest of everything that shapes the network; a state with another identity is never used.
        iteration: how many iterations the network has made.
        tensors: all that training changes: weights, buffers, momentum.
        progress: evaluations so far, losses since the last one, and any other JSON.
    """

    identity: str
    iteration: int
    tensors: Mapping[str, torch.Tensor]
    progress: Mapping[str, Any]


class StateFolder:
    """The states of one network. Damaged or foreign files are ignored."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self.identity = identity
        self._newest, self._previous = folder / "newest.state", folder / "previous.state"
        self._finished = folder / "finished"

    @contextmanager
    def held(self, say: Say) -> Iterator[None]:
        """Hold this network for the length of the block; say so before waiting for another process to release it."""
        with held_file(self._folder / "lock", say, f"another process is training {self._folder.name}; waiting for it"):
            yield

    def save(self, state: TrainingState) -> None:
        """Keep a state and the one before it."""
        header = {"identity": state.identity, "updates": state.iteration, "progress": state.progress}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        content = safetensors.torch.save(tensors, {METADATA: json.dumps(header)})
        with whole_file(self._newest) as temporary:
            temporary.write_bytes(content + hashlib.sha256(content).digest())
            if self._newest.exists():
                self._newest.replace(self._previous)

    def load(self) -> TrainingState | None:
        """The newest usable state, or None."""
        for path in (self._newest, self._previous):
            state = _read_state(path)
            if state is not None and state.identity == self.identity:
                return state
        return None

    def keep_finished(self, files: Sequence[Path]) -> None:
        """Keep a finished network's files (as links where possible) and drop its states."""
        incoming = self._folder / "finished.part"
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True)
        for file in files:
            _link_or_copy(file, incoming / file.name)
        write_json(incoming / "note.json", self._note(files))
        shutil.rmtree(self._finished, ignore_errors=True)
        incoming.rename(self._finished)
        self._newest.unlink(missing_ok=True)
        self._previous.unlink(missing_ok=True)

    def _note(self, files: Sequence[Path]) -> dict[str, Any]:
        """What identifies finished files as intact and of this identity."""
        return {"identity": self.identity, "sha256": {file.name: sha256_of(file) for file in files}}

    def restore_finished(self, files: Sequence[Path]) -> bool:
        """Put a finished network's files back in their places; False if it is not finished or not the same network.

        OSError if they cannot be read at present: that is no reason to train it again.
        """
        sources = [self._finished / file.name for file in files]
        try:
            note = read_json(self._finished / "note.json")
            intact = bool(note == self._note(sources))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return False
        if intact:
            for source, file in zip(sources, files, strict=True):
                with whole_file(file) as temporary:
                    _link_or_copy(source, temporary)
        return intact


@contextmanager
def hold_all(folders: Sequence[StateFolder], say: Say) -> Iterator[None]:
    """Hold several networks; all processes must name them in the same order."""
    with ExitStack() as stack:
        for folder in folders:
            stack.enter_context(folder.held(say))
        yield


def _read_state(path: Path) -> TrainingState | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    length = int.from_bytes(body[:8], "little")  # the safetensors format: length of the header, header, tensors
    header = json.loads(json.loads(body[8 : 8 + length])["__metadata__"][METADATA])
    return TrainingState(header["identity"], header["updates"], safetensors.torch.load(body), header["progress"])


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
