"""Lists of images and classes as tools and people write them: one reading for a whole list, or a refusal."""

import csv
import io
import unicodedata

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from transferability.data.folders import label_lists
from transferability.data.folders.ilsvrc_numbers import read_numbers
from transferability.data.folders.label_lists import read_label_list
from transferability.data.folders.list_tables import LabelList
from transferability.data.folders.listed_files import FileFinder
from transferability.store.source import StoreError

CLASSES = ["ant", "bee", "polar bear", "wolf"]
FILES = ["a.png", "my photo.png", "part0/x.jpg", "part1/y.jpg"]
BY_NAME = dict(zip(FILES, CLASSES, strict=True))
CAFE = "caf\u00e9"


def read(tmp_path, content, files=FILES, classes=CLASSES, encoding="utf-8", **about):
    """The classes of the files below tmp_path/val, by their paths there."""
    path, folder = tmp_path / "list.txt", tmp_path / "val"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    finder = FileFinder([folder / file for file in files], [folder, tmp_path])
    found = read_label_list(LabelList(path, "datasets.mine.val_labels", finder, folder, classes, **about))
    return {file.relative_to(folder).as_posix(): label for file, label in found.items()}


def lines(rows, delimiter=",", end="\n"):
    return "".join(delimiter.join(map(str, row)) + end for row in rows)


# ---- Forms found in practice -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "; ", " ", "   ", " \t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("header", [[], [("file", "class")], [("image_name", "species")]])
def test_every_dialect_says_the_same(tmp_path, delimiter, end, encoding, header):
    content = lines([*header, *BY_NAME.items()], delimiter, end)
    assert read(tmp_path, content, encoding=encoding) == BY_NAME


@pytest.mark.parametrize("delimiter", [",", "\t", ";", " "])
def test_classes_may_be_given_by_index(tmp_path, delimiter):
    assert read(tmp_path, lines([(file, i) for i, file in enumerate(FILES)], delimiter)) == BY_NAME


def test_quotes_hold_names_together(tmp_path):
    rows = [(f'"{file}"', f'"{label}"') for file, label in BY_NAME.items()]
    for delimiter in (",", ";", "\t", " "):
        assert read(tmp_path, lines(rows, delimiter)) == BY_NAME
    odd = {'say "hi", twice.png': "a;b", "x\ty.png": 'the "c"'}
    text = io.StringIO()
    csv.writer(text).writerows(odd.items())
    assert read(tmp_path, text.getvalue(), list(odd), ["a;b", 'the "c"']) == odd


def test_tiny_imagenets_annotations(tmp_path):
    """They have more columns, for boxes, whose values could be indices of 200 classes."""
    classes = [f"n{i:08}" for i in range(200)]
    rows = [(f"val_{i}.JPEG", classes[150 - i], i, 32, 44, 62) for i in range(9)]
    files = [f"images/val_{i}.JPEG" for i in range(9)]
    assert list(read(tmp_path, lines(rows, "\t"), files, classes).values()) == [classes[150 - i] for i in range(9)]


def test_the_validation_solution_of_kaggles_imagenet(tmp_path):
    rows = [("ImageId", "PredictionString"), ("val_2", "n02 0 1 2 3 n01 4 5 6 7 "), ("val_1", "n01 10 1 20 2 ")]
    assert read(tmp_path, lines(rows), ["val_1.JPEG", "val_2.JPEG"], ["n01", "n02"]) == {
        "val_2.JPEG": "n02",
        "val_1.JPEG": "n01",
    }


@pytest.mark.parametrize(
    "header", ["image_id,label", "Id,Target", ",file,class", ",file,label", "index,file,class", "label,fold,filename"]
)
def test_tables_with_headers_row_numbers_and_more_columns(tmp_path, header):
    """What Kaggle and pandas write; a fold could be the index of a class."""
    cells = {"image_id": "file", "Id": "file", "filename": "file", "Target": "label", "class": "label"}
    rows = [
        {"file": file, "label": label, "": i, "index": i, "fold": i % 2}
        for i, (file, label) in enumerate(BY_NAME.items())
    ]
    titles = header.split(",")
    table = [titles, *([row[cells.get(title, title)] for title in titles] for row in rows)]
    assert read(tmp_path, lines(table)) == BY_NAME


def test_names_of_files_without_their_suffix(tmp_path):
    assert read(tmp_path, "id,label\n0f3a,ant\n1b,bee\n", ["0f3a.jpg", "b/1b.jpg"]) == {
        "0f3a.jpg": "ant",
        "b/1b.jpg": "bee",
    }


