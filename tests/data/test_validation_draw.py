"""A validation set drawn from images that have none: shares, seeds, groups, and what may not change a draw."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferability.data.validation_draw import draw_validation, wanted
from transferability.store.source import StoreError

PHOTOS = {"ant": [f"{i}.png" for i in range(50)], "bee": [f"{i}.png" for i in range(7)], "cat": ["a.png", "b.png"]}


def drawn(classes, share=0.2, seed=0, pattern=""):
    return draw_validation(classes, share, seed, pattern, "datasets.mine").validation


def counts(validation):
    return Counter(name for name, _ in validation)


def test_a_share_of_each_class_is_drawn():
    assert counts(drawn(PHOTOS)) == {"ant": 10, "bee": 1, "cat": 1}
    assert counts(drawn(PHOTOS, 0.9)) == {"ant": 45, "bee": 6, "cat": 1}
    draw = draw_validation(PHOTOS, 0.2, 0, "", "datasets.mine")
    assert draw.summary == ("validation: 12 of 59 images drawn, 20.3 % (14.3 to 50.0 % of a class; asked for: 20 %)")


def test_another_seed_draws_others_and_the_same_seed_the_same():
    assert drawn(PHOTOS) == drawn(PHOTOS)
    assert drawn(PHOTOS) != drawn(PHOTOS, seed=1)


def test_the_first_images_are_not_preferred():
    files = {"ant": [f"{i:03}.png" for i in range(1000)]}
    mean = sum(int(file[:3]) for _, file in drawn(files)) / 200
    assert 440 < mean < 560


def test_classes_with_too_few_images_are_named():
    with pytest.raises(
        StoreError, match=r"mine\.validation: 2 of 3 classes have too few images .*: dog \(1\), eel \(1\);"
    ):
        drawn({"cat": ["a", "b"], "dog": ["a"], "eel": ["a"]})


file_sets = st.sets(st.text("abc0123 é/", min_size=1, max_size=5), min_size=2, max_size=20).map(sorted)
class_sets = st.dictionaries(st.text("xyz", min_size=1, max_size=3), file_sets, min_size=1, max_size=5)
shares = st.floats(0.01, 0.99)


@given(class_sets, shares, st.integers(0, 9), st.randoms())
def test_neither_order_nor_other_classes_change_a_draw(classes, share, seed, random):
    alone = frozenset().union(*(drawn({name: files}, share, seed) for name, files in classes.items()))
    shuffled = {name: random.sample(files, len(files)) for name, files in reversed(classes.items())}
    assert drawn(classes, share, seed) == drawn(shuffled, share, seed) == alone
    assert counts(alone) == {name: wanted(len(files), share) for name, files in classes.items()}


@given(file_sets, shares)
def test_an_image_more_draws_the_others_as_before_but_for_one(files, share):
    before = drawn({"ant": files}, share)
    after = drawn({"ant": [*files, "new.png"]}, share)
    assert len(before - after) <= 1
    assert len(after - before) <= 2


# ---- Groups ----------------------------------------------------------------------------------------------------------


def patients(numbers, images=4):
    return [f"p{number}_{i}.png" for number in numbers for i in range(images)]


def test_images_of_one_thing_stay_together_across_classes():
    """Ten patients, each with images of both classes."""
    classes = {"ill": patients(range(10)), "well": patients(range(10))}
    draw = draw_validation(classes, 0.2, 0, "^(p[0-9]+)_", "datasets.mine")
    assert len({file.split("_")[0] for _, file in draw.validation}) == 2
    assert counts(draw.validation) == {"ill": 8, "well": 8}
    assert draw.summary.endswith(
        "20.0 % (20.0 to 20.0 % of a class; asked for: 20 %), each group of '^(p[0-9]+)_' on one side"
    )


def test_the_whole_match_counts_where_the_pattern_has_no_group():
    classes = {"ill": patients(range(5)), "well": patients(range(5, 10))}
    assert drawn(classes, pattern="p[0-9]+") == drawn(classes, pattern="(p[0-9]+)_[0-9]")
    by_folder = {"ill": ["a/1.png", "a/2.png", "b/1.png", "c/x.png"]}
    assert len({file[0] for _, file in drawn(by_folder, pattern="[^/]+/")}) == 1


@given(
    st.dictionaries(
        st.sampled_from(["ant", "bee", "cat"]),
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), min_size=2, max_size=40, unique=True),
        min_size=1,
    ),
    shares,
    st.integers(0, 3),
)
def test_no_group_is_on_both_sides_and_every_class_is(classes, share, seed):
    classes = {name: [f"p{thing}/{i}.png" for thing, i in images] for name, images in classes.items()}
    try:
        validation = drawn(classes, share, seed, "^p([0-9]+)/")
    except StoreError as error:
        assert "too few separate groups of images" in str(error)  # noqa: PT017
        return
    every = {(name, file) for name, files in classes.items() for file in files}
    things = [{file.split("/")[0] for _, file in part} for part in (validation, every - validation)]
    assert not things[0] & things[1]
    assert counts(validation).keys() == counts(every - validation).keys() == classes.keys()


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), min_size=2, unique=True), st.integers(0, 3))
def test_a_class_that_shares_no_group_changes_no_draw(images, seed):
    ant = {"ant": patients(range(10))}
    more = ant | {"bee": [f"q{thing}_{i}.png" for thing, i in images] + ["q98_1.png", "q99_1.png"]}
    pattern = "^([pq][0-9]+)_"
    assert {image for image in drawn(more, 0.2, seed, pattern) if image[0] == "ant"} == drawn(ant, 0.2, seed, pattern)


def test_a_group_larger_than_the_share_does_not_take_over():
    classes = {"ant": [*patients([0], 60), *patients(range(1, 9), 5)]}
    for seed in range(9):
        assert counts(drawn(classes, 0.2, seed, "p[0-9]+"))["ant"] == 20


@pytest.mark.parametrize("pattern", ["^(p[0-9]+)_", "^p7()", "x|(y)"])
def test_a_file_that_the_pattern_does_not_match_is_named(pattern):
    with pytest.raises(StoreError, match=r"mine\.validation_groups: '.*' does not match .*\.png, so nothing says"):
        drawn({"ant": [*patients([1, 2]), "x.png"]}, pattern=pattern)


def test_a_class_of_one_thing_is_named():
    with pytest.raises(StoreError, match=r"1 of 2 classes have too few separate groups of images .*: bee \(4\)"):
        drawn({"ant": patients([1, 2, 3]), "bee": patients([4])}, pattern="p[0-9]+")


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(StoreError, match=r"mine\.validation_groups: '\(' is not a regular expression \("):
        drawn(PHOTOS, pattern="(")
