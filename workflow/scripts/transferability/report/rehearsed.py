"""Which studies were rehearsed before, by the same code and libraries, so that none need be twice."""

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path

from transferability.files import PROJECT
from transferability.study.asking import FOLDER, short_digest
from transferability.study.design import Study, without_running
from transferability.study.groups import grouping_digest

_LIBRARIES = ("jinja2", "matplotlib", "numpy", "pandas", "scipy", "seaborn")
_CODE = ("workflow/scripts/transferability/**/*.py", "workflow/report/*")  # beside which a page has its texts


def record_of(study: Study) -> Path:
    """The file that is there once all that is made of a study's networks has been tried, as it would be made today."""
    groups = [data_set.groups_file for data_set in study.data_sets.values()]
    made_with = {
        "config": json.dumps(without_running(study.config), default=str),
        "groups": [grouping_digest(file) for file in groups if file],
        "code": _code_digest(),
        "versions": [platform.python_version(), *map(version, _LIBRARIES)],
    }
    return Path(study.config["results"]) / FOLDER / f"rehearsed-{short_digest(made_with)}.json"


def _code_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _CODE for path in PROJECT.glob(pattern) if path.is_file()):
        digest.update(f"{path.relative_to(PROJECT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
