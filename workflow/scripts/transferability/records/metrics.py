"""What the metrics files of finished networks say."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from transferability.files import read_json
from transferability.study.design import Key


def read_metrics(metrics: Mapping[Key, Path]) -> dict[Key, dict[str, Any]]:
    """What the metrics files say about finished networks; those without a file are left out.

    ValueError that names the file if one is not a metrics file.
    """
    contents = {}
    for key, path in metrics.items():
        with suppress(FileNotFoundError):  # a running job may remove it at any moment
            contents[key] = _metrics_of(path)
    return contents


def _metrics_of(path: Path) -> dict[str, Any]:
    match read_json(path):
        case {"made_from": dict(), **_rest} as content:
            return dict(content)
    raise ValueError(f"{path}: not a network's metrics; delete it to have it made again")
