"""Questions that need torch: asked in a separate process and cached, because Snakemake starts without torch."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from transferability.files import PROJECT, read_json, write_json

FOLDER = "described"  # in the folder of all results
_DIGITS = 12


class AskingError(ValueError):
    """There is no answer; the message says why."""


def ask(module: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a module of the library, run with a question as JSON; AskingError if it refuses or fails."""
    paths = os.pathsep.join([str(PROJECT / "workflow" / "scripts"), *sys.path])
    process = subprocess.run(
        [sys.executable, "-m", f"transferability.{module}"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    if process.returncode:
        last = (process.stderr.strip().splitlines() or ["it ended without a message"])[-1]
        if "No module named 'torch'" in last:
            last = (
                f"the Python that runs Snakemake has no torch; install it there, or copy {FOLDER}/ from a machine that "
                "has it"
            )
        raise AskingError(f"it could not be inspected: {last}")
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    if "error" in found:
        raise AskingError(found["error"])
    return found


def short_digest(asked: object) -> str:
    """A digest of a question, for the name of the file in which the answer is cached."""
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:_DIGITS]


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are installed; with other versions, answers may differ."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def remembered(file: Path) -> dict[str, Any] | None:
    """The answer cached in a file; None if there is none, or if it is damaged."""
    try:
        found: dict[str, Any] = read_json(file)
        return found
    except (OSError, ValueError):
        return None


def remember(file: Path, found: Mapping[str, Any]) -> None:
    """Cache an answer in a file; if that cannot be written, the question is asked again next time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, found)
    except OSError:
        return
