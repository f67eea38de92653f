import copy
import hashlib
import itertools
from collections import Counter

import numpy as np
import pytest

from tests.support import DEFAULT
from transferability.data import glyph_shapes
from transferability.data.glyph_shapes import LETTER, STYLES, SYMBOL, choose_characters
from transferability.data.kinds.glyphs import Glyphs
from transferability.study.design import read_study
from transferability.study.schema import ConfigError

SMALL = {"letters": 4, "symbols": 4, "training_per_class": 6, "validation_per_class": 3}


@pytest.fixture(scope="module")
def default():
    return Glyphs()


def test_thirty_two_letters_and_thirty_two_symbols(default):
    names = [c.name for c in default.classes]
    assert Counter(c.group for c in default.classes) == {LETTER: 32, SYMBOL: 32}
    assert names == sorted(set(names))
    assert all("WITH" not in c.name for c in default.classes if c.group == LETTER)
    scripts = {c.name.split()[1] for c in default.classes if c.group == LETTER}
    assert scripts == {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN"}


def test_glyphs_that_look_the_same_are_never_two_classes(default):
    chosen = set(choose_characters(32, 32))
    for twins in ("AΑА", "BΒВ", "OΟОՕ", "TΤТ┬", "HΗН", "KΚК", "┐┓", "┘┛", "─━", "△▵", "■▪", "SЅՏ"):
        assert len(chosen & set(twins)) <= 1, twins


def test_no_two_classes_look_alike_in_any_style():
    drawings = choose_characters(12, 12)
    looks = {character: glyph_shapes._looks(shapes) for character, shapes in drawings.items()}
    for (one, looks_of_one), (other, looks_of_other) in itertools.combinations(looks.items(), 2):
        assert (looks_of_one @ looks_of_other.T).max() < glyph_shapes._TWINS, (one, other)


def test_the_same_settings_give_these_bytes_on_any_machine():
    source = Glyphs(**SMALL)
    content = source.read(0, 72).tobytes() + "".join(c.name for c in source.classes).encode()
    assert hashlib.sha256(content).hexdigest() == "90c8e8bbafb7c7bee3e1cb517f7cceb51fe1e1b8a4f6682b2e2ebfb24eaee34c"


@pytest.mark.parametrize("chunk", [1, 5, 72])
def test_images_do_not_depend_on_the_order_of_reading(chunk):
    source = Glyphs(**SMALL)
    starts = list(range(0, 72, chunk))
    pieces = {start: source.read(start, min(start + chunk, 72)) for start in reversed(starts)}
    assert np.array_equal(np.concatenate([pieces[start] for start in starts]), Glyphs(**SMALL).read(0, 72))


def test_shape_and_kind_of_images():
    images = Glyphs(**SMALL, size=32).read(3, 8)
    assert images.shape == (5, 32, 32, 1)
    assert images.dtype == np.uint8


def test_training_and_validation_share_no_image():
    source = Glyphs(**SMALL)
    training, validation = len(source.training), len(source.validation)
    images = source.read(0, training + validation).reshape(training + validation, -1)
    assert len({image.tobytes() for image in images}) == training + validation


def test_more_images_a_class_leave_the_others_as_they_were():
    few, many = Glyphs(**SMALL), Glyphs(**SMALL | {"training_per_class": 9})
    for image_class in range(8):
        one = few.read(image_class * 6, image_class * 6 + 6)
        other = many.read(image_class * 9, image_class * 9 + 6)
        assert np.array_equal(one, other)


def test_styles_are_spread_evenly_over_every_class(default):
    for samples in (default.training, default.validation):
        styles = Counter((sample.label, default._draw(sample.file).style) for sample in samples)
        assert len(styles) == 64 * len(STYLES)
        assert max(styles.values()) - min(styles.values()) <= 1


def test_another_seed_gives_other_images_of_the_same_classes():
    one, other = Glyphs(**SMALL), Glyphs(**SMALL, seed=1)
    assert one.classes == other.classes
    assert not np.array_equal(one.read(0, 5), other.read(0, 5))


def test_without_distortion_a_class_differs_only_by_style():
    source = Glyphs(**SMALL | {"training_per_class": 40}, distortion=0.0)
    images = source.read(0, 40)
    assert 2 <= len({image.tobytes() for image in images}) <= len(STYLES)


def test_without_distortion_is_no_study():
    """Validation images would be those trained on."""
    config = copy.deepcopy(DEFAULT)
    config["datasets"]["glyphs"]["distortion"] = 0
    with pytest.raises(ConfigError, match=r"datasets\.glyphs\.distortion: is 0; it must be more than 0"):
        read_study(config)


def test_more_classes_than_there_are_is_said():
    with pytest.raises(ValueError, match=r"glyphs: letters is 500, but only \d+ look different in all styles"):
        Glyphs(letters=500).classes  # noqa: B018