@pytest.mark.parametrize(
    "spelling", ["part0/x.jpg", "./part0/x.jpg", "val/part0/x.jpg", "part0\\x.jpg", "x.jpg", "x", "{}/val/part0/x.jpg"]
)
def test_a_path_in_any_spelling(tmp_path, spelling):
    assert read(tmp_path, f"{spelling.format(tmp_path)},ant\n") == {"part0/x.jpg": "ant"}


def test_names_in_either_unicode_form(tmp_path):
    composed, apart = (unicodedata.normalize(form, f"{CAFE}.png") for form in ("NFC", "NFD"))
    for listed, there in ((composed, apart), (apart, composed)):
        content = f"{listed},{unicodedata.normalize('NFD', CAFE)}\n"
        assert list(read(tmp_path, content, [there], [CAFE]).values()) == [CAFE]


def test_a_file_may_be_listed_twice_with_one_class(tmp_path):
    assert read(tmp_path, "a.png,ant\n./a.png,ant\n") == {"a.png": "ant"}


# ---- One reading for a whole list ------------------------------------------------------------------------------------


def test_numbers_that_are_names_are_no_indices_where_these_do_not_fit(tmp_path):
    """And the other way round."""
    files, classes = [f"{c}.png" for c in "wxyz"], ["1", "2", "3", "4"]
    by_name = read(tmp_path, lines([(f"{c}.png", i) for i, c in enumerate("wxyz", 1)]), files, classes)
    by_index = read(tmp_path, lines([(f"{c}.png", i) for i, c in enumerate("wxyz")]), files, classes)
    assert list(by_name.values()) == list(by_index.values()) == classes


def test_numbers_that_can_be_both_are_refused_unless_a_header_decides(tmp_path):
    """The names sort as 0, 1, 10, 11, 2."""
    files, classes = [f"{c}.png" for c in "vwxyz"], ["0", "1", "10", "11", "2"]
    rows = [("v.png", 0), ("w.png", 1), ("x.png", 2), ("y.png", 0), ("z.png", 1)]
    with pytest.raises(
        StoreError,
        match=r"list\.txt, line 3: x\.png can be of the class 2 .*, or of the class 10 .*`file,class`.*`file,in",
    ):
        read(tmp_path, lines(rows), files, classes)
    assert read(tmp_path, lines([("file", "class"), *rows]), files, classes)["x.png"] == "2"
    assert read(tmp_path, lines([("file", "index"), *rows]), files, classes)["x.png"] == "10"
    assert read(tmp_path, lines([("class", "file"), *(row[::-1] for row in rows)]), files, classes)["x.png"] == "2"


def test_readings_that_agree_are_one(tmp_path):
    assert list(read(tmp_path, "a.png,0\nmy photo.png,1\n", classes=["0", "1", "2"]).values()) == ["0", "1"]


def test_two_columns_of_indices_are_refused_unless_named(tmp_path):
    rows = [("a.png", 0, 1), ("my photo.png", 1, 0)]
    with pytest.raises(
        StoreError, match=r"line 1: a\.png can be of the class ant \('0' as index in column 2\), or of the"
    ):
        read(tmp_path, lines(rows))
    for word in ("index", "label", "target"):
        assert list(read(tmp_path, lines([("id", "fold", word), *rows])).values()) == ["bee", "ant"]


@pytest.mark.parametrize("count", [lambda i: 3 - i, lambda i: (i + 1) % 4])
@pytest.mark.parametrize("word", ["label", "category", "target"])
def test_somebodys_numbers_do_not_outvote_the_names_beside_them(tmp_path, word, count):
    """A column called label has the numbers of a program that sorted the classes in its own way."""
    rows = [(file, count(i), label) for i, (file, label) in enumerate(BY_NAME.items())]
    with pytest.raises(
        StoreError, match=f"line 2: a.png can be of the class {CLASSES[count(0)]} .* or of the class ant"
    ):
        read(tmp_path, lines([("image", word, "breed"), *rows]))
    assert read(tmp_path, lines([("file", "number", "class"), *rows])) == BY_NAME
    by_index = {file: CLASSES[count(i)] for i, file in enumerate(FILES)}
    assert read(tmp_path, lines([("file", "index", "breed"), *rows])) == by_index
    agreeing = [(file, i, label) for i, (file, label) in enumerate(BY_NAME.items())]
    assert read(tmp_path, lines([("image", word, "breed"), *agreeing])) == BY_NAME


