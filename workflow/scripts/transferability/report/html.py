"""Self-contained HTML pages, whose templates and captions are in ``workflow/report/``."""

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

# Stored losslessly, pictures of photographs are many times larger, with no visible difference.
_LARGEST_PNG = 600_000
_LARGEST_SIDE = 2400
_SHOWN_WIDTH = 1178  # the largest width of a picture on a page, in pixels
_LEGIBLE = 0.55  # the smallest scale at which a figure's text can be read
_WEBP_HEIGHT = 16383  # the format allows no taller pictures


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        title: the title above it.
        source: the picture itself, as a data URL.
        caption: the caption below it, as HTML.
        shows: its alternative text, for those who cannot see it.
        width: the smallest width in pixels at which it can be read; narrower screens scroll.
    """

    title: str
    source: str
    caption: str
    shows: str
    width: int


def render(template: str, page: object) -> str:
    """Render a template with ``page`` as HTML."""
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
    """A figure from a PNG file; a large one is reduced and compressed without visible loss.

    Args:
        title: the title above it.
        path: the path of the file.
        text: the name of its caption.
        shows: its alternative text.
    """
    content = path.read_bytes()
    large = len(content) > _LARGEST_PNG
    source = _source(_webp(path, _LARGEST_SIDE, 85), "webp") if large else _source(content, "png")
    return Picture(title, source, caption(text), shows, round(_LEGIBLE * _width(path)))


def contact_sheet_on_page(title: str, path: Path, text: str, shows: str) -> Picture:
    """The same for a picture of many small images, no larger than shown, because these take up most of a page."""
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
