"""What tests of folders and archives need."""

import tarfile
import zipfile
from pathlib import Path


def pack(folder, archive, around=""):
    """A folder's files in a zip or tar, in folders around them all."""
    paths = {path: Path(around, path.relative_to(folder)) for path in sorted(folder.rglob("*"))}
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path, name in paths.items():
                packed.write(path, name)
    else:
        with tarfile.open(archive, "w") as tar:
            for path, name in paths.items():
                tar.add(path, name, recursive=False)
    return archive
