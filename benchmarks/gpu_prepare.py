"""Make what later steps of a check need besides a GPU: images and stores.   (by gpu_check.py, with its first steps)"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from gpu_rows import emit, run_cases
from gpu_setups import make_images
from gpu_studies import make_tiny_imagenet_store

IMAGES = {
    "images of 32 pixels": lambda: emit("images of 32 pixels are in", make_images("small").name),
    "images of 256 pixels": lambda: emit("images of 256 pixels are in", make_images("large").name),
}
STORES = {"the store of Tiny-ImageNet": make_tiny_imagenet_store}

if __name__ == "__main__":
    run_cases(IMAGES if sys.argv[1:] == ["images"] else {**IMAGES, **STORES})
