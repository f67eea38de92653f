"""What is found in a data set, by reading every image of it once."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.report.support import photos, save, surveyed, unlike_photos
from tests.support import Patterns
from transferability.data.folders.search import Reason
from transferability.process.pace import Pace
from transferability.report.survey import CHUNK, TREATED, survey
from transferability.store.source import ImageClass, StoreError

TURNED, COMPOSED, SEVERAL = TREATED
_ORIENTATION = 0x0112  # the EXIF tag


@pytest.fixture
def root(tmp_path):
    return photos(tmp_path / "photos")


def test_a_set_without_faults_has_none(root):
    found, _ = surveyed(root)
    assert found.counts.tolist() == [[3, 1], [3, 1]]
    assert found.sizes.tolist() == [[20, 20]] * 8
    assert (dict(found.formats), dict(found.modes)) == ({"PNG": 8}, {"RGB": 8})
    assert not any(found.treated.values())
    assert (found.refused, found.passed_over, found.same_rows) == ([], {}, [])
    assert found.same.validation_in_training == 0


def test_nothing_is_written(root):
    before = {path: path.stat().st_mtime_ns for path in root.parent.rglob("*")}
    surveyed(root)
    assert {path: path.stat().st_mtime_ns for path in root.parent.rglob("*")} == before


def test_what_is_done_to_files_is_told_by_their_paths(root):
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    save(root / "train" / "cat" / "side.jpg", size=(30, 20), exif=exif)
    Image.new("RGBA", (20, 20), (9, 9, 9, 99)).save(root / "val" / "dog" / "ghost.png")
    frames = [Image.new("L", (20, 20), shade) for shade in (0, 99)]
    frames[0].save(root / "val" / "cat" / "film.gif", save_all=True, append_images=frames[1:])
    found, _ = surveyed(root)
    assert found.treated[TURNED] == ["train/cat/side.jpg"]
    assert found.treated[COMPOSED] == ["val/dog/ghost.png"]
    assert found.treated[SEVERAL] == ["val/cat/film.gif"]
    assert found.formats == {"PNG": 9, "JPEG": 1, "GIF": 1}
    assert found.modes["RGBA"] == 1
    assert [20, 30] in found.sizes.tolist()  # upright


def test_what_cannot_be_used_is_told_and_the_rest_read(root):
    (root / "train" / "dog" / "dog1.png").write_bytes(b"")
    (root / "val" / "cat" / "page.jpg").write_text("<html>not found</html>")
    found, _ = surveyed(root)
    assert [file for file, _ in found.refused] == ["train/dog/dog1.png", "val/cat/page.jpg"]
    for file, sentence in found.refused:
        assert file in sentence
        assert "name it in skip" in sentence
        assert "\n" not in sentence
    assert len(found.sizes) == sum(found.formats.values()) == 7
    assert found.counts.tolist() == [[3, 2], [3, 1]]
    skipped, _ = surveyed(root, skip=[file for file, _ in found.refused])
    assert skipped.refused == []
    assert set(skipped.passed_over.values()) == {Reason.SKIPPED}


def test_damaged_images_are_not_the_same_image(root):
    for part in ("train/cat/cat0.png", "val/cat/cat_val.png"):
        (root / part).write_bytes(b"")
    assert surveyed(root)[0].same_rows == []


def test_what_is_passed_over_is_told_with_why(root):
    (root / "train" / "cat" / "notes.txt").write_text("fluffy")
    (root / "train" / ".cache").mkdir()
    save(root / "train" / "loose.png")
    assert surveyed(root)[0].passed_over == {
        "train/cat/notes.txt": Reason.NO_IMAGE,
        "train/.cache": Reason.LITTER,
        "train/loose.png": Reason.LOOSE,
    }


def test_the_same_image_is_found_within_and_between_parts(root):
    save(root / "train" / "cat" / "one.png", seed=1)
    save(root / "train" / "cat" / "two.png", seed=1)
    save(root / "val" / "dog" / "three.png", seed=1)
    found, _ = surveyed(root)
    assert found.same.repeated_in_training == 1
    assert found.same.validation_in_training == 1
    assert found.same.of_several_classes == 3
    assert [row[:3] for row in found.same_rows] == [
        ("training", "cat", "cat/two.png"),
        ("validation", "dog", "dog/three.png"),
    ]


@pytest.mark.parametrize("threads", [2, 5])
def test_more_threads_find_the_same(root, threads):
    for i in range(2 * CHUNK):
        save(root / "train" / "cat" / f"more{i}.png", size=(16 + i % 5, 16))
    (root / "train" / "cat" / "more7.png").write_bytes(b"")
    one, many = surveyed(root)[0], surveyed(root, threads)[0]
    assert many.sizes.tolist() == one.sizes.tolist()
    assert (many.refused, many.formats, many.same_rows) == (one.refused, one.formats, one.same_rows)
    assert np.array_equal(many.preview.images, one.preview.images)


def test_every_image_counts_as_progress(root):
    _, lines = surveyed(root)
    assert lines[-1].startswith("8 of 8 images, ")


def test_the_preview_has_the_first_images_of_each_class_that_can_be_used(root):
    for i in range(12):
        save(root / "train" / "cat" / f"a{i:02}.png")
    (root / "train" / "cat" / "a00.png").write_bytes(b"")
    shown = (ImageClass("cat", "pets", "the cat"), ImageClass("dog", "pets"))
    preview = surveyed(root, classes=shown)[0].preview
    assert preview.classes == shown
    assert np.bincount(preview.labels[preview.training]).tolist() == [8, 3]
    assert np.bincount(preview.labels[preview.validation]).tolist() == [1, 1]


def test_there_is_no_preview_where_nothing_can_be_used(root):
    for path in root.rglob("*.png"):
        path.write_bytes(b"")
    found, _ = surveyed(root)
    assert found.preview is None
    assert len(found.refused) == 8
    assert len(found.sizes) == 0


def test_a_source_without_files_is_surveyed_too():
    source = Patterns()
    found = survey(source, source.classes, 2, Pace(lambda _line: None, 0, log_every_seconds=60))
    assert found.counts.tolist() == [[12, 5]] * 6
    assert (len(found.sizes), dict(found.formats), found.passed_over) == (0, {}, {})
    assert found.preview.image_shape == source.image_shape


def test_what_cannot_be_a_data_set_is_refused_before_anything_is_read():
    class Broken(Patterns):
        def read(self, start, stop):
            raise AssertionError

    source = Broken()
    object.__setattr__(source, "validation", source.validation[:3])
    with pytest.raises(StoreError, match="validation set has no image of class 003"):
        survey(source, source.classes, 1, Pace(lambda _line: None, 0, log_every_seconds=60))


def test_validation_images_that_are_softer_than_training_images_are_found(tmp_path, root):
    assert surveyed(root)[0].unlike is None
    found, _ = surveyed(unlike_photos(tmp_path / "unlike"))
    assert found.unlike.validation < found.unlike.training / 2
    assert surveyed(tmp_path / "unlike", threads=2)[0].unlike == found.unlike


def test_sharpness_is_compared_of_images_that_can_be_used(tmp_path):
    root = unlike_photos(tmp_path / "unlike")
    for file in sorted((root / "val").glob("*/*.png"))[1:]:
        file.write_bytes(b"")
    assert surveyed(root)[0].unlike is None  # a single remaining image tells nothing


def test_classes_weigh_the_same_where_sharpness_is_compared(tmp_path):
    """Validation has mostly the smooth class, and more of it than training has."""
    for part, counts in (("train", {"rough": 60, "smooth": 20}), ("val", {"rough": 20, "smooth": 60})):
        for name, count in counts.items():
            for i in range(count):
                file = save(tmp_path / part / name / f"{i}.png", seed=[len(part), len(name), i])
                if name == "smooth":
                    Image.open(file).filter(ImageFilter.BoxBlur(1)).save(file)
    assert surveyed(tmp_path)[0].unlike is None
