"""The kinds of data set that can become a store."""

from collections.abc import Mapping
from typing import Any

from transferability.glyphs import Glyphs
from transferability.store import ImageSource


def image_source(name: str, settings: Mapping[str, Any]) -> ImageSource:
    """The data set of that name, from its settings in the config."""
    arguments = {key: value for key, value in settings.items() if key != "kind"}
    match settings["kind"]:
        case "glyphs":
            return Glyphs(**arguments)
    raise ValueError(f"datasets.{name}.kind: {settings['kind']!r} is not a kind of data set")
