"""The lists next to a data set's images, such as ``train_list``, by content: a different list means a different store.

Light, because Snakemake reads it at every start.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transferability.files import sha256_of
from transferability.study.schema import kind_schema

IS_LIST = "is_list"  # in the schema of a kind: the text of a key with this names a list


def list_files(settings: Mapping[str, Any]) -> dict[str, Path]:
    """Where each list is or, if it does not exist, would be, by key; without those that are in an archive."""
    root = Path(settings.get("root", ""))
    keys = kind_schema(settings["kind"]).get("properties", {})
    given = {key: settings.get(key) for key, about in keys.items() if about.get(IS_LIST)}
    files = {key: list_path(root, path) for key, path in given.items() if path and isinstance(path, str)}
    return {key: path for key, path in files.items() if is_file(path) or not is_file(root)}


def list_path(folder: Path, given: str) -> Path:
    """A list's file: in the data set's folder, or else relative to where Snakemake runs."""
    return Path(given) if not is_file(folder / given) and is_file(Path(given)) else folder / given


def is_file(path: Path) -> bool:
    """Whether a file can be seen there; False too if a folder above it cannot be read."""
    return os.path.isfile(path)  # noqa: PTH113 - Path would fail for what cannot be read, and for names that are too long


def list_digests(files: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of each list's content, by key; without those that cannot be read, as on a disk that is not mounted."""
    digests = {}
    for key, path in files.items():
        try:
            digests[key] = sha256_of(path)
        except OSError:
            continue
    return digests


def lists_digest(digests: Mapping[str, str]) -> str:
    """One digest of all lists."""
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
