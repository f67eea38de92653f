"""Archives of images, unpacked for as long as they are read."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from transferability.store import StoreError

_UNPACKING_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


@contextmanager
def unpacked(root: Path, train: str, name: str) -> Iterator[Path]:
    """The folder that has ``train``; errors within the block name the archive, which is there when they are read."""
    if root.is_dir():
        yield root
        return
    if not root.is_file():
        raise StoreError(f"datasets.{name}.root: there is no {root}; it is a folder, or an archive (tar, zip) of one")
    with TemporaryDirectory(prefix="images-") as temporary:
        try:
            if zipfile.is_zipfile(root):
                with zipfile.ZipFile(root) as archive:
                    archive.extractall(temporary)  # zipfile keeps every name inside the folder
            else:
                with tarfile.open(root) as tar:
                    tar.extractall(temporary, filter="data")  # refuses names and links that lead outside
        except (*_UNPACKING_ERRORS, EOFError, OSError, RuntimeError) as error:  # RuntimeError: a password is needed
            raise StoreError(f"datasets.{name}.root: {root} cannot be unpacked ({error})") from error
        try:
            yield _below_top_folder(Path(temporary), train)
        except StoreError as error:
            raise type(error)(str(error).replace(temporary, str(root))) from error


def _below_top_folder(folder: Path, train: str) -> Path:
    """What of an unpacked archive has ``train``: its one folder that has, unless it does itself."""
    tops = [path for path in folder.iterdir() if (path / train).is_dir()]
    return tops[0] if len(tops) == 1 and not (folder / train).is_dir() else folder
