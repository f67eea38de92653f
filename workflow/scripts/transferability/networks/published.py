"""Weights that torchvision and timm know by name: what they are for, and how they are downloaded."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from transferability.networks.library import build_model
from transferability.networks.weight_files import WeightsError, write_weights

Shape = tuple[int, int, int]

# With weights, torchvision builds these to convert images to TensorFlow's normalization; without weights, it does not.
_PREPARE_IMAGES_THEMSELVES = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class Published:
    """Named weights.

    Attributes:
        source: the name, such as ``torchvision:IMAGENET1K_V1``.
        address: where they are downloaded from, as far as the library says.
        preprocessing: ``mean`` and ``std`` per channel of pixels from 0 to 1; None if unknown.
        shapes: returns tensors with the weights' names and shapes, and arbitrary values.
        load: downloads them, or takes them from the library's cache; returns one of the library's modules.
    """

    source: str
    address: str
    preprocessing: Mapping[str, Any] | None
    shapes: Callable[[], Mapping[str, torch.Tensor]]
    load: Callable[[], nn.Module]

    def save(self, path: Path) -> None:
        """Write them to a file; WeightsError that says what to do if they cannot be obtained."""
        try:
            weights = self.load().state_dict()
        except Exception as error:  # of many kinds: no network, no such address, a proxy's refusal
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            if isinstance(error, TypeError):  # from the network's builder
                raise WeightsError(
                    f"networks.pretrained: {self.source} cannot be loaded like this ({first_line})"
                ) from error
            told = self.preprocessing or {}
            images = f", and preprocessing to {{mean: {told['mean']}, std: {told['std']}}}" if told else ""
            raise WeightsError(
                f"networks.pretrained: {self.source} cannot be downloaded ({first_line}); where there is internet "
                f"access, fetch {self.address}, and set networks.pretrained to the path of that file{images}"
            ) from error
        write_weights(path, weights, {"origin": self.source, "address": self.address, "preprocessing": told_of(self)})


def told_of(weights: Published) -> dict[str, Any] | None:
    """The preprocessing of the images they are for, as JSON has it."""
    return None if weights.preprocessing is None else dict(weights.preprocessing)


def published(source: str, architecture: str, options: Mapping[str, Any], image_shape: Shape) -> Published | None:
    """Named weights for an architecture of that library, or None for the path of a file; WeightsError if unknown."""
    library, _, name = source.partition(":")
    model = architecture.partition("/")[2]
    if library == "torchvision":
        return _of_torchvision(source, model, name, options)
    if library == "timm":
        return _of_timm(source, architecture, options, image_shape)
    return None


def _of_torchvision(source: str, model: str, name: str, options: Mapping[str, Any]) -> Published:
    from torchvision.models._api import get_model, get_model_weights  # noqa: PLC0415 - slow, and files do not need it

    known = get_model_weights(model).__members__
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1) or list(known)
        raise WeightsError(f"torchvision has no weights {name!r} for {model}; it has {' and '.join(near)}")
    if model in _PREPARE_IMAGES_THEMSELVES and not options.get("transform_input"):
        raise WeightsError(
            f"torchvision's weights for {model} require the network itself to normalize its images; set "
            "networks.options to {transform_input: true}"
        )
    weights = known[name]
    transforms = weights.transforms()
    return Published(
        source=source,
        address=str(weights.url),
        preprocessing=_mean_and_std(getattr(transforms, "mean", None), getattr(transforms, "std", None)),
        shapes=lambda: get_model(model, weights=None, **options).state_dict(),
        load=lambda: get_model(model, weights=weights, **options),
    )


def _of_timm(source: str, architecture: str, options: Mapping[str, Any], image_shape: Shape) -> Published:
    import timm  # noqa: PLC0415 - not everyone has it

    name = architecture.partition("/")[2]
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise WeightsError(f"timm has no weights for {name}")
    hub = f"https://huggingface.co/{config.hf_hub_id}" if config.hf_hub_id else ""

    def load() -> nn.Module:
        height, width, channels = image_shape
        given = {"pretrained": True, "in_chans": channels, **options}
        try:
            return timm.create_model(name, img_size=(height, width), **given)
        except TypeError:  # as in `build_model`: models for any image size do not take it
            return timm.create_model(name, **given)

    return Published(
        source=source,
        address=str(config.url or hub or "its weights"),
        preprocessing=_mean_and_std(config.mean, config.std),
        # timm adapts its weights to the channels and sizes that it builds a model for.
        shapes=lambda: build_model(architecture, options, image_shape, config.num_classes, 0).state_dict(),
        load=load,
    )


def _mean_and_std(mean: Any, std: Any) -> dict[str, list[float]] | None:
    return {"mean": [*map(float, mean)], "std": [*map(float, std)]} if mean and std else None
