"""Image files as people have them: each is read as a viewer shows it, or refused with the reason."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from transferability.data.folders import image_files
from transferability.data.folders.image_files import UnusableImageError, read_image, read_with_facts

SIZE = 8
NOISE = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LOSSLESS = [
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("JPEG", {"quality": 100, "subsampling": 0}),
    ("MPO", {"quality": 100, "subsampling": 0}),
]


def saved(tmp_path, image, kind, **how):
    path = tmp_path / f"image.{kind.lower()}"
    image.save(path, kind, **how)
    return path


def read(path, channels=3, **settings):
    return read_image(path, SIZE, channels, "stretch", **settings)


def facts(path):
    return read_with_facts(path, SIZE, 3, "stretch")[1]


def png(color_type, bits, rows, *chunks):
    """A PNG that Pillow would not write; the chunks come before the pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    samples = {0: 1, 2: 3, 4: 2, 6: 4}[color_type] * bits
    header = struct.pack(">IIBBBBB", len(rows[0]) * 8 // samples, len(rows), bits, color_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def gif_of(canvas, frame, offset, transparent=None):
    """A GIF whose first frame covers a part of its canvas; colors 0 and 1 are red and green."""
    stream = io.BytesIO()
    image = Image.new("P", frame, 1)
    image.putpalette([200, 0, 0, 0, 200, 0])
    image.save(stream, "GIF", **({} if transparent is None else {"transparency": transparent}))
    data = bytearray(stream.getvalue())
    data[6:10] = struct.pack("<HH", *canvas)
    at = data.index(b"," + struct.pack("<HHHH", 0, 0, *frame))
    data[at + 1 : at + 5] = struct.pack("<HH", *offset)
    return bytes(data)


@pytest.mark.parametrize("orientation", [None, 0, 1, *TURNS, 9])
@pytest.mark.parametrize(("kind", "how"), LOSSLESS)
@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_pictures_stand_upright(tmp_path, orientation, kind, how, fit):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (12, 20, 3), dtype=np.uint8))
    plain = saved(tmp_path, image, kind, **how)
    with Image.open(plain) as file:  # as this format keeps it
        expected = file.convert("RGB")
    if orientation in TURNS:
        expected = expected.transpose(TURNS[orientation])
    reference = saved(tmp_path, expected, "PNG").rename(tmp_path / "upright")
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    if how.get("compression") and orientation in (0, 9):
        pytest.skip("libtiff does not write such orientations")
    path = saved(tmp_path, image, kind, exif=exif, **how)
    pixels, about = read_with_facts(path, SIZE, 3, fit)
    assert np.array_equal(pixels, read_image(reference, SIZE, 3, fit))
    assert (about.turned, about.size) == (orientation in TURNS, expected.size)


