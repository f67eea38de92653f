"""What the key skip names: files and folders, in any form that a message prints."""

import glob
import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePath

from transferability.labels import visible
from transferability.store.source import StoreError
from transferability.unicode_names import nfc


def skipped_paths(
    skip: Sequence[str], root: Path, folder: Path, name: str, parts: Sequence[str] = ()
) -> frozenset[str]:
    """The paths, relative to the folder and in composed form, that the entries of ``skip`` mean.

    An entry may be relative or absolute, contain ./ and ../, and begin with the folder's own name, such as that of the
    only folder in an archive.

    Args:
        root: the folder or archive of the settings.
        folder: that folder, or where the archive is unpacked.
        parts: ``train`` and ``val`` of the settings, which may lead outside of the folder.

    Raises:
        StoreError: an entry matches nothing that exists.
    """
    outside = [path for path in map(PurePath, map(os.path.normpath, filter(None, parts))) if _leads_out(path, folder)]
    return frozenset(nfc(_meant(entry, root, folder, outside, name)) for entry in skip)


def _leads_out(path: PurePath, folder: Path) -> bool:
    return path.parts[:1] == ("..",) or (path.is_absolute() and not path.is_relative_to(folder))


def _meant(entry: str, root: Path, folder: Path, outside: Sequence[PurePath], name: str) -> str:
    plain = PurePath(os.path.normpath(entry))
    elsewhere = [plain] if any(plain.is_relative_to(part) for part in outside) else []
    for path in (*elsewhere, *_readings(entry, root, folder)):
        if path.parts and (parts := _there(folder, path.parts)):
            return str(PurePath(*parts))
    raise StoreError(f"datasets.{name}.skip: there is no file {entry} in {folder}{_nearest(entry, root, folder)}")


def _there(folder: Path, parts: Sequence[str]) -> list[str]:
    """The names of a path on disk if it, or one that looks the same, leads to something; otherwise none."""
    names = []
    for part in parts:
        same = [part] if os.path.lexists(folder / part) else [name for name in _names(folder) if _look(name, part)]
        if not same:
            return []
        names.append(same[0])
        folder /= same[0]
    return names


def _look(name: str, given: str) -> bool:
    """Whether a name looks like the given one in print."""
    return nfc(name) == nfc(given) or nfc(visible(name)) == nfc(given)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _readings(entry: str, root: Path, folder: Path) -> Iterator[PurePath]:
    """What an entry may mean, relative to the folder, the plainest first."""
    plain = PurePath(os.path.normpath(entry))
    for base in (root, root.absolute(), Path(os.path.realpath(root)), folder, Path(os.path.realpath(folder))):
        if plain.is_absolute() and plain.is_relative_to(base):
            plain = plain.relative_to(base)
    if plain.is_absolute() or plain.parts[:1] == ("..",):
        return
    yield plain
    for length in range(1, len(plain.parts)):
        if folder.parts[-length:] == plain.parts[:length]:
            yield PurePath(*plain.parts[length:])


def _nearest(entry: str, root: Path, folder: Path) -> str:
    """A hint at the existing path that is most like an entry."""
    there = next(_readings(entry, root, folder), PurePath(PurePath(entry).name))
    if not there.name:
        return ""
    near = _similar(folder, there.parts) or next(folder.rglob(glob.escape(there.name)), None)
    return f"; did you mean {near.relative_to(folder)}?" if near else ""


def _similar(folder: Path, parts: Sequence[str]) -> Path | None:
    """The path below a folder whose parts are the given ones, or the most similar ones that exist."""
    for part in parts:
        names = _names(folder)
        close = [part] if part in names else get_close_matches(part, names, 1)
        if not close:
            return None
        folder /= close[0]
    return folder