def test_a_list_of_many_unknown_classes_is_refused_at_once(tmp_path, monkeypatch):
    """Looking for the nearest class of every line took a quarter of an hour."""
    asked = []
    monkeypatch.setattr(label_lists, "nearest", lambda name, known: asked.append(name) or "")
    files = [f"{i}.png" for i in range(50)]
    with pytest.raises(StoreError, match="and 49 more such lines"):
        read(tmp_path, lines([(file, "lion") for file in files]), files)
    assert len(asked) == 1


def test_a_header_is_told(tmp_path):
    said = []
    (tmp_path / "list.csv").write_text("picture,species\na.png,ant\n")
    finder = FileFinder([tmp_path / "a.png"], [tmp_path])
    read_label_list(LabelList(tmp_path / "list.csv", "key", finder, tmp_path, CLASSES), said.append)
    assert said[0].endswith("below the header picture species")


def test_a_class_with_a_space_is_no_shorter_class(tmp_path):
    """Separated by whitespace, either could be meant; with commas it is clear."""
    with pytest.raises(StoreError, match=r"line 1: a\.png can be of the class polar .*, or of the class polar bear"):
        read(tmp_path, "a.png polar bear\n", classes=["polar", "polar bear"])
    assert read(tmp_path, "a.png,polar bear\n", classes=["polar", "polar bear"]) == {"a.png": "polar bear"}


def test_indices_that_seem_to_count_from_one_are_refused(tmp_path):
    rows = [("a.png", 1), ("my photo.png", 2)]
    with pytest.raises(StoreError, match="line 1: 1 is the smallest index, so the list may count from 1"):
        read(tmp_path, lines(rows))
    assert list(read(tmp_path, lines([("file", "index"), *rows])).values()) == ["bee", "polar bear"]


def test_classes_that_are_not_known_are_those_of_the_list(tmp_path):
    rows = [("filename", "label", "source"), ("a.png", "NA", "web"), ("part0/x.jpg", "1", "cam"), ("y", "1", "cam")]
    expected = {"a.png": "NA", "part0/x.jpg": "1", "part1/y.jpg": "1"}
    assert read(tmp_path, lines(rows), classes=None) == expected
    assert read(tmp_path, "my photo.png polar bear\n", classes=None) == {"my photo.png": "polar bear"}
    with pytest.raises(
        StoreError, match=r"line 2: a\.png can be of the class NA .*column 2.*, or of the class web .*column 3"
    ):
        read(tmp_path, lines([("filename", "kind", "source"), *rows[1:]]), classes=None)


def test_where_a_list_names_classes_by_numbers_so_does_another(tmp_path):
    classes = ["0", "1", "10", "2"]
    assert read(tmp_path, "a.png 2\n", classes=classes, numerals_are_names=True) == {"a.png": "2"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "list.txt is empty; it needs a line for each image"),
        ("file,class\n", "list.txt has no lines except its header"),
        ("a.png\nb.png\n", "line 1: a.png has no class; a line needs"),
        ("a.png,ant\nmy photo.png\nx,\n", r"line 2: no class for my photo\.png \(and 1 more such lines\)"),
        (
            "a.png,ant\nmy photo.png,wolv\n",
            r"line 2: wolv is neither a class of the training set nor an index from 0 to 3 ",
        ),
        ("a.png,ant\nmy photo.png,wolv\n", r"; did you mean wolf\?"),
        ("file,class\na.png,0\n", "line 2: 0 is not a class of the training set"),
        ("file,index\na.png,ant\n", "line 2: ant is not an index from 0 to 3"),
        ("file,index\na.png,4\n", "line 2: 4 is not an index from 0 to 3"),
        ("a.png,0\nmy photo.png,bee\n", "line [12]: (0|bee) is neither a class .* nor an index"),
        ("a.png,ant\nz.png,ant\nzz.png,bee\n", r"line 2: no image z\.png in .*val \(and 1 more such lines\)"),
        ("z.png,ant\na.png,ant\n", r"line 1: no image z\.png in"),
        ("other/a.png,ant\n", r"line 1: no image other/a\.png in"),
        ("/other/val/a.png,ant\n", r"line 1: no image /other/val/a\.png in"),
        ("a.png,ant\n\nx,bee\na.png,wolf\n", "lines 1 and 4: a.png is listed twice, with the classes ant and wolf"),
        ('"a.png,ant\nx,bee\n', r"line 2: unexpected end of data; quotes must come in pairs"),
        ("a.png 01\n", "line 1: 01 is neither"),
        ("a.png ²\n", "line 1: ² is neither"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, content, message):
    with pytest.raises(StoreError, match=message) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith("datasets.mine.val_labels: ")


