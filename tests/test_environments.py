"""One set of versions, wherever they are written."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
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


def test_every_direct_pin_is_in_the_constraints():
    def canonical(packages):
        return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in packages.items()}

    constraints = canonical(pins("constraints.txt"))
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert canonical(pins(name)).items() <= constraints.items()


def test_no_file_names_a_registry():
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt", "Makefile", "pyproject.toml"):
        assert "://" not in (ROOT / name).read_text()
