"""Which image file a list means: by its path, the end of its path, or its name with or without the suffix."""

import posixpath
from collections.abc import Sequence
from pathlib import Path

from transferability.delimited_text import text_key


class FileFinder:
    """Finds files by what people write for them; Unicode forms and the ways to write a path make no difference.

    A path is looked up in each of the ``bases`` in turn, in the first of which it names a file. One that is in none
    means the files whose paths end so.
    """

    def __init__(self, files: Sequence[Path], bases: Sequence[Path]) -> None:
        self._bases = [_key(base) for base in bases]
        self._by_path: dict[str, list[Path]] = {}
        self._by_name: dict[str, list[tuple[str, Path]]] = {}
        for file in files:
            path = _key(file)
            self._by_path.setdefault(path, []).append(file)
            for ending in {path, posixpath.splitext(path)[0]}:
                self._by_name.setdefault(posixpath.basename(ending), []).append((ending, file))
        self._found: dict[str, tuple[Path, ...]] = {}

    def find(self, text: str) -> tuple[Path, ...]:
        """The file that a text means; none, or several, if it is not clear."""
        if text not in self._found:
            self._found[text] = self._find(text)
            if not self._found[text] and "\\" in text:  # as Windows writes paths
                self._found[text] = self._find(text.replace("\\", "/"))
        return self._found[text]

    def _find(self, text: str) -> tuple[Path, ...]:
        if not text:
            return ()
        path = posixpath.normpath(text_key(text))
        for base in self._bases:
            if exact := self._by_path.get(posixpath.normpath(posixpath.join(base, path))):
                return tuple(exact)
        ending = "/" + path.lstrip("/")
        if path.startswith("/"):  # no end of a path, but one from elsewhere, or without its suffix
            return tuple(file for known, file in self._by_name.get(posixpath.basename(path), ()) if known == path)
        return tuple(file for known, file in self._by_name.get(posixpath.basename(path), ()) if known.endswith(ending))


def _key(path: Path) -> str:
    return text_key(posixpath.abspath(path))
