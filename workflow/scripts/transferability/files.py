"""Files that are written completely or not at all."""

import csv
import errno
import fcntl
import glob
import hashlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

PROJECT = Path(__file__).parents[3]

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def whole_file(path: Path, durable: bool = True) -> Iterator[Path]:
    """A temporary path next to ``path``; the file written there replaces ``path`` if the block ends without an error.

    If ``durable``, the content is flushed to disk before the rename, so that a machine crash leaves either the old file
    or the new one; waiting for the disk takes time. Leftovers of killed processes are removed.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.stem)}.[0-9]*.part{glob.escape(path.suffix)}"):
        left.unlink(missing_ok=True)
    try:
        yield temporary
        if durable:
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is None and error.errno in _DISK_FULL:  # the error does not say where
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(folder: Path, what: str = "results") -> None:
    """Create a folder and a temporary file in it; OSError that names the folder if this fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"{folder}: cannot be written to ({error.strerror}); {what} go there") from error


# Raised by file systems without locks, such as NFS without a lock server.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_told_of_locks: list[Path] = []


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def lock_file(path: Path, refusal: str, say: Callable[[str], None] = _tell, required: bool = False) -> int:
    """Lock a file for the lifetime of this process; BlockingIOError with ``refusal`` if another process holds it.

    A lock only guards against a second process. On a file system without locks, this therefore continues without one
    and says once what that means; OSError if a lock is ``required``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)  # minus the umask: members of a group may share results
    try:
        _flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, path, None if required else say)
    except BlockingIOError:
        os.close(descriptor)
        raise BlockingIOError(refusal) from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _flock(descriptor: int, operation: int, path: Path, say: Callable[[str], None] | None) -> None:
    try:
        fcntl.flock(descriptor, operation)
    except OSError as error:
        if error.errno not in _NO_LOCKS or say is None:
            raise
        if not _told_of_locks:
            say(
                f"{path.parent}: its file system has no locks ({error.strerror}), so nothing would stop a second "
                "snakemake; make sure that only one runs at a time with these results and stores"
            )
        _told_of_locks.append(path)


@contextmanager
def held_file(path: Path, say: Callable[[str], None], waiting: str) -> Iterator[tuple[int, bool]]:
    """Lock a file for the duration of the block; yields its descriptor and whether another process held it before.

    If one does, ``say`` is called with ``waiting``, and this waits until the file is free.
    """
    waited = False
    try:
        descriptor = lock_file(path, waiting, say)
    except BlockingIOError:
        say(waiting)
        descriptor, waited = os.open(path, os.O_RDWR), True
    try:
        if waited:
            _flock(descriptor, fcntl.LOCK_EX, path, say)
        yield descriptor, waited
    finally:
        os.close(descriptor)


def by_stem(paths: Iterable[str]) -> dict[str, Path]:
    """Paths by their names without suffix."""
    return {path.stem: path for path in map(Path, paths)}


def write_text(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")  # line breaks stay as they are, on every system


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    write_text(path, "".join(map(_csv_line, chain([header], rows))))


def _csv_line(row: Sequence[object]) -> str:
    """A line that reads back as the same text; Python quotes a carriage return only if the line terminator has one."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(row)
    return line.getvalue().removesuffix("\r\n") + "\n"


@contextmanager
def open_csv(path: Path) -> "Iterator[csv.DictReader[str]]":
    """The rows of a CSV file; ValueError that names the file if it is not one."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield csv.DictReader(file)
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path}: not a CSV file in UTF-8 ({error})") from error


def csv_of(table: "pd.DataFrame") -> str:
    """A table as `write_csv` writes it."""
    text = io.StringIO(table.to_csv(index=False, lineterminator="\r\n"), newline="")
    return "".join(map(_csv_line, csv.reader(text)))


def write_table(path: Path, table: "pd.DataFrame") -> None:
    write_text(path, csv_of(table))


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file; ValueError that names the file if it is not one."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _damaged(path, error) from error
    return parse_json(text, path)


def parse_json(text: str, path: Path) -> Any:
    """The content of a JSON file, from its text; ValueError that names the file if it is not one of ours."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not _is_shallow(content):
        raise _damaged(path, f"nested more than {_DEEPEST} deep")
    return content


def _damaged(path: Path, why: object) -> ValueError:
    return ValueError(f"{path}: damaged ({why}); delete it to have it made again")


_DEEPEST = 50  # our files are nested less than ten deep; this bounds the recursion of code that reads them


def _is_shallow(content: Any) -> bool:
    level = [content]
    for _ in range(_DEEPEST):
        inner = (part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list))
        level = [child for part in inner for child in part]
        if not level:
            return True
    return False


def stand_in(head: bytes, what: str) -> str:
    """What failed downloads and checkouts leave in place of a file, told from its first bytes; empty for other files.

    Args:
        head: the first bytes, a hundred or so.
        what: the file was meant to be, such as image.
    """
    if not head:
        return "it is empty"
    if head.startswith(b"version https://git-lfs"):
        return f"it is a Git LFS pointer, not the {what}; run git lfs pull"
    return "it is a web page" if head.lstrip().lower().startswith((b"<!doctype html", b"<html")) else ""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