@pytest.mark.parametrize(
    ("encoding", "message"),
    [("utf-16", "seems to be in UTF-16"), ("utf-16-be", "UTF-16"), ("latin-1", "line 2 has the byte 0xe9; .*Latin-1")],
)
def test_another_encoding_is_named(tmp_path, encoding, message):
    with pytest.raises(StoreError, match=f"val_labels: .*list.txt is not in UTF-8 .*{message}"):
        read(tmp_path, f"a.png,ant\nx,{CAFE}\n", encoding=encoding)


def test_one_name_in_two_folders_is_refused_unless_it_is_listed_by_its_path(tmp_path):
    files = ["p/1.png", "q/1.png", "q/2.png"]
    with pytest.raises(StoreError, match=r"line 2: 1\.png can be .*/p/1\.png and .*/q/1\.png; list it by its path in"):
        read(tmp_path, "2.png,ant\n1.png,bee\n", files)
    assert read(tmp_path, "q/1.png,ant\np/1.png,bee\n", files) == {"q/1.png": "ant", "p/1.png": "bee"}


# ---- Numbers alone ---------------------------------------------------------------------------------------------------

ILSVRC = ("n01751748", "n09193705")  # 490 and 361


def numbers(tmp_path, content, files, classes=ILSVRC):
    path = tmp_path / "truth.txt"
    path.write_text(content)
    return read_numbers(path, [tmp_path / file for file in files], "key", classes)


def test_numbers_are_for_files_in_the_order_of_their_names_not_of_their_paths(tmp_path):
    found = numbers(tmp_path, "490\n361\n", ["a/val_2.JPEG", "b/val_1.JPEG"])
    assert found == {tmp_path / "b/val_1.JPEG": "n01751748", tmp_path / "a/val_2.JPEG": "n09193705"}


@pytest.mark.parametrize(
    ("content", "files", "message"),
    [
        (
            "490\n361\n",
            ["a/1.JPEG", "b/1.JPEG"],
            "the order of their names, but .*a/1.JPEG and .*b/1.JPEG have the same",
        ),
        ("490\n361\n361\n", ["1.JPEG", "2.JPEG"], "has 3 lines, but there are 2 images"),
        ("490\n\n0\n", ["1.JPEG", "2.JPEG"], r"line 3: 0 is not a class number of ILSVRC 2012 \(1 to 1000\)"),
        (
            "490\n1\n",
            ["1.JPEG", "2.JPEG"],
            "line 2: a number alone is read as .* 1 is n02119789, not a class of the training",
        ),
    ],
)
def test_numbers_that_fit_no_files_are_refused(tmp_path, content, files, message):
    with pytest.raises(StoreError, match=message):
        numbers(tmp_path, content, files)


def test_other_lists_are_none_of_numbers(tmp_path):
    assert numbers(tmp_path, "a.png 490\n", ["a.png"]) is None
    assert numbers(tmp_path, "ant\n", ["a.png"]) is None


# ---- Any list --------------------------------------------------------------------------------------------------------

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="/\\"), min_size=1, max_size=8
)
names = texts.map(lambda text: unicodedata.normalize("NFC", text).strip()).filter(lambda text: text.strip("."))


@given(
    st.dictionaries(names.map(lambda name: f"{name}.png"), st.integers(0, 3), min_size=1, max_size=6),
    st.lists(names, min_size=4, max_size=4, unique=True),
    st.sampled_from([",", "\t", ";"]),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_list_with_a_header_reads_back_whatever_its_dialect(tmp_path, labels, classes, delimiter, by_name, end):
    classes = sorted(classes)
    assume(len({unicodedata.normalize("NFC", file) for file in labels}) == len(labels))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(["file", "class" if by_name else "index"])
    writer.writerows((file, classes[i] if by_name else i) for file, i in labels.items())
    assert read(tmp_path, text.getvalue(), list(labels), classes) == {file: classes[i] for file, i in labels.items()}


@given(st.binary() | st.text(alphabet='a.pngt,;\t\n" 012').map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_other_list_is_refused_by_name_or_tells_known_things(tmp_path, content):
    try:
        found = read(tmp_path, content, ["a.png", "t.png"], ["a", "g t", "n"])
    except StoreError as error:
        assert str(error).startswith(f"datasets.mine.val_labels: {tmp_path / 'list.txt'}")  # noqa: PT017
    else:
        assert found.keys() <= {"a.png", "t.png"}
        assert set(found.values()) <= {"a", "g t", "n"}
