"""Data sets that torchvision knows by name, as sources for a store: CIFAR-10, CIFAR-100 and Fashion-MNIST.

torchvision reads them, and downloads them if they are missing. CIFAR's files are pickles, which can run arbitrary code
when opened: none is opened until all of them have the checksums of the official files.
"""

import gzip
import io
import os
import shutil
import socket
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from torchvision.datasets import CIFAR10, CIFAR100, FashionMNIST
from torchvision.datasets.utils import check_integrity

from transferability.files import lock_file
from transferability.process.log import Say
from transferability.store.source import ImageClass, Sample, StoreError

CIFAR = {"cifar10": CIFAR10, "cifar100": CIFAR100}
FASHION_MNIST = "fashion_mnist"
# Where torchvision keeps the files of Fashion-MNIST, below its root.
RAW = Path("FashionMNIST", "raw")
# MD5 of the uncompressed content of the four files: that of the gzip files, which torchvision has, changes if they are
# compressed again. From Debian's package dataset-fashion-mnist, whose files have torchvision's MD5 once their headers
# have the original names and times again (1504176606 s since 1970 for train, 1504176627 s for t10k).
FASHION_MNIST_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
TIMEOUT_SECONDS = 60.0
_ARRIVING = ".download-"

OfficialSet = CIFAR10 | FashionMNIST


@dataclass(frozen=True)
class TorchvisionSet:
    """A source of images for a store; the official training and test parts become training and validation.

    Attributes:
        images: of both parts, N x H x W x C.
        training: samples, each with its official part and its position there as its file.
        validation: likewise.
    """

    name: str
    classes: tuple[ImageClass, ...]
    training: tuple[Sample, ...] = field(repr=False)
    validation: tuple[Sample, ...] = field(repr=False)
    images: NDArray[np.uint8] = field(repr=False)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        _, height, width, channels = self.images.shape
        return height, width, channels

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return self.images[start:stop]


def torchvision_set(name: str, official_name: str, folder: Path, say: Say = lambda line: None) -> TorchvisionSet:
    """Read ``cifar10``, ``cifar100`` or ``fashion_mnist`` from a folder, downloading it there first if necessary.

    Fashion-MNIST's four files may also be in the folder itself, compressed or not, and CIFAR may be its official
    archive. All files must have the official MD5; for Fashion-MNIST, it is that of their uncompressed content.

    Raises:
        StoreError: the files are missing and cannot be downloaded, or are not the official ones.
    """
    where = f"datasets.{name}"
    if official_name == FASHION_MNIST:
        return _source(name, _read_fashion_mnist(folder, where, say))
    return _source(name, _read_cifar(CIFAR[official_name], folder, where, say))


def _source(name: str, parts: Sequence[OfficialSet]) -> TorchvisionSet:
    """A source with sorted class names, and labels changed from the official order to this one."""
    official_names = parts[0].classes
    names = sorted(official_names)
    index = [names.index(official_name) for official_name in official_names]
    training, validation = (
        tuple(Sample(index[int(label)], f"{word} {i:05}") for i, label in enumerate(part.targets))
        for word, part in zip(("train", "test"), parts, strict=True)
    )
    pixels = np.concatenate([np.asarray(part.data) for part in parts])
    images = pixels.reshape(*pixels.shape[:3], -1)  # gray images come without a channel axis
    return TorchvisionSet(name, tuple(map(ImageClass, names)), training, validation, images)


def _read_cifar(official: type[CIFAR10], folder: Path, where: str, say: Say) -> Sequence[CIFAR10]:
    checksums = [*official.train_list, *official.test_list, (official.meta["filename"], official.meta["md5"])]
    files = {folder / official.base_folder / file: md5 for file, md5 in checksums}
    archive = folder / official.filename
    for path, md5 in {archive: official.tgz_md5, **files}.items():
        if path.exists() and not check_integrity(path, md5):
            raise StoreError(
                f"{where}: {path} is not the official file, since its MD5 is not {md5}, and was not opened; delete it "
                "to have it downloaded again"
            )
    if not all(path.exists() for path in files):
        files_from = f"{official.filename} from {official.url.removesuffix(official.filename)}"
        say(f"unpacking {archive}" if archive.exists() else f"downloading {files_from} to {folder}")
        with _arriving(folder, Path(official.base_folder), files_from, where) as root:
            if archive.exists():
                (root / archive.name).symlink_to(archive.absolute())
            official(root, download=True)
    return [official(folder, train=train) for train in (True, False)]


