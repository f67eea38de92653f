"""A network's file as a module, whose imports find what lies beside it, whatever folder Python was started in.

It is loaded as if Python had been started with it, and as a module of a package too, so that ``from blocks import
Block`` and ``from .blocks import Block`` both work. Files of the same names beside two networks are kept apart.
"""

import hashlib
import importlib
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from transferability.networks.local_imports import INIT, imported_files
from transferability.networks.tracing import CutError

_loaded: dict[Path, dict[str, ModuleType]] = {}  # by folder, the modules in it that were imported like installed ones


@cache
def load(path: Path) -> ModuleType:
    """A network's file as a module, loaded once per process; CutError if it is not there or an import fails."""
    if not path.is_file():
        raise CutError(f"there is no file {path}")
    file = path.resolve()
    package = _package_of(file.parent)
    try:
        with imports_beside(path):
            if package not in sys.modules:
                _run(_package_spec(package, file))
            name = f"{package}.{file.stem.replace('.', '_')}"
            return sys.modules.get(name) or _run(spec_from_file_location(name, file))
    except ImportError as error:
        raise CutError(
            f"{path}: {error}; what it imports must be in its folder, {file.parent}, or be installed"
        ) from error


@contextmanager
def imports_beside(path: Path) -> Iterator[None]:
    """For the length of the block, imports find the files beside a network's file first.

    Modules of the same names from elsewhere, such as from beside another network's file, are put aside meanwhile.
    CutError if a file there was loaded that no import statement names, because changes in it would go unnoticed.
    """
    folder = path.resolve().parent
    names = {file.partition("/")[0].removesuffix(".py") for file in imported_files(path)}
    aside = _taken_out(names)
    sys.modules |= _loaded.get(folder, {})
    before = {*sys.modules}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        new = {name: module for name, module in sys.modules.items() if name not in before}
        _loaded[folder] = _taken_out(names)
        elsewhere = {*map(_top, aside)}
        sys.modules |= aside | {name: one for name, one in _loaded[folder].items() if _top(name) not in elsewhere}
    _require_named(path, new)


def _taken_out(names: Collection[str]) -> dict[str, ModuleType]:
    """The loaded modules and packages of these names, which count as not loaded from now on."""
    return {name: sys.modules.pop(name) for name in [*sys.modules] if _top(name) in names}


def _top(name: str) -> str:
    return name.partition(".")[0]


def _require_named(path: Path, modules: Mapping[str, ModuleType]) -> None:
    """CutError if one of these modules is a file beside a network's that `imported_files` does not find."""
    folder = path.resolve().parent
    known = {*imported_files(path), path.resolve().name}
    for name, module in modules.items():
        stem = name.removeprefix(f"{_package_of(folder)}.").replace(".", "/")
        for file in (f"{stem}.py", f"{stem}/{INIT}"):
            if getattr(module, "__file__", None) == str(folder / file) and file not in known:
                raise CutError(
                    f"{path} loads {folder / file} without an import statement, so that changes in it would go "
                    "unnoticed; import it with one"
                )


def _package_of(folder: Path) -> str:
    """The name that the package of a folder's files has here, different for every folder."""
    return f"networks_in_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def _package_spec(name: str, file: Path) -> ModuleSpec | None:
    """The package of the files in a folder; its ``__init__.py`` is run only if relative imports need the package."""
    if INIT in imported_files(file):
        return spec_from_file_location(name, file.with_name(INIT), submodule_search_locations=[str(file.parent)])
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(file.parent)]
    return spec


def _run(spec: ModuleSpec | None) -> ModuleType:
    if spec is None:
        raise ImportError("it cannot be imported")
    module = sys.modules[spec.name] = module_from_spec(spec)
    try:
        if spec.loader:
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module
