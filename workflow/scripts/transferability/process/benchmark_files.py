"""What Snakemake measured in a job's last attempt, from the job's benchmark file."""

import csv
from pathlib import Path


def last_attempt(path: Path) -> tuple[float | None, float | None]:
    """Seconds and peak memory in MB of a job's last attempt; None for what is unknown."""
    try:
        with path.open(encoding="utf-8") as file:
            row = next(csv.DictReader(file, delimiter="\t"))
    except (OSError, StopIteration):
        return None, None
    return _number(row.get("s")), _number(row.get("max_rss"))


def _number(text: str | None) -> float | None:
    """Snakemake writes NA or - for what it could not measure."""
    try:
        return float(text or "")
    except ValueError:
        return None
