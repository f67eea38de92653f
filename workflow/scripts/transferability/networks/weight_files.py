"""Weight files that somebody published: their contents, read so that no code in them can run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from transferability.files import stand_in, whole_file

METADATA = "transferability"  # the only key of safetensors metadata, because the order of keys is not kept
SAFETENSORS = ".safetensors"
# Keys under which training scripts store a state dict, and prefixes that module wrappers add to its names.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")


class WeightsError(ValueError):
    """The file has no usable weights; the message says why."""


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file by name, floating-point ones in float32, on the CPU.

    Args:
        path: a safetensors file if it has that suffix, otherwise torch's: a state dict, or a dict that contains one.

    Raises:
        WeightsError: it is neither, or has values that are not finite.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if instead := stand_in(file.read(100), "weights"):
            raise WeightsError(instead)
    content = _of_safetensors(path) if path.suffix == SAFETENSORS else _state_dict(_of_torch(path))
    weights = {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in _unwrapped(content).items()
    }
    if not weights:
        raise WeightsError("it has no tensors")
    if bad := [name for name, tensor in weights.items() if not tensor.isfinite().all()]:
        raise WeightsError(f"{bad[0]} has numbers that are not finite")
    return weights


def about_weights(path: Path) -> dict[str, Any]:
    """What made the weights, if the file is one of this project's own; otherwise empty."""
    if path.suffix != SAFETENSORS:
        return {}
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(METADATA, "{}"))
    except (safetensors.SafetensorError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def write_weights(path: Path, weights: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
    """Write weights to a safetensors file, with information about them."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    content = safetensors.torch.save(tensors, {METADATA: json.dumps(about, sort_keys=True)})
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def _of_safetensors(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise WeightsError(f"it is not a safetensors file, or it is damaged ({error})") from error


def _of_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # of many kinds, depending on what the file really is
        raise WeightsError(
            "it cannot be read as weights alone: it is damaged, or has objects that would have to run code; "
            "save the model's state_dict() and nothing else"
        ) from error


def _state_dict(content: object) -> Mapping[str, torch.Tensor]:
    """The state dict that the content is or contains."""
    if isinstance(content, Mapping):
        content = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping):
        raise WeightsError(f"it is a {type(content).__name__}, not a state dict, which maps names to tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise WeightsError(
                f"it is not a state dict: its {name!r} is a {type(value).__name__}, not a tensor; a state dict in a "
                f"dict is found by the keys {', '.join(_WRAPPERS)}"
            )
    return content


def _unwrapped(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights without prefixes that wrappers have added to all of their names."""
    names = dict(weights)
    while names and (prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in names)), "")):
        names = {name.removeprefix(prefix): tensor for name, tensor in names.items()}
    return names
