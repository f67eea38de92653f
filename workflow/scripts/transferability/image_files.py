"""Decoding one image file."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

STRETCH, CROP = "stretch", "crop"
MODES = {1: "L", 3: "RGB"}

_WIDE_PIXELS = re.compile(r"[IF]")


def read_image(path: Path, size: int, channels: int, fit: str) -> NDArray[np.uint8]:
    """One image file as size x size x channels; OSError, SyntaxError or ValueError if it cannot be read.

    Greyscale, palette and CMYK images become RGB; an animation gives its first picture.
    """
    with Image.open(path) as file:
        if _WIDE_PIXELS.match(file.mode):
            raise ValueError(f"its pixels are of mode {file.mode}, not of 8 bits")
        # JPEGs are decoded at a fraction of their size where that is still twice what is wanted.
        file.draft(None, (2 * size, 2 * size))
        image = file.convert(MODES[channels])
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR, box=_box(image.size, fit))
    return np.asarray(image).reshape(size, size, channels)


def _box(image_size: tuple[int, int], fit: str) -> tuple[float, float, float, float]:
    """What of an image is scaled to the square: left, upper, right, lower."""
    width, height = image_size
    if fit == STRETCH:
        return 0, 0, width, height
    side = min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    return left, upper, left + side, upper + side
