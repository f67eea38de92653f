"""Networks that are not this project's own: torchvision's, timm's, and modules in files.

An architecture's name says where it is from: ``torchvision/resnet18``, ``timm/vit_tiny_patch16_224``, or
``nets/mine.py:SmallNet``, a callable in a file that takes ``num_classes`` and, optionally, ``image_shape``.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from transferability.networks.network_file import imports_beside, load
from transferability.networks.tracing import CutError
from transferability.seeding import seed_for

# What Python says of a call with other arguments than a function has.
_UNKNOWN_ARGUMENT = re.compile(r"(\S+\(\)) got an unexpected keyword argument '(\w+)'")
_MISSING_ARGUMENTS = re.compile(r"(\S+\(\)) missing \d+ required .*arguments?: (.*)")

Shape = tuple[int, int, int]  # height, width and channels of the images that a model sees


def build_model(
    architecture: str, options: Mapping[str, Any], image_shape: Shape, classes: int, *seed: str | int
) -> nn.Module:
    """A model with weights drawn by its own code, on the CPU; CutError if it cannot be built.

    Args:
        architecture: as above.
        options: further arguments for its builder, such as ``patch_size``.
        image_shape: what it is built for, if it depends on that.
        classes: number of its logits.
        seed: words that seed torch's generator, from which its code draws.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(*seed, "weights"))
        try:
            return _builder_of(architecture)(image_shape, classes, dict(options))
        except CutError:
            raise
        except Exception as error:  # whatever the model's own code raises
            raise CutError(_why_not_built(error, options)) from error


def _why_not_built(error: Exception, options: Mapping[str, Any]) -> str:
    first_line = (str(error).splitlines() or [""])[0]
    if unknown := _UNKNOWN_ARGUMENT.search(first_line):
        function, name = unknown.groups()
        if name in options:
            return f"networks.options: {name} is {options[name]!r}, but {function} has no argument {name}; remove it"
        return f"{function} has no argument {name}; add it, for the study gives it to every network"
    if missing := _MISSING_ARGUMENTS.search(first_line):
        function, names = missing.groups()
        return f"{function} has arguments without a default: {names}; give them in networks.options"
    return f"it cannot be built: {type(error).__name__}: {first_line}"


def sees_color_only(architecture: str) -> bool:
    """Whether its images always have three channels, so that gray ones are repeated in each."""
    return architecture.startswith("torchvision/")


def _builder_of(architecture: str) -> Callable[[Shape, int, dict[str, Any]], nn.Module]:
    library, _, name = architecture.partition("/")
    file, _, function = architecture.rpartition(":")
    if file.endswith(".py"):
        return _of_file(Path(file), function)
    return {"torchvision": _of_torchvision, "timm": _of_timm}[library](name)


def _of_torchvision(name: str) -> Callable[[Shape, int, dict[str, Any]], nn.Module]:
    from torchvision import models  # noqa: PLC0415 - slow, and the project's own networks do not need it
    from torchvision.models._api import get_model_builder, list_models  # noqa: PLC0415 - as above

    known = list_models(module=models)
    if name not in known:
        raise CutError(f"torchvision has no classifier {name!r}{_near(name, known)}")

    def build(image_shape: Shape, classes: int, options: dict[str, Any]) -> nn.Module:
        height, width, _ = image_shape
        sizes: Sequence[dict[str, Any]] = ({"image_size": height}, {"input_size": (height, width)}, {})
        return _first_accepted(get_model_builder(name), sizes, weights=None, num_classes=classes, **options)

    return build


def _of_timm(name: str) -> Callable[[Shape, int, dict[str, Any]], nn.Module]:
    try:
        import timm  # noqa: PLC0415 - not everyone has it
    except ImportError as error:
        raise CutError("it needs timm, which is not installed; pip install timm==1.0.31") from error
    if not timm.is_model(name):
        raise CutError(f"timm has no model {name!r}{_near(name, timm.list_models())}")

    def build(image_shape: Shape, classes: int, options: dict[str, Any]) -> nn.Module:
        height, width, channels = image_shape
        given = {"num_classes": classes, "in_chans": channels, **options}
        return _first_accepted(
            lambda **all_: timm.create_model(name, **all_), ({"img_size": (height, width)}, {}), **given
        )

    return build


def _of_file(path: Path, name: str) -> Callable[[Shape, int, dict[str, Any]], nn.Module]:
    module = load(path)
    builder = getattr(module, name, None)
    if not callable(builder):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise CutError(f"{path} has no callable {name!r}{_near(name, public)}")

    def build(image_shape: Shape, classes: int, options: dict[str, Any]) -> nn.Module:
        wants_shape = "image_shape" in inspect.signature(builder).parameters
        shape = {"image_shape": image_shape} if wants_shape else {}
        with imports_beside(path):
            model = builder(num_classes=classes, **shape, **options)
        if not isinstance(model, nn.Module):
            raise CutError(f"{name} returns a {type(model).__name__}, not a torch.nn.Module")
        return model

    return build


def _first_accepted(builder: Callable[..., nn.Module], sizes: Sequence[Mapping[str, Any]], **given: Any) -> nn.Module:
    """Build a model for an image size, passed under whatever name the builder has for it, if any."""
    *named, unnamed = sizes
    for size in named:
        try:
            return builder(**size, **given)
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                raise
    return builder(**unnamed, **given)


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