def _read_fashion_mnist(folder: Path, where: str, say: Say) -> Sequence[FashionMNIST]:
    if not (files := _idx_files(folder) or _idx_files(folder / RAW)):
        files_from = f"{', '.join(file for file, _ in FashionMNIST.resources)} from {FashionMNIST.mirrors[0]}"
        say(f"downloading {files_from} to {folder}")
        with _arriving(folder, RAW, files_from, where) as root:
            FashionMNIST(root, download=True)
        files = _idx_files(folder / RAW)
    try:
        # In a separate root with only the four files, so that torchvision cannot read others instead.
        with TemporaryDirectory(prefix="fashion-mnist-") as root:
            for path in files:
                _require_official(_unpack(path, Path(root, RAW)), path, where)
            return [FashionMNIST(root, train=train) for train in (True, False)]
    except (EOFError, OSError, zlib.error) as error:  # all that a damaged file can raise in gzip
        raise StoreError(
            f"{where}: the files in {files[0].parent} cannot be read ({error!r}); delete them to have them downloaded "
            "again"
        ) from error


def _idx_files(folder: Path) -> list[Path]:
    """The four files of Fashion-MNIST, each uncompressed if possible; none if one is missing."""
    packed = [folder / file for file, _ in FashionMNIST.resources]
    files = [path.with_suffix("") if path.with_suffix("").is_file() else path for path in packed]
    return files if all(path.is_file() for path in files) else []


def _unpack(path: Path, folder: Path) -> Path:
    """The file uncompressed in another folder, or a link to it if it is not compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    unpacked = folder / path.name.removesuffix(".gz")
    if path.suffix != ".gz":
        unpacked.symlink_to(path.absolute())
        return unpacked
    with gzip.open(path) as packed, unpacked.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return unpacked


def _require_official(unpacked: Path, path: Path, where: str) -> None:
    md5 = FASHION_MNIST_MD5[unpacked.name]
    if not check_integrity(unpacked, md5):
        raise StoreError(
            f"{where}: {path} is not the official file of Fashion-MNIST, since the MD5 of its content is not {md5} "
            "(MNIST's digits have files with the same names); delete it, or set another folder, to have it downloaded "
            "again"
        )


@contextmanager
def _arriving(folder: Path, wanted: Path, files_from: str, where: str) -> Iterator[Path]:
    """A root for torchvision to download to; its files in ``wanted`` move to ``folder`` unless the block fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_left(folder)
        with (
            TemporaryDirectory(prefix=_ARRIVING, dir=folder) as root,
            _locked(Path(root)),
            _timeout(),
            redirect_stderr(io.StringIO()),  # torchvision's progress bar goes there, which is a log here
        ):
            yield Path(root)
            (folder / wanted).mkdir(parents=True, exist_ok=True)
            for path in Path(root, wanted).iterdir():
                path.replace(folder / wanted / path.name)
    except (HTTPException, OSError, RuntimeError, tarfile.TarError) as error:
        reason = " ".join(str(error).split())
        raise StoreError(
            f"{where}: {folder} lacks the data set, and fetching it failed ({reason}); put {files_from} into {folder}"
        ) from error


def _remove_left(folder: Path) -> None:
    """Remove what killed processes left of their downloads."""
    for left in folder.glob(f"{_ARRIVING}*"):
        with suppress(OSError):  # in use, or possibly so
            with _locked(left, required=True):
                pass
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(root: Path, required: bool = False) -> Iterator[None]:
    """Lock a download in progress; BlockingIOError if another process holds the lock.

    OSError if the lock is ``required`` and the file system has none.
    """
    descriptor = lock_file(root / ".lock", f"{root} is in use", required=required)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _timeout() -> Iterator[None]:
    """Make a server that stops responding an error instead of waiting forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
