"""The paths of a config: what they must be, and how they are normalized."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transferability.study.layout import study_folder
from transferability.study.schema import on_one_line

# Keys that are paths: folders that rules write to, and what a data set is read from.
_OUTPUT_PATHS = ("results", "stores")
_INPUT_PATHS = ("root", "folder", "groups")
# Folders of a study that its rules fill and, in part, empty.
_OWN_FOLDERS = ("networks", "splits", "states", "logs", "benchmarks", "figures", "so_far", "tensorboard")
_OTHERS_FOLDERS = {
    "published": "the results of the authors' accuracies go",
    "described": "descriptions of networks go",
    "pretrained": "published weights go",
}
_MOST_BYTES = 255  # of a file's name, on any usual file system


def one_spelling(path: str) -> str:
    """A path as the whole workflow spells it: relative if below the folder that Snakemake runs in, otherwise absolute.

    ``st/``, ``./st``, ``st//x/..`` and the absolute path are ``st``; ``~`` is the home folder.
    """
    spelled = _spelled(path) or "."
    return spelled if spelled == path else one_spelling(spelled)


def _spelled(path: str) -> str:
    here = str(Path.cwd())
    written = path if os.path.exists(path) else path.strip()  # noqa: PTH110 - Path would fail for names that are too long
    full = os.path.join(here, os.path.expanduser(written))  # noqa: PTH111, PTH118 - and for unknown users
    lexical = "/" + os.path.normpath(full).lstrip("/")
    if ".." in Path(full).parts and os.path.realpath(full) != os.path.realpath(lexical):  # through a link and up again
        lexical = os.path.realpath(full)
    relative = os.path.relpath(lexical, here)
    outside = relative == ".." or relative.startswith(("../", "~"))
    return lexical if outside else relative


def path_problems(config: Mapping[str, Any], data_sets: Iterable[str]) -> Iterator[str]:
    """Problems of paths as they are written; for data sets, of those that are used."""
    for key in _OUTPUT_PATHS:
        yield from _output_problems(key, config[key])
    for name in data_sets:
        for key in _INPUT_PATHS:
            if isinstance(path := config["datasets"][name].get(key), str):
                yield from _any_path_problems(f"datasets.{name}.{key}", path)


def _any_path_problems(key: str, path: str) -> Iterator[str]:
    if not path.strip():
        yield f"{key}: is empty; it must be a path"
    elif not path.strip().isprintable():
        yield f"{key}: is {path!r}; it must be a path on one line, without control characters"
    elif path.strip().startswith("~") and os.path.expanduser(path.strip()) == path.strip():  # noqa: PTH111
        yield f"{key}: is {path!r}; there is no user of that name; write the home folder out"


def _output_problems(key: str, path: str) -> Iterator[str]:
    problems = list(_any_path_problems(key, path))
    yield from problems
    if problems:
        return
    if any(sign in path for sign in "{}$"):
        yield f"{key}: is {path!r}; it must be a folder's path without braces, which Snakemake fills in, and without $"
    elif (spelled := one_spelling(path)) == ".":
        yield f"{key}: is {path!r}, the folder that Snakemake runs in; name a folder in it, such as {key}"
    elif long := [part for part in Path(spelled).parts if len(part.encode()) > _MOST_BYTES]:
        yield f"{key}: a folder's name has {len(long[0].encode())} bytes; at most {_MOST_BYTES} are allowed"
    elif file := next((place for place in (Path(spelled), *Path(spelled).parents) if place.is_file()), None):
        yield f"{key}: is {path!r}, but {file} is a file; it must be a folder, or the path of a new one"


def with_paths(config: Mapping[str, Any], data_sets: Iterable[str]) -> dict[str, Any]:
    """The config with every path normalized; for data sets, of those that are used."""
    spelled = {
        name: {
            key: one_spelling(value) if key in _INPUT_PATHS and isinstance(value, str) else value
            for key, value in config["datasets"][name].items()
        }
        for name in data_sets
    }
    outputs = {key: one_spelling(config[key]) for key in _OUTPUT_PATHS}
    return {**config, **outputs, "datasets": {**config["datasets"], **spelled}}


def place_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Problems of folders that something else writes to as well."""
    folder, results, stores = study_folder(config), Path(config["results"]), Path(config["stores"])
    if folder.is_file():
        yield f"study: its folder {folder} is a file; move it away, or give the study another name"
    for name, what in _OTHERS_FOLDERS.items():
        if _is_within(folder, results / name):
            yield f"study: {config['study']} is where {what}, to {results / name}; give the study another name"
        if _is_within(stores, results / name):
            yield f"stores: {stores} is where {what}; give them another folder"
    if _is_within(folder, stores):
        yield (
            f"study: its folder {folder} is {'' if folder == stores else 'in '}that of the image stores, {stores}; "
            "give the study another name, or stores another folder"
        )
    for name in _OWN_FOLDERS:
        if _is_within(stores, folder / name):
            yield f"stores: {stores} is in the study's own folder {folder / name}; give them another folder"


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or in it, by name; ignores case, because some file systems do."""
    return Path(str(path).lower()).is_relative_to(str(folder).lower())


def found_beside(path: str, beside: Sequence[Path]) -> Path | None:
    """The file at a path, in one of these folders or else where Snakemake runs; None if it is in none."""
    return next((place for place in _places(path, beside) if os.path.isfile(place)), None)  # noqa: PTH113 - Path fails for long names


def places_in_words(path: str, beside: Sequence[Path]) -> str:
    """Where `found_beside` looks."""
    return " or ".join(on_one_line(str(place)) for place in _places(path, beside))


def _places(path: str, beside: Sequence[Path]) -> list[Path]:
    full = os.path.expanduser(path)  # noqa: PTH111 - and for unknown users
    return list(dict.fromkeys([*(folder / full for folder in beside), Path(full)]))
