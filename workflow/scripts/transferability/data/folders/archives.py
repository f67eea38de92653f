"""Archives of images, unpacked while they are read: completely, or refused."""

import bz2
import errno
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any

from transferability.data.folders.forward_file import ForwardFile, decompressed
from transferability.data.folders.search import is_litter
from transferability.store.source import StoreError
from transferability.words import amount

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BLOCK = tarfile.BLOCKSIZE
_DISK_BLOCK = 4096
_ZIP_END = 22 + 65535  # the last record of a zip, with the longest comment
_IN_ZIP64 = 0xFFFF  # means that the count of files is elsewhere
_MOST_COUNTED = 1 << 16  # a Mac writes the count modulo this
_UNICODE_PATH = 0x7075  # zip field for a name that the zip's own character set cannot express
_MOST_FOLDERS_AROUND = 5

_DECOMPRESSORS: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(31),  # gzip
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\0": lzma.LZMADecompressor,
    b"\x5d\0\0": lzma.LZMADecompressor,  # .lzma
}
_MORE_ROOM = "set the environment variable TMPDIR to a folder with more room"
_TAR_INSTEAD = "unpack it and set root to the folder, or pack it as tar or zip"
_NOT_READ = {
    b"\x28\xb5\x2f\xfd": (
        "it is packed with Zstandard, which is not supported; run tar --zstd -xf and set root to the folder"
    ),
    b"7z\xbc\xaf\x27\x1c": f"it is a 7z archive, which is not supported; {_TAR_INSTEAD}",
    b"Rar!\x1a\x07": f"it is a RAR archive, which is not supported; {_TAR_INSTEAD}",
    b"\x04\x22\x4d\x18": f"it is packed with LZ4, which is not supported; {_TAR_INSTEAD}",
    b"\x1f\x9d": f"it is packed with compress, which is not supported; {_TAR_INSTEAD}",
    b"PK\x07\x08": "it is the first part of a split zip; join the parts (zip -s 0) first",
    b"PK\x03\x04": "it is a zip whose end is missing: cut off, or one part of several",
}


class _ArchiveError(ValueError):
    """What is wrong with an archive, without its name."""


@contextmanager
def unpacked(root: Path, train: str, name: str) -> Iterator[Path]:
    """The folder that has ``train``; errors within the block name the archive, not the temporary folder."""
    where = f"datasets.{name}.root: {root}"
    try:
        is_folder, is_file = root.is_dir(), root.is_file()
    except OSError as error:
        raise StoreError(f"{where} cannot be opened ({error.strerror}); make it readable") from error
    if is_folder:
        yield root
        return
    if not is_file:
        raise StoreError(
            f"datasets.{name}.root: there is no {root}; it must be a folder, or an archive (tar, zip) of one"
        )
    with TemporaryDirectory(prefix="images-", ignore_cleanup_errors=True) as temporary:
        try:
            _unpack(root, Path(temporary))
        except FileExistsError as error:
            inside = str(error.filename).removeprefix(f"{temporary}/")
            raise StoreError(
                f"{where} cannot be unpacked ({inside} is in it twice, perhaps in another spelling); pack it again"
            ) from error
        except OSError as error:
            raise StoreError(f"{where} cannot be unpacked ({_of_the_system(error, temporary)})") from error
        except Exception as error:  # whatever decoders of damaged files raise
            reason = str(error).replace(temporary, str(root)) or "its end is missing"
            raise StoreError(f"{where} cannot be unpacked ({reason})") from error
        try:
            yield _below_top_folders(Path(temporary), train)
        except StoreError as error:
            raise type(error)(str(error).replace(temporary, str(root))) from error


def _of_the_system(error: OSError, temporary: str) -> str:
    if error.errno in _FULL:
        return f"the disk of {Path(temporary).parent} is full; {_MORE_ROOM}"
    return str(error).replace(f"{temporary}/", "")


def _unpack(root: Path, folder: Path) -> None:
    with root.open("rb") as file:
        head = file.read(_BLOCK)
    is_tar = head[257:262] == b"ustar" or head.startswith(tuple(_DECOMPRESSORS))
    if not is_tar and zipfile.is_zipfile(root):  # by its end, where a tar may have a zip in it
        _unpack_zip(root, folder)
        return
    for signature, reason in _NOT_READ.items():
        if head.startswith(signature):
            raise _ArchiveError(reason)
    _unpack_tar(root, folder, head)


def _require_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise _ArchiveError(
            f"it takes {amount(size)}, but in {folder.parent} only {amount(free)} are free; {_MORE_ROOM}"
        )


def _unpack_tar(root: Path, folder: Path, head: bytes) -> None:
    """Unpack a tar, or several in one file; a damaged header is an error and not the end."""
    _require_room(folder, root.stat().st_size)  # images hardly compress: at least this much
    start = next((start for start in _DECOMPRESSORS if head.startswith(start)), None)
    with root.open("rb") as file:
        stream = ForwardFile(decompressed(file, _DECOMPRESSORS[start])) if start else file
        _unpack_tars(stream, folder)


