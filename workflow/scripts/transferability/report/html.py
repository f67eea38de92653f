"""HTML pages that need nothing but themselves: their templates and captions are in ``workflow/report/``."""

import base64
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from docutils.core import publish_parts
from PIL import Image

from transferability.files import PROJECT

TEXTS = PROJECT / "workflow" / "report"

# Pictures of photographs are many times larger without loss than anyone sees.
_LARGEST_PNG = 600_000
_LARGEST_SIDE = 2400
_SHOWN_WIDTH = 1178  # of a picture on a page, at most, in pixels
_LEGIBLE = 0.55  # of a figure's pixels that its letters take to be read
_WEBP_HEIGHT = 16383  # the format has no higher pictures


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        title: above it.
        source: an address that is the picture itself.
        caption: below it, as HTML.
        shows: what one sees on it, for who does not.
        width: in pixels, from which it can be read; a narrower screen scrolls.
    """

    title: str
    source: str
    caption: str
    shows: str
    width: int


def render(template: str, page: object) -> str:
    """A page, from a template that shows ``page``."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEXTS), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template).render(page=page)


@cache
def caption(name: str) -> str:
    """A caption as HTML."""
    text = (TEXTS / f"{name}.rst").read_text(encoding="utf-8")
    settings = {"report_level": 2, "halt_level": 2, "file_insertion_enabled": False, "raw_enabled": False}
    body: str = publish_parts(text, writer="html5", settings_overrides=settings)["body"]
    return body


def figure_on_page(title: str, path: Path, text: str, shows: str) -> Picture:
    """A figure, a PNG file; a large one reduced, and with a loss that is not seen.

    Args:
        title: above it.
        path: of the file.
        text: the name of its caption.
        shows: what one sees on it.
    """
    content = path.read_bytes()
    large = len(content) > _LARGEST_PNG
    source = _source(_webp(path, _LARGEST_SIDE, 85), "webp") if large else _source(content, "png")
    return Picture(title, source, caption(text), shows, round(_LEGIBLE * _width(path)))


def contact_sheet_on_page(title: str, path: Path, text: str, shows: str) -> Picture:
    """The same of a picture of many small images: no larger than a page shows it, since they are most of its bytes."""
    source = _source(_webp(path, _SHOWN_WIDTH, 55), "webp")
    return Picture(title, source, caption(text), shows, min(_SHOWN_WIDTH, _width(path)))


def _width(path: Path) -> int:
    with Image.open(path) as picture:
        return picture.width


def _webp(path: Path, width: int, quality: int) -> bytes:
    with Image.open(path) as picture, io.BytesIO() as smaller:
        picture.thumbnail((width, _WEBP_HEIGHT))
        picture.convert("RGB").save(smaller, "webp", quality=quality)
        return smaller.getvalue()


def _source(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
