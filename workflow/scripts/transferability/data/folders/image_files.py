"""Decoding one image file: what a viewer would show, as the pixels of a square."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from transferability.data.folders.image_formats import formats_of, is_raw, what_it_is

STRETCH = "stretch"
MODES = {1: "L", 3: "RGB"}
WHITE = "white"

_ORIENTATION = ExifTags.Base.Orientation
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # TIFF tags
_WHITE_IS_ZERO = 0
_SUBFILE_TYPE, _SUB_IFDS, _REDUCED = 254, 330, 1
# Pillow scales the pixels of a PNG with fewer bits to 8, but not its transparent value.
_KEY_SCALES = {"L;2": 85, "L;4": 17}
_DARKEST = 16  # a sixteenth of 8 bits

# Warnings about sizes and metadata come with every file; filters set for a block would affect all threads.
for _category in (UserWarning, RuntimeWarning):
    warnings.filterwarnings("ignore", category=_category, module=r"PIL\.")


class UnusableImageError(ValueError):
    """A file that does not give an image; the message says why, without the file's name."""


@dataclass(frozen=True)
class ImageFacts:
    """What a file is, and what was done to it.

    Attributes:
        mode: Pillow's mode of its pixels, such as RGB, P or I;16.
        size: width and height in pixels, upright.
        turned: whether it was rotated or mirrored by its EXIF orientation.
        composed: whether any of it was transparent, so that the background shows.
        more_frames: whether the file has more images than the first, which was read.
    """

    format: str
    mode: str
    size: tuple[int, int]
    turned: bool
    composed: bool
    more_frames: bool


def read_image(path: Path, size: int, channels: int, fit: str, background: str = WHITE) -> NDArray[np.uint8]:
    """One image file as size x size x channels; raises as `read_with_facts` does."""
    return read_with_facts(path, size, channels, fit, background)[0]


def read_with_facts(
    path: Path, size: int, channels: int, fit: str, background: str = WHITE
) -> tuple[NDArray[np.uint8], ImageFacts]:
    """One image file as size x size x channels, and what it is.

    It is rotated upright, composited on the background where it is transparent, and scaled from 16 bits per channel to
    8; color profiles are not applied. If a file has several images, the first is read.

    Raises:
        UnusableImageError: it is not an image, is damaged, or has pixels of unknown range.
        OSError: the system cannot read it.
    """
    with _failures_told(path), Image.open(path, formats=formats_of(path)) as file:
        image, facts = _shown(file, size, background)
        image = _in_mode(image, MODES[channels])
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.BILINEAR, box=_box(image.size, fit))
        return np.asarray(image).reshape(size, size, channels), facts


