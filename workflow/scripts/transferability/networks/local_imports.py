"""Which files beside a network's file it imports, found by reading import statements.

Nothing is run for it, and nothing here imports torch, because Snakemake reads them at every start.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

INIT = "__init__.py"


class CodeError(ValueError):
    """A file is not Python code that can be read; the message names it."""


def parsed(file: Path) -> ast.Module:
    """The syntax tree of a file; CodeError if it cannot be read."""
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise CodeError(f"{file}: cannot be read as Python ({error})") from error


def imported_files(path: Path) -> tuple[str, ...]:
    """The files in a file's folder that it imports, also through each other: their paths in the folder, in order.

    Statements count wherever they are, even within functions. Of a package in the folder, the files count that the
    statements name, with the ``__init__.py`` of each. They are read once per process. CodeError if one cannot be read.
    """
    return _imported_files(path.resolve())


@cache
def _imported_files(path: Path) -> tuple[str, ...]:
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported_by(file, path.parent)
    return tuple(sorted(file.relative_to(path.parent).as_posix() for file in found - {path}))


def _imported_by(file: Path, folder: Path) -> Iterator[Path]:
    """The files below a folder that the import statements of one of them name."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(folder, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if node.level else folder
            if not base.is_relative_to(folder):
                continue  # beyond the package, which fails when it is run
            if node.level and (base / INIT).is_file():
                yield base / INIT
            package = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _files_of(base, [*package, alias.name])


def _files_of(base: Path, parts: Sequence[str]) -> Iterator[Path]:
    """The files that importing a dotted name from a folder may run: those of its packages, and its own."""
    for count in range(1, len(parts) + 1):
        place = base.joinpath(*parts[:count])
        if place.name == "*":
            yield from place.parent.glob("*.py")  # a package's __all__ may name any of its modules
        yield from filter(Path.is_file, (place / INIT, place.with_name(f"{place.name}.py")))
