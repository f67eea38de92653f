"""Options for the function that builds a network: those that a study gives itself are refused, before any code runs."""

from collections.abc import Iterator, Mapping
from typing import Any

from transferability.study.foreign_networks import seen_shape
from transferability.study.schema import in_yaml
from transferability.words import counted

_SIZE = "the size of the images"
_GIVEN = {"num_classes": "the number of classes", "image_shape": "the shape of the images"}
_GIVEN_TO_MODELS_OF = {"torchvision": {"image_size": _SIZE, "input_size": _SIZE}, "timm": {"img_size": _SIZE}}
_WEIGHTS = ("pretrained", "checkpoint_path", "weights")


def option_problems(config: object) -> Iterator[str]:
    """A sentence for each option that is not the user's to give, in a config that may be of any shape."""
    match config:
        case {"networks": {"architecture": str() as architecture, "options": dict() as options}}:
            yield from _given_by_the_study(architecture, options)


def _given_by_the_study(architecture: str, options: Mapping[str, Any]) -> Iterator[str]:
    given = _GIVEN | _GIVEN_TO_MODELS_OF.get(architecture.partition("/")[0], {})
    for key, value in options.items():
        where = f"networks.options.{key}: is {in_yaml(value)}, but"
        if key in given:
            yield f"{where} the study itself tells every network {given[key]}; remove it"
        elif key in _WEIGHTS:
            yield (
                f"{where} every network draws its own weights; remove it, or name weights to copy layers from in "
                "networks.pretrained"
            )


def channel_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """The problem of an option of timm's for other channels than the images have."""
    networks, channels = config["networks"], seen_shape(config)[2]
    given = networks["options"].get("in_chans", channels)
    if networks["architecture"].startswith("timm/") and given != channels:
        yield (
            f"networks.options.in_chans: is {in_yaml(given)}, but the images have {counted(channels, 'channel')}, for "
            "which timm's networks are built here; remove it"
        )
