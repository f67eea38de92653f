"""The kinds of data set that can become a store."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transferability.data.folders.layout import check_folder
from transferability.data.folders.source import image_folders
from transferability.data.kinds.glyphs import Glyphs
from transferability.process.log import Say
from transferability.store.source import ImageSource
from transferability.study.schema import ConfigError


def at_hand(settings: Mapping[str, Any]) -> bool:
    """Whether `image_source` has nothing to download or unpack, so that a plan may count the images."""
    match settings["kind"]:
        case "folder":
            return Path(settings["root"]).is_dir()
        case "torchvision":
            return False
    return True


@contextmanager
def image_source(name: str, settings: Mapping[str, Any], say: Say = lambda line: None) -> Iterator[ImageSource]:
    """The data set of that name, from its settings in the config; for as long as the block lasts."""
    arguments = {key: value for key, value in settings.items() if key != "kind"}
    match settings["kind"]:
        case "glyphs":
            yield Glyphs(**arguments, name=name)
        case "folder":
            with image_folders(name, **arguments, say=say) as source:
                for line in source.notes:
                    say(line)
                yield source
        case "torchvision":
            # Imports torchvision, which takes seconds and which no other kind needs.
            from transferability.data.kinds.torchvision import torchvision_set  # noqa: PLC0415

            yield torchvision_set(name, settings["set"], Path(settings["folder"]), say)
        case kind:
            raise ValueError(f"datasets.{name}.kind: {kind!r} is not a kind of data set")


def require_images(name: str, settings: Mapping[str, Any]) -> None:
    """ConfigError if the folders or lists that a store would be made of cannot be a data set."""
    if settings["kind"] == "folder":
        try:
            check_folder(name, settings)
        except ValueError as error:
            raise ConfigError(f"config: {error}") from error
