"""What every benchmark does with its rows."""

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as CSV, and write them to the file that the command line names, if any."""
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    print(text.getvalue(), end="")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text.getvalue())
