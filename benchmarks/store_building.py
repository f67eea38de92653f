"""How fast image files are built into a store: JPEGs of ImageNet's usual size, on 1 and 2 threads.

    python benchmarks/store_building.py [results.csv]

The files are made here: noise on a gradient, with 500 x 375 pixels and about the size of ImageNet's (110 KB). They are
in the page cache when they are read, so that decoding is measured, not the disk.
"""

import platform
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import numpy as np
import PIL
from PIL import Image
from reporting import write_rows

from transferability.data.build import build_store
from transferability.data.folders.source import image_folders
from transferability.study.folder_keys import FolderKeys

CLASSES, IMAGES = 4, 250
SIZE = 256
IMAGENET = 1_281_167 + 50_000


def main() -> None:
    rows = []
    with TemporaryDirectory() as folder:
        root = Path(folder, "images")
        average = write_images(root)
        for threads in (1, 2):
            with image_folders("benchmark", FolderKeys(root=str(root), size=SIZE)) as source:
                count = len(source.training) + len(source.validation)
                started = time.perf_counter()
                build_store(source, Path(folder, f"store{threads}"), threads=threads)
            rate = count / (time.perf_counter() - started)
            rows.append(
                {
                    "device": platform.processor() or platform.machine(),
                    "pillow": PIL.__version__,
                    "threads": threads,
                    "images": count,
                    "file_kb": round(average / 1000),
                    "images_per_second": round(rate),
                    "hours_for_imagenet": round(IMAGENET / rate / 3600, 2),
                }
            )
    write_rows(rows)


def write_images(root: Path) -> float:
    """Write the files, and return their average size in bytes."""
    random = np.random.default_rng(0)
    gradient = np.linspace(0, 150, 500)[None, :, None]
    sizes = []
    for name in range(CLASSES):
        for part, count in (("train", IMAGES), ("val", 10)):
            (root / part / f"n{name}").mkdir(parents=True)
            for i in range(count):
                pixels = gradient + random.integers(0, 60, (375, 500, 3))
                path = root / part / f"n{name}" / f"{i}.JPEG"
                Image.fromarray(pixels.astype(np.uint8)).save(path, quality=93)
                sizes.append(path.stat().st_size)
    return float(np.mean(sizes))


if __name__ == "__main__":
    main()
