"""The rooms of the library: imports only go downward, never in a circle, and what Snakemake reads loads quickly."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest

from tests.support import ROOT

LIBRARY = ROOT / "workflow" / "scripts" / "transferability"

# From the bottom up; rooms on one level do not import each other. Modules outside rooms are below all of them.
LEVELS = (
    ("process", "networks", "store"),
    ("study",),
    ("data", "records", "results"),
    ("training", "figures"),
    ("proxies",),
    ("report", "planning", "inspection"),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
MODULES = {".".join(path.relative_to(LIBRARY).with_suffix("").parts): path for path in LIBRARY.rglob("*.py")}


def imported_by(path):
    """The library's modules that one imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "transferability":
            package = node.module.removeprefix("transferability").removeprefix(".")
            for alias in node.names:
                names = (f"{package}.{alias.name}".strip("."), package, f"{package}.__init__".strip("."))
                yield next(name for name in names if name in MODULES)


def room_of(module):
    return module.split(".")[0] if "." in module else None


def test_every_room_has_its_level():
    assert {room_of(module) for module in MODULES} - {None} == LEVEL.keys()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_downward(module):
    level = LEVEL.get(room_of(module), -1)
    upward = [
        other
        for other in imported_by(MODULES[module])
        if room_of(other) != room_of(module) and LEVEL.get(room_of(other), -1) >= level
    ]
    assert upward == []


def test_no_module_imports_itself_by_others():
    graph = {module: {*imported_by(path)} - {module} for module, path in MODULES.items()}
    TopologicalSorter(graph).prepare()  # or CycleError, which names them


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("study.design, figures.catalog", {"torch", "pandas", "matplotlib"}),  # what Snakemake reads, at every start
        ("figures.class_names", {"torch", "seaborn"}),  # what each split tries
        ("report.study_page", {"torch", "seaborn"}),
    ],
)
def test_what_is_loaded_often_is_light(modules, heavy):
    names = ", ".join(f"transferability.{module}" for module in modules.split(", "))
    code = f"import sys, {names}\nprint({heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=LIBRARY.parent, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "set()"
