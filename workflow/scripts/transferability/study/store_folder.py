"""Where the store of a data set is: in a folder whose name encodes everything that affects its images.

That is ``<data set>-<digest of the settings>`` and, if lists next to the images say which of them are used or which
class they have, ``-<digest of the lists>``. So studies with different settings or lists never use the same store, and
those that agree share one.
"""

import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from transferability.store.reading import LISTS, MANIFEST, STORE_VERSION, manifest_there
from transferability.store.source import StoreError
from transferability.study.list_contents import list_digests, list_files, lists_digest

DUPLICATES = "duplicates"
# What affects no image: a grouping is applied to the classes later, and a check does not change what it checks.
SHAPES_NOTHING = ("groups", DUPLICATES)
# Where the images are, independent of the folder that a study runs in.
PATHS = ("root", "folder", "file")
_DIGITS = 12


def shaping_settings(settings: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a data set that affect its store, with the schema's defaults for those not given."""
    defaults = {key: about["default"] for key, about in schema.get("properties", {}).items() if "default" in about}
    given = {**defaults, **settings}
    return {key: value for key, value in given.items() if key not in SHAPES_NOTHING}


def store_folder(stores: Path, name: str, shaping: Mapping[str, Any]) -> Path:
    """The folder of the store of a data set with these `shaping_settings`, below the folder of all stores.

    If a list is unavailable, as on a disk that is not mounted, it is the folder of the existing store; StoreError if
    there are several, of different lists.
    """
    of_settings, files = settings_folder(stores, name, shaping), list_files(shaping)
    digests = list_digests(files)
    missing = [key for key in files if key not in digests]
    if missing:
        return _the_one_there(of_settings, f"datasets.{name}.{missing[0]}: {files[missing[0]]}")
    return _of_lists(of_settings, digests)


def settings_folder(stores: Path, name: str, shaping: Mapping[str, Any]) -> Path:
    """The folder of the store that has these settings and no lists; those with lists add a digest to its name."""
    settings = {key: _absolute(value) if key in PATHS else _plain(value) for key, value in shaping.items()}
    about = json.dumps([STORE_VERSION, settings], sort_keys=True)
    return stores / f"{name}-{hashlib.sha256(about.encode()).hexdigest()[:_DIGITS]}"


def store_of_run(of_settings: Path, current: Callable[[], Path], *, begins: bool) -> Path:
    """The folder of the store that a run works with; its jobs, which read the workflow again, inherit it.

    So lists that are edited while jobs wait or train mean another store for the next run, and not for half of this one.

    Args:
        of_settings: the `settings_folder`.
        current: returns the current `store_folder`.
        begins: whether this process begins a run, and is not one of its jobs.
    """
    inherited = f"STORE_OF_{hashlib.sha256(str(of_settings).encode()).hexdigest()[:_DIGITS]}"
    if begins or inherited not in os.environ:
        os.environ[inherited] = str(current())
    return Path(os.environ[inherited])


def stores_there(of_settings: Path) -> list[Path]:
    """The folders of the existing stores with some settings and any lists, given the `settings_folder`."""
    pattern = f"{glob.escape(of_settings.name)}*/{MANIFEST}"
    return sorted(path.parent for path in of_settings.parent.glob(pattern))


def lists_of(folder: Path, name: str, shaping: Mapping[str, Any]) -> dict[str, str]:
    """The digests of the lists that the store in a folder is built from, by key; called once they have been read.

    StoreError if they do not match the folder's name, because they were edited after the run began.
    """
    files = list_files(shaping)
    digests = list_digests(files)
    if _of_lists(settings_folder(folder.parent, name, shaping), digests).name != folder.name:
        lists = ", ".join(f"{key} ({path})" for key, path in files.items())
        raise StoreError(
            f"datasets.{name}: {lists}: edited after this run began, which was to build {folder} from their earlier "
            "content; run the same command again"
        )
    return digests


def stores_of_other_lists(folder: Path, name: str, shaping: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each existing store with the settings of the one in a folder, but built from other lists."""
    files = list_files(shaping)
    digests = list_digests(files)
    for other in stores_there(settings_folder(folder.parent, name, shaping)):
        manifest = manifest_there(other) or {}
        changed = [key for key, digest in manifest.get(LISTS, {}).items() if digests.get(key, digest) != digest]
        if other.name != folder.name and changed:
            lists = " and ".join(f"datasets.{name}.{key} ({files[key]})" for key in changed)
            yield (
                f"{lists} changed since {other} was built: another store is built, and what was made from that one is "
                "made again; delete it if no other study needs it"
            )


def _of_lists(of_settings: Path, digests: Mapping[str, str]) -> Path:
    """The folder of the store with these settings and with lists of this content."""
    return of_settings.with_name(f"{of_settings.name}-{lists_digest(digests)[:_DIGITS]}") if digests else of_settings


def _the_one_there(of_settings: Path, unread: str) -> Path:
    there = stores_there(of_settings)
    if len(there) > 1:
        raise StoreError(
            f"{unread} cannot be read, and there are {len(there)} stores, each of different lists ({there[0]} and "
            f"{there[1].name}{' ...' if len(there) > 2 else ''}), so it is unclear which one is meant; put the list "
            "back, or delete the others"
        )
    return there[0] if there else of_settings


def _absolute(path: Any) -> str:
    return str(Path(path).absolute())


def _plain(value: Any) -> Any:
    """The value, with equal numbers, such as 1 and 1.0, in the same form."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
