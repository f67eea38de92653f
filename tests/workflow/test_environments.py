"""One set of versions, wherever they are written."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT

LIBRARY = ROOT / "workflow" / "scripts" / "transferability"
IMPORTED_FROM = {"yaml": "pyyaml", "PIL": "pillow", "torch": "pytorch"}
CONDA_NAMES = {"pytorch": "torch"}
# The version of Python of all environments.
(CONDA_PYTHON,) = {
    dependency.removeprefix("python=")
    for path in (ROOT / "envs").glob("*.yaml")
    for dependency in yaml.safe_load(path.read_text())["dependencies"]
    if dependency.startswith("python=")
}


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_conda_environments_have_the_required_versions(path):
    required = pins("requirements-dev.txt") | pins("requirements.txt")  # timm is for those who study its networks
    for dependency in yaml.safe_load(path.read_text())["dependencies"]:
        name, version = dependency.split("=")
        if name != "python":
            assert required[CONDA_NAMES.get(name, name)] == version, name


def sections(path):
    """The lines of each section of an Apptainer definition, and those of its header, under the name ""."""
    found, name = {"": []}, ""
    for line in path.read_text().splitlines():
        text = line.strip()
        if text.startswith("%"):
            name = text
            found[name] = []
        elif text and not text.startswith("#"):
            found[name].append(text)
    return found


def test_the_container_has_the_required_versions_and_python():
    """It installs the pinned files themselves: the files that it copies exist, and pip is told to read them."""
    definition = sections(ROOT / "envs" / "apptainer.def")
    assert definition[""] == ["Bootstrap: docker", f"From: python:{CONDA_PYTHON}-slim"]
    copied = dict(line.split() for line in definition["%files"])
    assert sorted(copied) == ["constraints.txt", "requirements.txt"]
    assert all((ROOT / name).is_file() for name in copied)
    folder = next(line.removeprefix("cd ") for line in definition["%post"] if line.startswith("cd "))
    assert [Path(path) for path in copied.values()] == [Path(folder, name) for name in copied]
    (install,) = [line for line in definition["%post"] if line.startswith("pip install")]
    assert install.endswith("--requirement requirements.txt --constraint constraints.txt")


def test_the_container_can_be_tested_by_imports_of_what_is_required():
    (command,) = sections(ROOT / "envs" / "apptainer.def")["%test"]
    imported = re.search(r'"import (.*)"', command)[1].split(", ")
    assert set(imported) <= pins("requirements.txt").keys()


def test_the_containers_scripts_are_valid_and_name_no_registry():
    definition = ROOT / "envs" / "apptainer.def"
    for section in ("%post", "%environment", "%test", "%runscript"):
        script = "\n".join(sections(definition)[section])
        subprocess.run(["sh", "-n", "-c", script], check=True)
    assert "://" not in definition.read_text()


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
                module = LIBRARY.joinpath(*rest.split("."))
                files = [file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file()]
                if package == "transferability" and rest and not found.issuperset(files):
                    found.update(files)
                    waiting += files
                elif package not in (*sys.stdlib_module_names, "transferability"):
                    packages.add(package)
    return packages


def rules():
    """The environment and script of each rule that names both."""
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
