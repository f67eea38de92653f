"""Where the store of a data set lies: in a folder whose name carries all that shapes its images.

So no two studies of other settings ever meet in one store, and those that agree share it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transferability.store import STORE_VERSION

DUPLICATES = "duplicates"
# What shapes no image: a grouping is laid over the classes later, and a check changes nothing of what it checks.
SHAPES_NOTHING = ("groups", DUPLICATES)
# Where the images are, whatever the folder that a study runs in.
PATHS = ("root", "folder", "file")


def shaping_settings(settings: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a data set that shape its store, in the schema's order, with its defaults for those not given."""
    defaults = {key: about["default"] for key, about in schema.get("properties", {}).items() if "default" in about}
    given = {**defaults, **settings}
    return {key: value for key, value in given.items() if key not in SHAPES_NOTHING}


def store_folder(stores: Path, name: str, shaping: Mapping[str, Any]) -> Path:
    """The folder of the store of a data set with these `shaping_settings`, below the folder of all stores."""
    settings = {key: _absolute(value) if key in PATHS else _plain(value) for key, value in shaping.items()}
    about = json.dumps([STORE_VERSION, settings], sort_keys=True)
    return stores / f"{name}-{hashlib.sha256(about.encode()).hexdigest()[:12]}"


def _absolute(path: Any) -> str:
    return str(Path(path).absolute())


def _plain(value: Any) -> Any:
    """Numbers that are equal are written alike."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
