"""Image formats: which are read, how their files are named, and what else a file may be."""

from pathlib import Path

from PIL import Image

from transferability.files import stand_in

Image.init()  # loads all of Pillow's formats now, because readers are threads

# Raster images. Not what Pillow also opens: pages (PDF, EPS), videos, measurements, game textures.
_BY_CONTENT = (
    *("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "DIB", "JPEG2000", "PPM", "PCX", "DCX", "QOI"),
    *("SGI", "SUN", "PSD", "ICO", "ICNS", "DDS", "MSP", "XBM", "XPM", "HEIF"),  # HEIF if a plug-in has registered it
)
# Their files have no signature: any text could be one.
_BY_SUFFIX = ("TGA", "PCD", "IM")
# Their signatures do not occur in other files by chance: a damaged file is still an image.
_CERTAIN = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "JPEG2000", "QOI", "HEIF")
_HEAD_BYTES = 64

_HEIF = "it is in HEIF, which Pillow does not read; convert it to JPEG or PNG"
_RAW = "it is a camera raw file, which is not supported; develop it to JPEG, PNG or TIFF"
_RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mrw", ".nef", ".nrw", ".orf"),
    *(".pef", ".raf", ".raw", ".rw2", ".sr2", ".srf", ".srw", ".x3f"),
)
# Images nevertheless, which must not be dropped silently.
_NOT_READ = {
    **dict.fromkeys((".heic", ".heif", ".hif", ".heics", ".heifs"), _HEIF),
    **dict.fromkeys((".svg", ".svgz"), "it is a drawing in SVG, which has no pixels; render it as PNG"),
    **dict.fromkeys(
        (".jxl", ".jxr", ".wdp", ".bpg", ".flif", ".exr", ".hdr", ".xcf", ".psb"),
        "Pillow does not read this format; convert it to JPEG or PNG",
    ),
    **dict.fromkeys(_RAW_SUFFIXES, _RAW),
}
_READ = {suffix: name for suffix, name in Image.registered_extensions().items() if name in (*_BY_CONTENT, *_BY_SUFFIX)}
IMAGE_SUFFIXES = frozenset(_READ) | frozenset(_NOT_READ)


def formats_of(path: Path) -> list[str]:
    """The formats that a file may have, the likely ones first; its name matters only for some."""
    known = [name for name in _BY_CONTENT if name in Image.OPEN]
    named = _READ.get(path.suffix.lower())
    return [named, *known] if named in _BY_SUFFIX else known


def is_raw(path: Path) -> bool:
    """Whether a file is a camera raw file, by its suffix; many would pass for a TIFF of the thumbnail."""
    return path.suffix.lower() in _RAW_SUFFIXES


def is_image_by_content(path: Path) -> bool:
    """Whether a file is an image if its name does not tell; OSError if it cannot be read."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if _is_heif(head) or any(_begins(head, name) for name in _CERTAIN):
        return True
    likely = [name for name in formats_of(path) if _begins(head, name)]
    if not likely:
        return False
    try:
        with Image.open(path, formats=likely):
            return True
    except Exception:  # whatever a decoder raises on another program's file
        return False


def what_it_is(path: Path) -> str:
    """Why Pillow does not recognize a file as an image, as far as that can be told."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    text = head.lstrip().lower()
    if instead := stand_in(head, "image"):
        return instead
    if _is_heif(head):
        return _HEIF
    if text.startswith(b"<svg"):
        return _NOT_READ[".svg"]
    unknown = "it is not in a supported image format, or its beginning is damaged"
    return _NOT_READ.get(path.suffix.lower(), unknown)


def _begins(head: bytes, name: str) -> bool:
    accept = Image.OPEN[name][1] if name in Image.OPEN else None
    try:
        return bool(accept and accept(head[:16]))
    except Exception:  # too few bytes
        return False


def _is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1")
