"""Checkpoints: a network's weights in safetensors, with what made them.

No code in a checkpoint can run. It is the same to the bit for the same weights and settings, whatever was trained
alongside, so times and devices are not in it but in the metrics file.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from transferability.files import parse_json
from transferability.networks.weight_files import METADATA, write_weights

_WEIGHTS_DIGEST = "weights_sha256"


class CheckpointError(ValueError):
    """The file is not a checkpoint, is damaged, or is not the network it should be."""


def save_checkpoint(path: Path, weights: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
    """Write weights and what made them; a digest of the weights is added to the latter."""
    on_cpu = {name: tensor.detach().cpu() for name, tensor in weights.items()}
    write_weights(path, on_cpu, {**about, _WEIGHTS_DIGEST: _digest(on_cpu)})


def read_about(path: Path) -> dict[str, Any]:
    """What made the checkpoint, as given to `save_checkpoint`; CheckpointError if it is damaged or not one of ours."""
    about = _read_metadata(path)
    del about[_WEIGHTS_DIGEST]
    return about


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({error}); delete it to train the network again"
        ) from error
    try:
        about = parse_json(metadata[METADATA], path)
    except (KeyError, ValueError):
        about = None
    if not isinstance(about, dict) or _WEIGHTS_DIGEST not in about:
        raise CheckpointError(f"{path}: a safetensors file, but not one of this workflow's checkpoints")
    return about


def load_weights(path: Path, **expected: object) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint whose metadata must match ``expected``, such as ``network="baseA"``.

    CheckpointError if it does not, or if the weights are not those that were saved.
    """
    about = _read_metadata(path)
    for key, value in expected.items():
        if about.get(key) != value:
            raise CheckpointError(
                f"{path}: its {key} is {about.get(key)!r}, not {value!r}; delete it to train it again"
            )
    weights = safetensors.torch.load_file(path)
    if _digest(weights) != about[_WEIGHTS_DIGEST]:
        raise CheckpointError(f"{path}: its weights are damaged; delete it to train the network again")
    return weights


def _digest(weights: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = weights[name].numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def first_layer_weights(path: Path, beginning: str) -> Any:
    """The first convolution weights whose name begins like this, an array of filters x channels x height x width."""
    weights = load_weights(path)
    named = (tensor for name, tensor in sorted(weights.items()) if name.startswith(beginning))
    return next(tensor.numpy() for tensor in named if tensor.dim() == 4)
