"""Which files beside a network's file count as its code, and that its imports find these and no others."""

import sys

import pytest
import torch

from transferability.networks.library import build_model
from transferability.networks.local_imports import CodeError, imported_files
from transferability.networks.tracing import CutError

GRAY = (16, 16, 1)
NETWORK = """
import torch
from torch import nn
{imports}

class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, {width}, 3), nn.Linear({width}, num_classes)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))
"""


@pytest.fixture
def folder_of(tmp_path):
    """A folder with a file net.py, whose network has a width that it imports, and other files."""

    def folder_of(imports, files, width="WIDTH", name="nets"):
        folder = tmp_path / name
        for file, code in {"net.py": NETWORK.format(imports=imports, width=width), **files}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(code)
        return folder

    return folder_of


def width_of(folder):
    return build_model(f"{folder / 'net.py'}:Net", {}, GRAY, 3, 0).conv.out_channels


CASES = {
    "a name": ("from blocks import WIDTH", {"blocks.py": "WIDTH = 5"}, "WIDTH", ["blocks.py"]),
    "a module": ("import blocks", {"blocks.py": "WIDTH = 5"}, "blocks.WIDTH", ["blocks.py"]),
    "through another": (
        "from blocks import WIDTH",
        {"blocks.py": "from sizes import WIDTH", "sizes.py": "WIDTH = 5", "unused.py": "WIDTH = 6"},
        "WIDTH",
        ["blocks.py", "sizes.py"],
    ),
    "relative": (
        "from .blocks import WIDTH",
        {"blocks.py": "from . import sizes\nWIDTH = sizes.WIDTH", "sizes.py": "WIDTH = 5"},
        "WIDTH",
        ["blocks.py", "sizes.py"],
    ),
    "relative, of a package": (
        "from . import WIDTH",
        {"__init__.py": "from .blocks import WIDTH\nfrom .net import Net", "blocks.py": "WIDTH = 5"},
        "WIDTH",
        ["__init__.py", "blocks.py"],
    ),
    "a package": (
        "import blocks.sizes",
        {"blocks/__init__.py": "", "blocks/sizes.py": "from .more import WIDTH", "blocks/more.py": "WIDTH = 5"},
        "blocks.sizes.WIDTH",
        ["blocks/__init__.py", "blocks/more.py", "blocks/sizes.py"],
    ),
    "a package without __init__": (
        "from blocks import sizes",
        {"blocks/sizes.py": "WIDTH = 5", "blocks/unused.py": ""},
        "sizes.WIDTH",
        ["blocks/sizes.py"],
    ),
    "all of a package": (
        "from blocks import *",
        {"blocks/__init__.py": "__all__ = ['sizes']", "blocks/sizes.py": "WIDTH = 5"},
        "sizes.WIDTH",
        ["blocks/__init__.py", "blocks/sizes.py"],
    ),
    "from a package up": (
        "from .blocks.sizes import WIDTH",
        {"blocks/sizes.py": "from ..numbers5 import WIDTH", "numbers5.py": "WIDTH = 5"},
        "WIDTH",
        ["blocks/sizes.py", "numbers5.py"],
    ),
    "within a function": (
        "def width():\n    from blocks import WIDTH\n    return WIDTH",
        {"blocks.py": "WIDTH = 5"},
        "width()",
        ["blocks.py"],
    ),
    "in a circle": (
        "from blocks import WIDTH",
        {"blocks.py": "WIDTH = 5\nimport sizes", "sizes.py": "from blocks import WIDTH"},
        "WIDTH",
        ["blocks.py", "sizes.py"],
    ),
    "none": ("import json", {"blocks.py": "WIDTH = 6", "__init__.py": "raise ValueError"}, "5", []),
}


@pytest.mark.parametrize(("imports", "files", "width", "found"), CASES.values(), ids=CASES)
def test_what_is_imported_from_beside_the_file_counts_and_is_found(folder_of, imports, files, width, found):
    folder = folder_of(imports, files, width)
    path = list(sys.path)
    assert list(imported_files(folder / "net.py")) == found
    assert width_of(folder) == 5
    assert sys.path == path


def test_neither_the_folder_that_python_runs_in_nor_that_of_another_network_is_meant(folder_of, tmp_path, monkeypatch):
    imports, width = "from blocks import WIDTH\nfrom .more.sizes import HEIGHT", "WIDTH + HEIGHT"
    first, second = (
        folder_of(imports, {"blocks.py": f"WIDTH = {value}", "more/sizes.py": f"HEIGHT = {value}"}, width, name)
        for name, value in (("first", 5), ("second", 6))
    )
    here = tmp_path / "here"
    here.mkdir()
    (here / "blocks.py").write_text("WIDTH = 99")
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(str(here))
    import blocks

    assert [width_of(folder) for folder in (first, second, first)] == [10, 12, 10]
    assert sys.modules["blocks"] is blocks


def test_a_builder_imports_its_own_later_too(folder_of):
    imports = "def width():\n    import {0}\n    return {0}.WIDTH"
    folders = [folder_of(imports.format("late"), {"late.py": f"WIDTH = {n}"}, "width()", f"{n}") for n in (5, 6)]
    assert [width_of(folder) for folder in (*folders, *folders)] == [5, 6, 5, 6]


@pytest.mark.parametrize(
    ("imports", "why"),
    [
        (
            "from nowhere import WIDTH",
            "No module named 'nowhere'; what it imports must be in its folder, .*, or be ins",
        ),
        ("from ..blocks import WIDTH", "attempted relative import beyond top-level package; what it imports must be"),
        (
            "import importlib\nWIDTH = importlib.import_module('blocks').WIDTH",
            r"loads .*/blocks\.py without an import statement, so that changes in it would go unnoticed",
        ),
    ],
)
def test_an_import_that_cannot_be_followed_is_refused(folder_of, imports, why):
    folder = folder_of(imports, {"blocks.py": "WIDTH = 5"})
    with pytest.raises(CutError, match=rf"^{folder / 'net.py'}:? {why}") as refused:
        width_of(folder)
    assert len(str(refused.value).splitlines()) == 1
    sys.modules.pop("blocks", None)


def test_a_file_that_is_no_code_is_named(folder_of):
    folder = folder_of("from blocks import WIDTH", {"blocks.py": "WIDTH ="})
    with pytest.raises(CodeError, match=rf"^{folder / 'blocks.py'}: cannot be read as Python"):
        imported_files(folder / "net.py")


def test_classes_from_beside_the_file_are_those_of_the_model(folder_of):
    block = "from torch import nn\nclass Block(nn.Conv2d):\n    pass\nWIDTH = 5"
    folder = folder_of("from blocks import Block, WIDTH", {"blocks.py": block})
    (folder / "net.py").write_text((folder / "net.py").read_text().replace("nn.Conv2d", "Block"))
    one, other = (build_model(f"{folder / 'net.py'}:Net", {}, GRAY, 3, 0) for _ in range(2))
    assert type(one.conv) is type(other.conv)
    assert torch.equal(one.conv.weight, other.conv.weight)
