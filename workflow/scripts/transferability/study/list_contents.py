"""The lists beside a data set's images, such as ``train_list``, by their content: another list is another store.

Light, since Snakemake reads it at every start.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transferability.files import sha256_of
from transferability.study.folder_keys import FolderKeys, is_file, list_path


def list_files(settings: Mapping[str, Any]) -> dict[str, Path]:
    """By key, where each list is or, where none is there, would be; without those that are in an archive."""
    if settings["kind"] != "folder":
        return {}
    root = Path(settings["root"])
    files = {key: list_path(root, given) for key, given in FolderKeys.of(settings).lists.items()}
    return {key: path for key, path in files.items() if is_file(path) or not is_file(root)}


def list_digests(files: Mapping[str, Path]) -> dict[str, str]:
    """By key, the SHA-256 of each list's content; without those that cannot be read, as on a disk that is away."""
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