@contextmanager
def _failures_told(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into an UnusableImageError, except the system's errors for the file."""
    try:
        if is_raw(path):
            raise UnusableImageError(what_it_is(path))
        yield
    except UnusableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnusableImageError(what_it_is(path)) from error
    except MemoryError as error:
        raise UnusableImageError("decoding it takes more memory than is available") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        kind = "" if isinstance(error, OSError | SyntaxError | ValueError) else f"{type(error).__name__}: "
        raise UnusableImageError(kind + (" ".join(str(error).split()) or "its decoder failed")) from error


def _shown(file: ImageFile, size: int, background: str) -> tuple[Image.Image, ImageFacts]:
    """The image as a viewer shows it, decoded for a square of this size."""
    mode, stored_size = file.mode, file.size
    if _is_thumbnail(file):
        raise UnusableImageError(
            "the first of its images is a thumbnail of another, as in a camera raw file; save the other one separately"
        )
    # Pillow rotates a TIFF as it is loaded and then reports it as upright.
    orientation = _orientation(file) if file.format == "TIFF" else 1
    frame = file.tile[0].extents if file.format == "GIF" and file.tile else None
    has_16_bits = ";16" in str(file.tile)
    _scale_transparent_value(file)
    # JPEGs are decoded at a fraction of their size if that is still at least twice the size wanted.
    file.draft(None, (2 * size, 2 * size))
    file.load()
    image = _of_8_bits(file)
    if frame is not None and frame != (0, 0, *stored_size):
        image = _within(image, frame)
    image, composed = _composed(image, background)
    if has_16_bits and np.asarray(image).max() <= _DARKEST:  # now that there is no alpha channel
        raise UnusableImageError(
            "it has 16 bits per channel but uses only the darkest sixteenth of their range, which would all become "
            "black; scale it to 8 bits"
        )
    if file.format != "TIFF":
        orientation = _orientation(file)
        image = image.transpose(_TURNS[orientation]) if orientation in _TURNS else image
        stored_size = stored_size[::-1] if orientation in _SIDEWAYS else stored_size
    facts = ImageFacts(
        str(file.format), mode, stored_size, orientation in _TURNS, composed, more_frames=_has_more_frames(file)
    )
    return image, facts


def _is_thumbnail(file: ImageFile) -> bool:
    """Whether a TIFF says that the image read from it is a smaller version of another in it."""
    tags = getattr(file, "tag_v2", {})
    kind = tags.get(_SUBFILE_TYPE)
    return (
        file.format == "TIFF"
        and isinstance(kind, int)
        and bool(kind & _REDUCED)
        and (_SUB_IFDS in tags or _has_more_frames(file))
    )


def _orientation(file: ImageFile) -> Any:
    """The EXIF orientation; 1, upright, if the metadata are damaged, which is no reason to lose an image."""
    try:
        return file.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1


def _has_more_frames(file: ImageFile) -> bool:
    try:
        return bool(getattr(file, "is_animated", False))
    except Exception:  # the second is damaged
        return True


def _scale_transparent_value(file: ImageFile) -> None:
    value = file.info.get("transparency")
    kind = file.tile[0].args if file.tile else None
    if isinstance(value, int) and kind in _KEY_SCALES:
        file.info["transparency"] = value * _KEY_SCALES[str(kind)]
    elif isinstance(value, tuple) and kind == "RGB;16B":
        file.info["transparency"] = tuple(part >> 8 for part in value)


def _of_8_bits(file: ImageFile) -> Image.Image:
    """The image with at most 8 bits per channel, scaled so that white stays white."""
    if file.mode.startswith("I;16") or (file.mode == "I" and file.format == "PPM"):
        return _scaled(file)
    if file.mode[0] in "IF":
        raise UnusableImageError(
            f"its pixels are of mode {file.mode}, where nothing says which value is white; scale it to 8 or 16 bits"
        )
    return file


def _scaled(file: ImageFile) -> Image.Image:
    """Gray of up to 16 bits as L, or as LA if one value is transparent."""
    values = np.asarray(file).astype(np.uint32)
    tags = getattr(file, "tag_v2", {})
    white = 2 ** int(tags.get(_BITS_PER_SAMPLE, (16,))[0]) - 1
    levels = np.minimum((values * 255 + white // 2) // white, 255).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # which Pillow handles for fewer bits only
        levels = 255 - levels
    image = Image.fromarray(levels)
    if (transparent := file.info.get("transparency")) is not None:
        image.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return image


def _within(image: Image.Image, frame: tuple[int, int, int, int]) -> Image.Image:
    """An image that fills only a part of its canvas: the rest is transparent, whatever color Pillow gives it."""
    canvas = Image.new("RGBA", image.size, (0, 0, 0, 0))
    canvas.paste(image.convert("RGBA").crop(frame), frame[:2])
    return canvas


def _composed(image: Image.Image, background: str) -> tuple[Image.Image, bool]:
    """The image without transparency, and whether it had any."""
    if not image.has_transparency_data:
        return image, False
    drawn = image.convert("RGBA")
    if drawn.getchannel("A").getextrema() == (255, 255):
        return drawn.convert("RGB"), False
    ground = Image.new("RGBA", drawn.size, background)
    composed = Image.alpha_composite(ground, drawn).convert("RGB")
    if composed.getextrema() == ground.convert("RGB").getextrema():
        raise UnusableImageError(
            f"it is transparent, and none of it is visible on the {background} background; see the key background"
        )
    return composed, True


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "LAB":  # which Pillow converts to RGB only
        image = image.convert("RGB")
    return image.convert(mode)


def _box(image_size: tuple[int, int], fit: str) -> tuple[float, float, float, float]:
    """The part of an image that is scaled to the square: left, upper, right, lower."""
    width, height = image_size
    if fit == STRETCH:
        return 0, 0, width, height
    side = min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    return left, upper, left + side, upper + side
