"""Files of groups as spreadsheets, macOS and pandas write them: one meaning, or a refusal with the line."""

import unicodedata

import pytest

from transferability.store.source import ImageClass
from transferability.study.groups import GroupsError, grouped, read_groups, read_titles

CAFE = "caf\u00e9"


def written(tmp_path, content, encoding="utf-8"):
    path = tmp_path / "groups.csv"
    path.write_bytes(content.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_write_says_the_same(tmp_path, delimiter, encoding, end):
    rows = [["note", "class", "group"], ["1", "polar bear", "wild"], ["", "cat ", " tame"], ["", '"a,b;c\td"', "wild"]]
    path = written(tmp_path, end.join(delimiter.join(row) for row in rows) + end * 2, encoding)
    assert read_groups(path) == {"polar bear": "wild", "cat": "tame", "a,b;c\td": "wild"}


def test_text_is_text(tmp_path):
    words = ["NA", "NaN", "None", "null", "1", "1.0", "true", "-"]
    path = written(tmp_path, "class,group,name\n" + "".join(f"{w},{w},{w}\n" for w in words))
    assert read_groups(path) == read_titles(path) == {w: w for w in words}


def test_readable_names_are_of_the_classes_that_have_one(tmp_path):
    path = written(tmp_path, 'class,name,group\nn01,"tench, a fish",wild\nn02,,wild\n')
    assert read_titles(path) == {"n01": "tench, a fish"}
    assert read_titles(written(tmp_path, "class,group\nn01,wild\n")) == {}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_class_is_known_in_either_unicode_form_and_with_a_space_at_its_end(tmp_path, form):
    groups = read_groups(
        path := written(tmp_path, unicodedata.normalize(form, f"class,group\n{CAFE},wild\ncat,wild\n"))
    )
    names = [unicodedata.normalize("NFD", CAFE), CAFE, "cat "]
    assert [c.group for c in grouped([ImageClass(name) for name in names], groups, path)] == ["wild"] * 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("class,group\ncat,wild\ncat ,wild\n", r"groups\.csv, line 3: the class cat appears twice, first in line 2"),
        (f"class,group\n{CAFE},a\ncafe\u0301,a\n", "line 3: the class .* appears twice, first in line 2"),
        ("class,group\nbear, polar,wild\n", r"line 2: has 3 cells, but there are 2 columns; .* in double quotes"),
        ("class;group\ncat,wild\n", "line 2: group is empty"),
        ("class,group,class\ncat,wild,dog\n", "the column class is there twice"),
        ("class,group,name,name\ncat,wild,Cat,Dog\n", "the column name appears twice"),
        ('class,group\n"cat,wild\ndog,tame\n', r"groups\.csv: not a CSV file in UTF-8 \(line 3: "),
        ("", "no column class; it takes class and group, but it is empty"),
        ("animal,group\ncat,tame\n", "no column class; it takes class and group, but it has animal, group"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_groups(written(tmp_path, content))


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-16", r"not in UTF-8 \(it seems to be in UTF-16\)"),
        ("utf-16-le", r"not in UTF-8 \(it seems to be in UTF-16\)"),
        ("latin-1", r"not in UTF-8 \(line 2 has the byte 0xe9; it seems to be in Latin-1"),
    ],
)
def test_another_encoding_is_named(tmp_path, encoding, message):
    with pytest.raises(ValueError, match=message):
        read_groups(written(tmp_path, f"class,group\n{CAFE},wild\n", encoding))


def test_trailing_delimiters_mean_nothing(tmp_path):
    assert read_groups(written(tmp_path, "class,group,,\ncat,wild,,\ndog,tame\n")) == {"cat": "wild", "dog": "tame"}


def test_a_missing_file_is_a_groups_error(tmp_path):
    with pytest.raises(GroupsError, match="there is no such file; it must be a CSV with the columns class and group"):
        read_groups(tmp_path / "gone.csv")


@pytest.mark.parametrize(
    "start", ["class;group;name\n", "Class;GROUP;Name\n", "sep=;\nclass;group;name\n", "SEP=;\nClass;Group;Name\n"]
)
def test_a_header_as_excel_and_people_write_it(tmp_path, start):
    (tmp_path / "g.csv").write_text(f"{start}ant;tame;Ant\nsep=;wild;\n")
    assert read_groups(tmp_path / "g.csv") == {"ant": "tame", "sep=": "wild"}
    assert read_titles(tmp_path / "g.csv") == {"ant": "Ant"}
