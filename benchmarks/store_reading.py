"""What it costs to check every image of a store against its digest when it is first read.

    python benchmarks/store_reading.py [results.csv]

Images are in the page cache after the first row, so that the digest is measured, not the disk. The last row reads
images that have been checked before, as a job that reads a store batch by batch does from the second time on.
"""

import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import numpy as np
from reporting import write_rows

from transferability.store.checked_rows import CheckedRows, row_digests

# Side, channels and number of images: like ImageNet's, CIFAR's and the default glyphs'.
SIZES = ((256, 3, 1500), (32, 3, 50_000), (24, 1, 50_000))
HALF_OF_IMAGENET_GB = 130


def main() -> None:
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for side, channels, count in SIZES:
            path = Path(folder, f"{side}.npy")
            images = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
            np.save(path, images)
            rows += measured(path, row_digests(images), images.nbytes / 1e9, f"{side} x {side} x {channels}")
    write_rows(rows)


def measured(path: Path, digests: np.ndarray[Any, Any], size: float, shape: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each way of reading: the first time, without a check, with one, and after an earlier check."""
    raw = np.load(path, mmap_mode="r", allow_pickle=False)
    checked = CheckedRows(raw, digests, path, str, "")
    everything = np.arange(len(raw))
    ways: dict[str, Callable[[], object]] = {
        "into the page cache": lambda: raw[everything],
        "unchecked": lambda: raw[everything],
        "checked": lambda: checked[everything],
        "streamed, checked before": lambda: checked.once_checked(everything)[everything],
    }
    for way, read in ways.items():
        started = time.perf_counter()
        read()
        seconds = time.perf_counter() - started
        yield {
            "device": platform.processor() or platform.machine(),
            "images": shape,
            "gb": round(size, 3),
            "way": way,
            "gb_per_second": round(size / seconds, 2),
            "minutes_for_130_gb": round(HALF_OF_IMAGENET_GB / (size / seconds) / 60, 1),
        }


if __name__ == "__main__":
    main()
