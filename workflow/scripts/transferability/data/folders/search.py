"""Which files of a tree are images, which folders are classes, and what is passed over."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from transferability.data.folders.image_formats import IMAGE_SUFFIXES, is_image_by_content
from transferability.labels import visible
from transferability.store.source import StoreError
from transferability.unicode_names import nfc

# What systems, file servers and tools leave in folders. Hidden files, such as a Mac's ._*, are litter too.
_LITTER = {
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", "zbthumbnail.info", "icon\r"),
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "$recycle.bin", "__macosx", "__pycache__"),
    *("lost+found", "system volume information"),
}
# Files about images, or of other kinds: their content is not looked at.
_NO_IMAGES = frozenset(
    f".{suffix}"
    for kind in (
        "txt xml json jsonl csv tsv md rst html htm yaml yml toml ini cfg log lst url webloc sh py ipynb xmp aae thm",
        "pp3 dop tfw jgw pgw wld prj mat npy npz h5 hdf5 pkl pt pth db lock bak tmp part crdownload md5 sha256",
        "pdf ps eps doc docx ppt pptx xls xlsx odt zip tar gz tgz bz2 xz zst 7z rar mp4 mov avi mkv webm mpg mpeg",
        "m4v 3gp wav mp3 flac m4a exe dll",
    )
    for suffix in kind.split()
)


class Reason(StrEnum):
    """Why something is passed over."""

    SKIPPED = "named in skip"
    LITTER = "hidden, or left behind by a system or tool"
    NO_IMAGE = "no images"
    TWICE = "links to something read already, or to an enclosing folder"
    LOOSE = "outside the class folders"


@dataclass
class ImageSearch:
    """Looks for images and classes below a folder, and records what it passes over.

    Attributes:
        folder: what all paths in messages, in ``skipped`` and in ``passed_over`` are relative to.
        skipped: files and folders to leave out, in composed form, as `skipped_paths` gives them.
        passed_over: paths with their reasons; for a folder that is passed over, only its own path.
        links: links to images and folders that are found by another name, with their targets.
    """

    name: str
    folder: Path
    skipped: frozenset[str] = frozenset()
    passed_over: dict[str, Reason] = field(default_factory=dict)
    links: dict[Path, Path] = field(default_factory=dict)
    _places: dict[Path, Path] = field(default_factory=dict)  # of linked images, and of all folders

    def class_folders(self, folder: Path) -> list[Path]:
        """The class folders, in the order of their names in composed form.

        Raises:
            StoreError: there are none, two are the same or have names that look the same, or one is a broken link.
        """
        if not _may_be_folder(folder):
            raise StoreError(f"datasets.{self.name}: there is no folder {folder}; it must hold a folder for each class")
        found: dict[str, Path] = {}
        top = Path(os.path.realpath(folder))
        for entry in self._entries(folder):
            path = Path(entry.path)
            if not _is_folder(entry):
                self._require_target(path)
                self._pass(path, Reason.LOOSE if self._is_image(path) else Reason.NO_IMAGE)
            elif entry.is_symlink() and top.is_relative_to(os.path.realpath(path)):
                self._pass(path, Reason.TWICE)
            elif (other := found.setdefault(nfc(entry.name), path)) != path:
                raise StoreError(
                    f"datasets.{self.name}: {folder} has two folders whose names look the same, {other.name!a} and "
                    f"{entry.name!a}; make them one"
                )
        if not found:
            raise StoreError(
                f"datasets.{self.name}: {folder} has no folders; it needs one for each class, with its images"
            )
        self._require_different(list(found.values()))
        return [found[name] for name in sorted(found)]

    def image_files(self, folder: Path) -> list[Path]:
        """All images in and below a folder, in the order of their paths; each once, and in linked folders too.

        Images named in ``skipped`` are included, though not its folders, and so are broken links that may be images.

        Raises:
            StoreError: a folder cannot be opened.
        """
        top = Path(os.path.realpath(folder))
        found: dict[Path, Path] = {}
        seen, waiting, links = {top}, [(folder, top)], [(folder, top, top)][:0]
        while waiting or links:
            if not waiting:  # links come last, so that an image gets the name that it has without links
                path, place, around = links.pop()
                is_around = place == top or top.is_relative_to(place) or around.is_relative_to(place)
                if is_around or place in seen:
                    self._pass(path, Reason.TWICE)
                    self.links[path] = place
                    continue
                seen.add(place)
                waiting.append((path, place))
            parent, real = waiting.pop()
            self._places[parent] = real
            for entry in self._entries(parent):
                path = Path(entry.path)
                if _is_folder(entry) and entry.is_symlink():
                    links.insert(0, (path, Path(os.path.realpath(path)), real))
                elif _is_folder(entry) and real / entry.name in seen:
                    self._pass(path, Reason.TWICE)
                elif _is_folder(entry):
                    seen.add(real / entry.name)
                    waiting.append((path, real / entry.name))
                elif self._is_image(path):
                    found[path] = real / entry.name
                else:
                    self._pass(path, Reason.NO_IMAGE)
        return self._once(found)

    def is_skipped(self, file: Path) -> bool:
        """Whether the settings leave a file out, which is then recorded."""
        if nfc(self.shown(file)) not in self.skipped:
            return False
        self._pass(file, Reason.SKIPPED)
        return True

    def place(self, file: Path) -> Path:
        """Where an image that `image_files` gave really is, with all links followed."""
        return self._places.get(file) or self._places[file.parent] / file.name

    def note_used(self, files: Collection[Path]) -> None:
        """No longer count links as passed over by one search if another search found them."""
        for link in self.links.keys() & set(files):
            self.passed_over.pop(self.shown(link), None)

    def _once(self, found: Mapping[Path, Path]) -> list[Path]:
        """The files, sorted, without links to others among them; ``found`` maps each to its place."""
        links = sorted(path for path in found if path.is_symlink())
        places = {place for path, place in found.items() if not path.is_symlink()} if links else set()
        twice = set()
        for path in links:
            place = self._places[path] = Path(os.path.realpath(path))
            if place in places:
                self._pass(path, Reason.TWICE)
                self.links[path] = place
                twice.add(path)
            places.add(place)
        return sorted(found.keys() - twice)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """The entries of a folder, in name order, without litter and skipped folders."""
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise StoreError(
                f"datasets.{self.name}: in {self.folder}, the folder {self.shown(folder)} cannot be opened "
                f"({error.strerror}); make it readable or name it in skip"
            ) from error
        return [entry for entry in found if self._counts(entry)]

    def _counts(self, entry: os.DirEntry[str]) -> bool:
        path = Path(entry.path)
        if is_litter(entry.name):
            self._pass(path, Reason.LITTER)
            return False
        return not (_is_folder(entry) and self.is_skipped(path))

    def _is_image(self, path: Path) -> bool:
        suffix = path.suffix.lower()
        if suffix in _NO_IMAGES:
            return False
        if not is_there(path):
            return True
        if not path.is_file():  # a pipe, a socket or a device, which might block forever
            return False
        try:
            return suffix in IMAGE_SUFFIXES or is_image_by_content(path)
        except OSError:
            return True

    def _require_target(self, path: Path) -> None:
        if path.is_symlink() and not is_there(path) and not self.is_skipped(path):
            raise StoreError(
                f"datasets.{self.name}: in {self.folder}, {self.shown(path)} is a link to {path.readlink()}, which is "
                "not there; repair it or name it in skip"
            )

    def _require_different(self, folders: Sequence[Path]) -> None:
        """StoreError if a folder, or a folder in it, is two classes through a link."""
        if not any(path.is_symlink() for path in folders):
            return
        places: dict[Path, Path] = {}
        for path in folders:
            if (other := places.setdefault(Path(os.path.realpath(path)), path)) != path:
                raise self._is_two_classes(f"{self.shown(other)} and {self.shown(path)} are one folder")
        for place, path in places.items():
            for around in place.parents:
                if around in places:
                    raise self._is_two_classes(f"{self.shown(path)} is a folder in {self.shown(places[around])}")

    def _is_two_classes(self, what: str) -> StoreError:
        return StoreError(
            f"datasets.{self.name}: in {self.folder}, {what} through a link, but each is a class; remove the link or "
            "name it in skip"
        )

    def _pass(self, path: Path, reason: Reason) -> None:
        self.passed_over[self.shown(path)] = reason

    def shown(self, path: Path) -> str:
        """A path as messages print it and as ``skip`` takes it."""
        return shown_below(self.folder, path)


def passed_over_lines(passed_over: Mapping[str, Reason]) -> list[str]:
    """A line for each reason: how many, and the first few."""
    lines = []
    for reason in Reason:
        paths = sorted(path for path, why in passed_over.items() if why is reason)
        if paths:
            more = ", ..." if len(paths) > 3 else ""
            lines.append(f"passed over, {reason}: {len(paths):,} ({', '.join(map(visible, paths[:3]))}{more})")
    return lines


def shown_below(folder: Path, path: Path) -> str:
    """A path, relative to the data set's folder if it is below it; ``train`` and ``val`` may be elsewhere."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden or left by a system or a tool: never a class or an image."""
    return name.startswith(".") or name.lower() in _LITTER


def is_there(path: Path) -> bool:
    """Whether a path leads to anything; False if the system will not tell, where pathlib raises."""
    return os.path.exists(path)  # noqa: PTH110


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or to a place without access
        return False


def _may_be_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # opening it says why
        return True
