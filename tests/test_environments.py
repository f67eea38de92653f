"""One set of versions, wherever they are written."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "workflow" / "scripts" / "transferability"
IMPORTED_FROM = {"yaml": "pyyaml", "PIL": "pillow", "torch": "pytorch"}
CONDA_NAMES = {"pytorch": "torch"}


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_conda_environments_have_the_required_versions(path):
    required = pins("requirements.txt")
    for dependency in yaml.safe_load(path.read_text())["dependencies"]:
        name, version = dependency.split("=")
        if name != "python":
            assert required[CONDA_NAMES.get(name, name)] == version, name


def imported_by(path):
    """The packages that a script imports, itself or through the library."""
    packages, found, waiting = set(), set(), [path]
    while waiting:
        path = waiting.pop()
        tree = ast.parse(path.read_text())
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]  # if TYPE_CHECKING
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                package, _, rest = name.partition(".")
                module = LIBRARY / f"{rest.split('.')[0]}.py"
                if package == "transferability" and module.is_file() and module not in found:
                    found.add(module)
                    waiting.append(module)
                elif package not in (*sys.stdlib_module_names, "transferability"):
                    packages.add(package)
    return packages


def rules():
    """Of each rule that names both: its environment and its script."""
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for block in re.split(r"\n\s*rule\b", path.read_text())[1:]:
            names = [re.search(r'"\.\./\.\./envs/(\w+)\.yaml"', block), re.search(r'"\.\./scripts/(\w+)\.py"', block)]
            if all(names):
                yield pytest.param(*(name[1] for name in names), id=names[1][1])


@pytest.mark.parametrize(("environment", "script"), list(rules()))
def test_an_environment_has_what_its_scripts_import(environment, script):
    dependencies = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())["dependencies"]
    there = {dependency.split("=")[0] for dependency in dependencies}
    there |= {"pytorch"} if "torchvision" in there else set()
    needed = {
        IMPORTED_FROM.get(package, package) for package in imported_by(ROOT / "workflow" / "scripts" / f"{script}.py")
    }
    assert needed - there == set()


def test_every_direct_pin_is_in_the_constraints():
    def canonical(packages):
        return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in packages.items()}

    constraints = canonical(pins("constraints.txt"))
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert canonical(pins(name)).items() <= constraints.items()


def test_no_file_names_a_registry():
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt", "Makefile", "pyproject.toml"):
        assert "://" not in (ROOT / name).read_text()
