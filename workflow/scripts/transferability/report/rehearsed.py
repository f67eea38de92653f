"""Whether a study has already been rehearsed on this machine, with the same code and libraries."""

import hashlib
import json
import platform
from dataclasses import asdict
from pathlib import Path

from transferability.files import PROJECT, write_text
from transferability.study.asking import versions_of
from transferability.study.design import Study, without_running
from transferability.study.groups import grouping_digest

_LIBRARIES = ("docutils", "jinja2", "matplotlib", "numpy", "pandas", "pillow", "scipy", "seaborn")
_CODE = ("workflow/scripts/transferability/**/*.py", "workflow/report/*")  # the latter: templates and captions


def is_rehearsed(study: Study) -> bool:
    """Whether everything that is made from the study's networks has been tried as it would be made now."""
    try:
        return _record(study).read_text(encoding="utf-8") == digest_of(study)
    except OSError:
        return False


def remember_rehearsal(study: Study) -> None:
    """Record that the study has been rehearsed, in a file beside the rehearsal's log; a study has one such record."""
    write_text(_record(study), digest_of(study))


def digest_of(study: Study) -> str:
    """A digest of everything a rehearsal depends on: the study, the code, the libraries, the machine with its fonts."""
    groups = [data_set.groups_file for data_set in study.data_sets.values()]
    made_with = {
        "config": without_running(study.config),
        "layers": [*study.layers, study.filters],
        "weights": {**asdict(study.weights), "sha256": study.weights.sha256} if study.weights else None,
        "groups": [grouping_digest(file) for file in groups if file],
        "code": _code_digest(),
        "versions": [platform.python_version(), versions_of(_LIBRARIES)],
        "machine": platform.node(),
    }
    return hashlib.sha256(json.dumps(made_with, default=str).encode()).hexdigest()


def _record(study: Study) -> Path:
    return study.folder / "logs" / "rehearsed"


def _code_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _CODE for path in PROJECT.glob(pattern) if path.is_file()):
        digest.update(f"{path.relative_to(PROJECT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