def half_white_and_turned(tmp_path, width, height, kind):
    """White on the left, and to be shown turned, so that this is above."""
    image = Image.new("RGB", (width, height))
    image.paste((255, 255, 255), (0, 0, width // 2, height))
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(tmp_path, image, kind, exif=exif)


def test_a_turned_avif(tmp_path):
    path = half_white_and_turned(tmp_path, 40, 20, "AVIF")
    pixels = read(path)
    assert (pixels[:3].min() > 200, pixels[-3:].max() < 50) == (True, True)
    assert (facts(path).turned, facts(path).size) == (True, (20, 40))


def test_a_large_photo_is_turned_when_it_is_decoded_at_a_fraction(tmp_path):
    path = half_white_and_turned(tmp_path, 800, 400, "JPEG")
    pixels = read(path)
    assert (pixels[:3].min() > 240, pixels[-3:].max() < 15) == (True, True)
    assert facts(path).size == (400, 800)


@pytest.mark.parametrize(
    "content", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff1"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_metadata_lose_no_picture(tmp_path, content, kind):
    path = saved(tmp_path, Image.new("RGB", (20, 10), (9, 99, 199)), kind, exif=content)
    assert np.abs(read(path).astype(int) - [9, 99, 199]).max() < 6
    assert not facts(path).turned


def drawing(mode, ink):
    """A square of ink on transparent ground of the same color."""
    alpha = Image.new("L", (SIZE, SIZE), 0)
    alpha.paste(255, (2, 2, 6, 6))
    image = Image.new("RGB", (SIZE, SIZE), ink).convert(mode[:-1])
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("mode", "kind", "how"),
    [
        ("RGBA", "PNG", {}),
        ("LA", "PNG", {}),
        ("RGBA", "WEBP", {"lossless": True}),
        ("RGBA", "TIFF", {}),
        ("LA", "TIFF", {}),
        ("RGBA", "TIFF", {"compression": "tiff_lzw"}),
        ("RGBA", "TGA", {}),
        ("RGBA", "ICO", {"sizes": [(SIZE, SIZE)]}),
        ("RGBA", "JPEG2000", {}),
        ("RGBA", "QOI", {}),
        ("RGBA", "SGI", {}),
        ("RGBA", "DDS", {}),
    ],
)
def test_a_black_drawing_on_transparent_ground_is_on_white(tmp_path, mode, kind, how, channels):
    path = saved(tmp_path, drawing(mode, (0, 0, 0)), kind, **how)
    if kind == "TGA":
        path = path.rename(tmp_path / "drawing.tga")
    pixels = read(path, channels)
    assert (pixels[2:6, 2:6] == 0).all()
    assert pixels.sum(dtype=int) == 255 * channels * (SIZE * SIZE - 16)
    assert facts(path).composed


def test_what_shines_through_is_mixed(tmp_path):
    """If a red is three fifths opaque, the other two fifths are white, or black."""
    path = saved(tmp_path, Image.new("RGBA", (SIZE, SIZE), (200, 0, 0, 153)), "PNG")
    assert np.abs(read(path) - np.array([222, 102, 102])).max() <= 1
    assert np.abs(read(path, background="black") - np.array([120, 0, 0])).max() <= 1


def test_associated_alpha_is_not_applied_twice(tmp_path):
    """Colors of a TIFF with ExtraSamples 1 are multiplied by alpha already: half a red is 100."""
    path = saved(tmp_path, Image.new("RGBA", (SIZE, SIZE), (100, 0, 0, 128)), "TIFF")
    extra_samples = struct.pack("<HHI", 338, 3, 1)
    path.write_bytes(path.read_bytes().replace(extra_samples + b"\2", extra_samples + b"\1"))
    assert np.abs(read(path) - np.array([228, 127, 127])).max() <= 3


def test_what_is_opaque_is_as_it_was(tmp_path):
    image = Image.fromarray(NOISE).convert("RGBA")
    path = saved(tmp_path, image, "PNG")
    assert np.array_equal(read(path), NOISE)
    assert not facts(path).composed


@pytest.mark.parametrize("entry", [0, bytes([0, 255])])
@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_entry_of_a_palette(tmp_path, entry, kind):
    image = Image.new("P", (SIZE, SIZE), 0)
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.paste(1, (2, 2, 6, 6))
    if kind == "GIF" and entry != 0:
        pytest.skip("a GIF has one transparent entry")
    path = saved(tmp_path, image, kind, transparency=entry)
    pixels = read(path)
    assert (pixels[2:6, 2:6] == 0).all()
    assert (pixels[:2] == 255).all()


@pytest.mark.parametrize(
    ("color_type", "bits", "row", "transparent"),
    [
        (0, 1, b"\x80", b"\0\0"),
        (0, 2, b"\xc0", b"\0\0"),
        (0, 4, b"\xf7", b"\0\x07"),
        (0, 8, b"\xff\x64", b"\0\x64"),
        (0, 16, b"\xff\xff\x10\x00", b"\x10\x00"),
        (2, 8, b"\xff\xff\xff\x01\x02\x03", b"\0\1\0\2\0\3"),
        (2, 16, b"\xff\xff\xff\xff\xff\xff\x01\x09\x02\x09\x03\x09", b"\1\x09\2\x09\3\x09"),
    ],
)
def test_a_transparent_color_of_a_png(tmp_path, color_type, bits, row, transparent):
    """White beside the transparent color, on black; fewer than 8 bits are filled with transparent pixels."""
    path = tmp_path / "image.png"
    path.write_bytes(png(color_type, bits, [row], (b"tRNS", transparent)))
    with Image.open(path) as file:
        width = file.size[0]
    pixels, about = read_with_facts(path, width, 1, "stretch", "black")
    assert (pixels[:, 0] == 255).all()
    if bits not in (1, 2):
        assert (pixels[:, 1] == 0).all()
    assert about.composed


@pytest.mark.parametrize(("ink", "background"), [((255, 255, 255), "white"), ((0, 0, 0), "black")])
def test_a_drawing_of_the_color_of_the_background_is_refused(tmp_path, ink, background):
    path = saved(tmp_path, drawing("RGBA", ink), "PNG")
    with pytest.raises(UnusableImageError, match=f"none of it is visible on the {background} background"):
        read(path, background=background)
    assert len(np.unique(read(path, background={"white": "black", "black": "white"}[background]))) == 2


@pytest.mark.parametrize("transparent", [None, 0])
def test_what_a_gif_does_not_cover_is_background(tmp_path, transparent):
    (tmp_path / "a.gif").write_bytes(gif_of((SIZE, SIZE), (4, 4), (2, 2), transparent))
    pixels = read(tmp_path / "a.gif")
    assert (pixels[2:6, 2:6] == (0, 200, 0)).all()
    assert pixels[0].min() == 255
    assert facts(tmp_path / "a.gif").composed


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO", "AVIF"])
def test_the_first_of_several_pictures(tmp_path, kind):
    first, second = Image.new("RGB", (20, 10), (200, 30, 30)), Image.new("RGB", (20, 10), (30, 30, 200))
    path = saved(tmp_path, first, kind, save_all=True, append_images=[second])
    assert np.abs(read(path).astype(int) - [200, 30, 30]).max() < 8
    assert facts(path).more_frames
    assert not facts(saved(tmp_path, first, kind)).more_frames


DEEP = np.linspace(0, 65535, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)


def deep_png(color_type, channels):
    return png(color_type, 16, [np.repeat(row[:, None], channels, 1).byteswap().tobytes() for row in DEEP])


def of_pillow(kind, **how):
    stream = io.BytesIO()
    Image.fromarray(DEEP).save(stream, kind, **how)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gray.png", of_pillow("PNG")),
        ("color.png", deep_png(2, 3)),
        ("gray.tif", of_pillow("TIFF")),
        ("packed.tif", of_pillow("TIFF", compression="tiff_lzw")),
        ("gray.jp2", of_pillow("JPEG2000")),
        ("full.pgm", b"P5\n8 8\n65535\n" + DEEP.byteswap().tobytes()),
        ("thousand.pgm", b"P5\n8 8\n1000\n" + (DEEP / 65.535).round().astype(np.uint16).byteswap().tobytes()),
        ("plain.pgm", b"P2\n8 8\n65535\n" + b" ".join(b"%d" % value for value in DEEP.flat)),
        ("color.ppm", b"P6\n8 8\n65535\n" + np.repeat(DEEP[..., None], 3, 2).byteswap().tobytes()),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_keep_black_white_and_all_between(tmp_path, name, content, channels):
    (tmp_path / name).write_bytes(content)
    pixels = read(tmp_path / name, channels)
    assert np.abs(pixels - DEEP[..., None] / 257).max() <= 1


def test_a_tiff_that_calls_zero_white(tmp_path):
    """It has 16 bits, for which Pillow does not invert the values."""
    pixels = DEEP.tobytes()
    tags = {256: SIZE, 257: SIZE, 258: 16, 259: 1, 262: 0, 273: 8, 277: 1, 278: SIZE, 279: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory)
    assert np.abs(read(tmp_path / "a.tif", 1)[..., 0] - (255 - DEEP / 257)).max() <= 1


def test_16_bits_with_transparency(tmp_path):
    """Black, half transparent, is gray on white."""
    (tmp_path / "a.png").write_bytes(png(4, 16, [b"\0\0\x80\x80" * 2] * 2))
    assert np.abs(read(tmp_path / "a.png").astype(int) - 127).max() <= 1


@pytest.mark.parametrize("where", ["pages", "within"])
def test_a_tiff_is_not_read_as_its_thumbnail(tmp_path, where):
    """It is like a camera's raw file named .tif, in which the photo is a later page, or below the first one."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    small, photo = Image.new("RGB", (9, 9), "red"), Image.new("RGB", (40, 40), "blue")
    small.save(tmp_path / "alone.tif", tiffinfo=tags)
    assert read(tmp_path / "alone.tif")[0, 0].tolist() == [255, 0, 0]
    if where == "pages":
        small.save(tmp_path / "a.tif", save_all=True, append_images=[photo], tiffinfo=tags)
    else:
        tags[330] = 8
        small.save(tmp_path / "a.tif", tiffinfo=tags)
    with pytest.raises(UnusableImageError, match="thumbnail of another"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", [4, 6])
def test_wide_pixels_that_would_all_be_black_are_refused_with_an_alpha_channel_too(tmp_path, kind):
    """The alpha channel is fully opaque, and is not a color."""
    colors = 1 if kind == 4 else 3
    rows = [b"".join(bytes([level, 0]) * colors + b"\xff\xff" for level in (1, 9)) for _ in range(2)]
    (tmp_path / "a.png").write_bytes(png(kind, 16, rows))
    with pytest.raises(UnusableImageError, match="darkest sixteenth"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("most", [1, 255, 3000, 4095])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_wide_pixels_that_would_all_be_black_are_refused(tmp_path, most, kind):
    """Such as depths in millimeters, or 12 bits of a sensor; and 16 bits are never wrapped or clipped."""
    path = saved(tmp_path, Image.fromarray((DEEP * (most / 65535)).astype(np.uint16)), kind)
    with pytest.raises(UnusableImageError, match="darkest sixteenth"):
        read(path, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_numbers_without_a_white_are_refused(tmp_path, dtype):
    path = saved(tmp_path, Image.fromarray(np.ones((SIZE, SIZE), dtype)), "TIFF")
    with pytest.raises(UnusableImageError, match=r"its pixels are of mode [FI], where nothing says"):
        read(path)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("mode", "kind"),
    [("LAB", "TIFF"), ("YCbCr", "TIFF"), ("CMYK", "TIFF"), ("CMYK", "JPEG"), ("1", "BMP"), ("L", "PCX")],
)
def test_other_spaces_of_color(tmp_path, mode, kind, channels):
    path = saved(tmp_path, Image.new("RGB", (20, 10), (255, 255, 255)).convert(mode), kind)
    assert read(path, channels).min() > 248
    assert facts(path).mode == mode


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jpg", b"", "it is empty"),
        ("a.jpg", b"\n <!DOCTYPE html><html>404</html>", "it is a web page"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF, .*convert it to JPEG or PNG"),
        ("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF, .*convert it to JPEG or PNG"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG, .*render it as PNG"),
        ("a.jxl", b"\xff\x0a" + bytes(99), "convert it to JPEG or PNG"),
        ("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not in a supported image format"),
        ("a.jpg", bytes(200), "not in a supported image format"),
        ("a.png", deep_png(2, 3)[:90], "[Tt]runcated|cut"),
        ("a.png", deep_png(2, 3)[:200] + b"xx" + deep_png(2, 3)[202:], "broken|CRC|bad|damaged|[Tt]runcated|error"),
    ],
)
def test_what_is_no_image_is_said(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableImageError, match=reason):
        read(tmp_path / name)


def test_a_raw_file_is_not_read_as_its_thumbnail(tmp_path):
    path = saved(tmp_path, Image.fromarray(NOISE), "TIFF").rename(tmp_path / "photo.dng")
    with pytest.raises(UnusableImageError, match="a camera raw file"):
        read(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "AVIF", "PPM", "JPEG2000"])
def test_an_image_that_is_cut_off_is_refused(tmp_path, kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    path = saved(tmp_path, noise, kind)
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(path.read_bytes()[: int(len(path.read_bytes()) * share)])
        with pytest.raises((UnusableImageError, OSError)):
            read(path)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("x\ny"), NotImplementedError(), AttributeError("x"), MemoryError(), struct.error("x"), KeyError(1)],
)
@pytest.mark.parametrize("where", ["open", "load"])
def test_whatever_a_decoder_raises_is_said(tmp_path, monkeypatch, error, where):
    def fail(*_args, **_settings):
        raise error

    path = saved(tmp_path, Image.fromarray(NOISE), "PNG")
    target = "PIL.Image.open" if where == "open" else "PIL.PngImagePlugin.PngImageFile.load"
    monkeypatch.setattr(target, fail)
    with pytest.raises(UnusableImageError) as caught:
        read(path)
    assert len(str(caught.value).splitlines()) == 1


def test_damaged_files_of_formats_whose_decoders_raise_anything(tmp_path):
    """What fuzzing found: NotImplementedError, BLP's own error, RuntimeError."""
    dds = bytearray(saved(tmp_path, Image.fromarray(NOISE), "DDS").read_bytes())
    dds[80:84] = bytes(4)  # the flags of its pixels
    avif = bytearray(saved(tmp_path, Image.fromarray(NOISE), "AVIF").read_bytes())
    avif[len(avif) // 2 :] = bytes(len(avif) - len(avif) // 2)
    for content in (dds, avif):
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(UnusableImageError):
            read(tmp_path / "a.jpg")


def test_what_the_system_cannot_read_is_its_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.png")


def test_huge_images_are_refused(tmp_path):
    path = saved(tmp_path, Image.new("1", (20_000, 20_000)), "PNG")
    with pytest.raises(UnusableImageError, match="exceeds limit"):
        read(path)


def test_large_images_and_damaged_metadata_make_no_noise(tmp_path):
    """In a process of its own, since pytest has filters of its own."""
    large = saved(tmp_path, Image.new("1", (10_000, 10_000)), "PNG")
    damaged = saved(tmp_path, Image.fromarray(NOISE), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    code = (
        f"from transferability.data.folders.image_files import read_image\nfor path in {[str(large), str(damaged)]}:\n"
    )
    code += "    read_image(__import__('pathlib').Path(path), 8, 3, 'stretch')"
    library = Path(image_files.__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=library, check=True)
    assert done.stdout + done.stderr == ""
