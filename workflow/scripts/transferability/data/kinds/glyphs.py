"""Glyphs: a data set that needs no download, letters and symbols in twelve text styles, distorted at random.

The shapes come from the DejaVu fonts that ship with matplotlib, drawn large once for every class and style; a sample
is such a drawing, rotated, sheared, scaled and shifted, with random contrast and noise. Pixels are computed in integer
arithmetic, and everything before that only by adding, multiplying and dividing random numbers, so that the same
settings give the same bytes on any machine.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transferability.data.glyph_shapes import (
    GLYPH,
    LETTER,
    ONE,
    STYLES,
    SYMBOL,
    choose_characters,
    cosine_and_sine,
    warp,
)
from transferability.data.kind import DataSize, Kind
from transferability.process.log import Say
from transferability.seeding import generator_for
from transferability.store.source import ImageClass, ImageSource, Sample


@dataclass(frozen=True)
class Glyphs:
    """The data set as a source of images for a store; see ``datasets.glyphs`` in config.yaml for the settings."""

    size: int = 24
    letters: int = 32
    symbols: int = 32
    training_per_class: int = 150
    validation_per_class: int = 50
    distortion: float = 1.0
    seed: int = 0
    name: str = "glyphs"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.size, self.size, 1

    @cached_property
    def _drawings(self) -> dict[str, NDArray[np.int32]]:
        """The drawings of each character, in class order: styles x side x side, 0 to 255."""
        chosen = choose_characters(self.letters, self.symbols)
        return {character: chosen[character] for character in sorted(chosen, key=class_name)}

    @property
    def classes(self) -> Sequence[ImageClass]:
        return [ImageClass(class_name(c), LETTER if c.isalpha() else SYMBOL) for c in self._drawings]

    @cached_property
    def training(self) -> Sequence[Sample]:
        return self._samples("training", self.training_per_class)

    @cached_property
    def validation(self) -> Sequence[Sample]:
        return self._samples("validation", self.validation_per_class)

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Images ``start`` to ``stop`` of training and validation, each a function of its own name and the seed."""
        samples = [*self.training, *self.validation][start:stop]
        drawings = list(self._drawings.values())
        draws = [self._draw(sample.file) for sample in samples]
        shapes = np.stack([drawings[s.label][d.style] for s, d in zip(samples, draws, strict=True)])
        coverage = warp(shapes, np.stack([d.inverse for d in draws]), self.size)
        ink, paper = (np.array([getattr(d, tone) for d in draws])[:, None, None] for tone in ("ink", "paper"))
        pixels: NDArray[np.int64] = paper + ((ink - paper) * coverage + 127) // 255 + np.stack([d.noise for d in draws])
        return np.clip(pixels, 0, 255).astype(np.uint8)[..., None]

    def _samples(self, part: str, per_class: int) -> list[Sample]:
        names = [class_name(character).split()[0] for character in self._drawings]
        return [
            Sample(label, f"{part}/{name}/{STYLES[i % len(STYLES)]}/{i:04}")
            for label, name in enumerate(names)
            for i in range(per_class)
        ]

    def _draw(self, sample_name: str) -> "_Draw":
        """The random choices of one sample; training and validation differ by name and so share no numbers."""
        random = generator_for("glyphs", self.seed, sample_name)
        strength = self.distortion

        def between(low: float, high: float) -> float:
            return low + (high - low) * random.random()

        style = STYLES.index(sample_name.split("/")[2])
        half_turn = strength * between(-0.12, 0.12)  # the tangent of half the angle: within 14 degrees
        cosine, sine = cosine_and_sine(half_turn)
        shear = strength * between(-0.2, 0.2)
        scale = self.size * (0.74 - strength * between(0.0, 0.24)) / GLYPH  # of the drawing, in pixels of the image
        slack = strength * 0.09 * self.size
        right, down = between(-slack, slack), between(-slack, slack)
        # From a pixel of the image, relative to its center, to one of the drawing: undo shift, rotation, shear, scale.
        a, b = (cosine - shear * sine) / scale, (-sine - shear * cosine) / scale
        c, d = sine / scale, cosine / scale
        rows = [[a, b, -(a * right + b * down)], [c, d, -(c * right + d * down)]]
        inverse = np.rint(np.array(rows) * ONE).astype(np.int64)
        paper = round(strength * between(0, 70))
        ink = 255 - round(strength * between(0, 90))
        spread = round(strength * between(0, 40))
        noise = random.integers(-spread, spread + 1, (3, self.size, self.size), dtype=np.int32).sum(axis=0) // 2
        return _Draw(style, inverse, ink, paper, noise)


@dataclass(frozen=True)
class _Draw:
    """One sample's style, inverse affine map (2 x 3, fixed-point), brightness of glyph and background, and noise."""

    style: int
    inverse: NDArray[np.int64]
    ink: int
    paper: int
    noise: NDArray[np.int32]


def class_name(character: str) -> str:
    """Such as ``U+0041 LATIN CAPITAL LETTER A``."""
    return f"U+{ord(character):04X} {unicodedata.name(character)}"


@contextmanager
def open_glyphs(name: str, settings: Mapping[str, Any], _say: Say) -> Iterator[ImageSource]:
    yield Glyphs(**{key: value for key, value in settings.items() if key != "kind"}, name=name)


def size_by_settings(_name: str, settings: Mapping[str, Any], _groups: Path | None) -> DataSize:
    groups = {LETTER: settings["letters"], SYMBOL: settings["symbols"]}
    return DataSize.of_equal_classes(
        [ImageClass(f"{group} {number:04}", group) for group, count in groups.items() for number in range(count)],
        (settings["training_per_class"], settings["validation_per_class"]),
        (settings["size"], settings["size"], 1),
        "by its settings",
    )


# Choosing the glyphs themselves, which have other names, takes many seconds.
KIND = Kind(open_glyphs, at_hand=lambda _settings: False, assumed_size=size_by_settings)