def _unpack_tars(file: Any, folder: Path) -> None:
    begin = 0
    while True:
        file.seek(begin)
        try:
            with tarfile.TarFile(fileobj=file, errorlevel=2) as tar:
                for member in tar:
                    _require_new(folder, member)
                    tar.extract(member, folder, filter="data")  # refuses names and links that lead outside
                    tar.members = []  # type: ignore[attr-defined] # or they would all be kept
                end = tar.offset
        except (tarfile.ReadError, tarfile.HeaderError) as error:
            place = f"damaged from byte {begin:,} on" if begin else "not an archive, or damaged at its beginning"
            raise _ArchiveError(f"{place}: {error}") from error
        begin, has_end = _next_block(file, end)
        if not has_end:
            fault = "its end is missing: it is cut off" if begin is None else "the header of a file in it is damaged"
            raise _ArchiveError(f"{fault} at byte {end:,}")
        if begin is None:
            return


def _next_block(file: Any, end: int) -> tuple[Any, bool]:
    """Where the next nonempty block is, if there is one, and whether an empty block comes before it."""
    file.seek(end)
    place, has_end = end, False
    while block := file.read(_BLOCK):
        if block.strip(b"\0"):
            return place, has_end
        has_end = has_end or len(block) == _BLOCK
        place += len(block)
    return None, has_end


def _require_new(folder: Path, member: tarfile.TarInfo) -> None:
    path = folder / member.name.lstrip("/")
    if not member.isdir() and os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, "there twice", str(path))


def _unpack_zip(root: Path, folder: Path) -> None:
    with zipfile.ZipFile(root) as archive:
        members = archive.infolist()
        _require_whole(archive, members)
        _require_room(folder, sum(member.file_size + _DISK_BLOCK for member in members))
        names = _zip_names(members)
        links = []
        for member, name in zip(members, names, strict=True):
            path = folder / _inside(name)
            if name.endswith("/"):
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if stat.S_ISLNK(member.external_attr >> 16):
                links.append((path, os.fsdecode(archive.read(member))))
                continue
            with archive.open(member) as packed, path.open("xb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
        _make_links(folder, links)


def _require_whole(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse a zip that is encrypted, comes after another zip (a program is fine) or has an incomplete directory."""
    if any(member.flag_bits & 1 for member in members):
        raise _ArchiveError(f"it is encrypted; {_TAR_INSTEAD}")
    file: IO[bytes] | None = archive.fp
    if file is None:
        return
    file.seek(0)
    begin = min((member.header_offset for member in members), default=0)
    if begin and file.read(4) == b"PK\x03\x04":
        raise _ArchiveError("it begins with files that its directory does not list: two archives in one, or damaged")
    file.seek(max(0, file.seek(0, os.SEEK_END) - _ZIP_END))
    _, _, end = file.read().rpartition(b"PK\x05\x06")
    count = int.from_bytes(end[6:8], "little")
    if count not in (len(members) % _MOST_COUNTED, _IN_ZIP64):
        raise _ArchiveError(f"its directory lists {len(members)} files, but should list {count}")


def _zip_names(members: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The names as intended: a Mac writes UTF-8 without marking it, and Windows may write backslashes."""
    unicode = [_unicode_path(member) for member in members]
    names = [name or member.orig_filename for member, name in zip(members, unicode, strict=True)]
    unmarked = [i for i, member in enumerate(members) if not (member.flag_bits & 0x800 or unicode[i])]
    try:
        meant = {i: names[i].encode("cp437").decode() for i in unmarked}
    except UnicodeError:  # DOS names, as zipfile reads them
        meant = {}
    names = [meant.get(i, name) for i, name in enumerate(names)]
    has_slashes = any("/" in name for name in names)
    return [
        name.replace("\\", "/") if member.create_system == 0 or not has_slashes else name
        for member, name in zip(members, names, strict=True)
    ]


def _unicode_path(member: zipfile.ZipInfo) -> str | None:
    """The name in the field for Unicode, if there is one and it belongs to the member's other name."""
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(field) > 5 and not member.flag_bits & 0x800:
            version, checksum = struct.unpack("<BL", field[:5])
            if version == 1 and checksum == zlib.crc32(member.orig_filename.encode("cp437")):
                return field[5:].decode()
    return None


def _inside(name: str) -> PurePosixPath:
    """A member's path in the folder that it is unpacked to."""
    path = PurePosixPath(name.lstrip("/"))
    if ".." in path.parts or "\0" in name or not path.parts:
        raise _ArchiveError(f"the name {name!r} leads outside")
    return path


def _make_links(folder: Path, links: Sequence[tuple[Path, str]]) -> None:
    """Create the links, last of all, so that nothing is written through one."""
    for path, target in links:
        path.symlink_to(target)
    for path, target in links:
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
            raise _ArchiveError(f"{path.relative_to(folder)} is a link to {target}, which is outside")


def _below_top_folders(folder: Path, train: str) -> Path:
    """The folder of an archive that has ``train``: its top, or the only one on its level, at most four levels down."""
    level = [folder]
    for _ in range(_MOST_FOLDERS_AROUND):
        having = [path for path in level if (path / train).is_dir()]
        if having:
            return having[0] if len(having) == 1 else folder
        level = [path for parent in level for path in parent.iterdir() if path.is_dir() and not is_litter(path.name)]
    return folder
