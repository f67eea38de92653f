"""Which image file a list means: by its path, the end of its path, or its name with or without the suffix."""

import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path

from transferability.delimited_text import text_key

_MOST_REMEMBERED = 100_000  # texts; beyond that, not those that match no file, of which a list may have many


class FileFinder:
    """Finds files by what people write for them, regardless of Unicode form and of how a path is written.

    A path is looked up in each of the ``bases`` in turn until it names a file. One that is in none of them means the
    files whose paths end with it.

    Args:
        files: the files to choose from.
        bases: folders that paths may be relative to, absolute or relative to where Snakemake runs.
        links: other names of these files, or of folders around them, with their targets.
        place: where a file really is, with all links followed.
    """

    def __init__(
        self,
        files: Sequence[Path],
        bases: Sequence[Path],
        links: Mapping[Path, Path] | None = None,
        place: Callable[[Path], Path] = Path,
    ) -> None:
        self._bases = [_key(base) for base in bases]
        self._links = {_key(link): _key(target) for link, target in (links or {}).items()}
        self._files, self._place = files, place
        self._by_path: dict[str, list[Path]] = {}
        for file in files:
            self._by_path.setdefault(_key(file), []).append(file)
        self._by_stem: dict[str, list[str]] = {}  # the paths, by names without suffix: little next to a million files
        for path in self._by_path:
            self._by_stem.setdefault(posixpath.basename(posixpath.splitext(path)[0]), []).append(path)
        self._found: dict[str, tuple[Path, ...]] = {}

    @cached_property
    def _by_place(self) -> dict[str, Path]:
        return {_key(self._place(file)): file for file in self._files}

    def find(self, text: str) -> tuple[Path, ...]:
        """The file that a text means; none, or several, if that is not clear."""
        known = self._found.get(text)
        if known is not None:
            return known
        found = self._find(text)
        if not found and "\\" in text:  # as Windows writes paths
            found = self._find(text.replace("\\", "/"))
        if found or len(self._found) < _MOST_REMEMBERED:
            self._found[text] = found
        return found

    def _find(self, text: str) -> tuple[Path, ...]:
        if not text:
            return ()
        path = posixpath.normpath(text_key(text))
        name = posixpath.basename(path)
        stems = [stem for stem in dict.fromkeys((name, posixpath.splitext(name)[0])) if stem in self._by_stem]
        if not stems and not self._links:
            return ()
        for base in self._bases:
            if exact := self._by_path.get(posixpath.normpath(posixpath.join(base, path))):
                return tuple(exact)
        for base in self._bases if self._links else ():
            if linked := self._linked(posixpath.normpath(posixpath.join(base, path))):
                return (linked,)
        # One that begins with / is not the end of a path, but may come from elsewhere or lack its suffix.
        is_meant = path.__eq__ if path.startswith("/") else lambda known: known.endswith(f"/{path}")
        likely = chain.from_iterable(self._by_stem[stem] for stem in stems)
        meant = (known for known in likely if is_meant(known) or is_meant(posixpath.splitext(known)[0]))
        found = tuple(file for known in meant for file in self._by_path[known])
        if found or not path.startswith("/"):
            return found
        linked = self._by_place.get(_key(Path(os.path.realpath(path))))
        return (linked,) if linked else ()

    def _linked(self, path: str) -> Path | None:
        """The file that a path leads to through a link."""
        link, rest = path, ""
        while link not in self._links:
            link, _, name = link.rpartition("/")
            if not link:
                return None
            rest = f"/{name}{rest}"
        return self._by_place.get(self._links[link] + rest)


def _key(path: Path) -> str:
    return text_key(posixpath.abspath(path))
