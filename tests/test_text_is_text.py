"""Names that look like something else, or like nothing, come back from every file and every table as they were."""

import base64
import json
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.results.support import metrics
from tests.support import Patterns
from transferability.data.build import build_store
from transferability.data.splits import (
    SplitError,
    class_lines,
    image_lines,
    split_from_json,
    split_to_json,
    whole_split,
)
from transferability.figures.class_names import try_names
from transferability.figures.contact_sheet import contact_sheet, halves_sheet
from transferability.figures.style import figure_style, save
from transferability.files import csv_of, open_csv, read_json, write_csv, write_json, write_table
from transferability.labels import visible
from transferability.networks.architectures import architecture_layers
from transferability.report.sheets import sheet_of_file
from transferability.report.study_page import _printed
from transferability.report.table_views import table_views
from transferability.results.accuracies import collect_contents, read_accuracies, read_table
from transferability.store.reading import open_store, read_samples
from transferability.store.source import ImageClass, Sample
from transferability.study.groups import described, grouping_digest

NAMES = (
    *(
        "$1_$2",
        "A$AP_Rocky$",
        r"\frac{1",
        "NA",
        "NaN",
        "nan",
        "null",
        "None",
        "True",
        "1",
        "01",
        "1e5",
        "inf",
        "-",
        "#",
    ),
    *("<b>&amp; it's", 'say "x"', "a,b;c", " lead", "trail ", "tab\there", "a\rb", "c\u2028d", "\x85e", "f\ng", "\r\n"),
    *(
        "\ufeffbom",
        "\u202ertl",
        "\u200fmark",
        "🐈😀",
        "汉字",
        "عربي",
        "हिन्दी",
        "long_" * 60,
        "{x}",
        "%s",
        "\x01\x1b[0m",
    ),
)
# Anything in UTF-8, and often characters with a meaning in CSV, JSON and HTML.
TEXT = st.text(st.one_of(st.sampled_from('\r\n",;\t \x00\x85\u2028\ufeff\\'), st.characters(exclude_categories=["Cs"])))


@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_from_a_csv_file(rows, tmp_path):
    write_csv(tmp_path / "table.csv", ["one", "two"], rows)
    with open_csv(tmp_path / "table.csv") as reader:
        assert [(row["one"], row["two"]) for row in reader] == rows


@given(rows=st.lists(st.tuples(TEXT.filter(bool), st.integers(0, 9)), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_split_comes_back_from_a_table(rows, tmp_path):
    rows = [(text.replace("\x00", ""), number) for text, number in rows if text.strip("\x00")]
    write_table(tmp_path / "table.csv", pd.DataFrame(rows, columns=["split", "n"]).astype({"split": "string"}))
    assert list(read_table(tmp_path / "table.csv").itertuples(index=False, name=None)) == rows


@given(TEXT)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_from_json(tmp_path, text):
    write_json(tmp_path / "a.json", {text: text})
    assert read_json(tmp_path / "a.json") == {text: text}


def test_csv_files_of_plain_names_are_what_they_were():
    table = pd.DataFrame({"split": ["random0", None, 'a "b", c'], "x": [0.1, None, 1e-7]})
    assert csv_of(table) == table.to_csv(index=False)


class Named(Patterns):
    """A data set whose classes have all of `NAMES`, and so have its files."""

    def __init__(self):
        super().__init__(class_count=len(NAMES), training_per_class=1, validation_per_class=1)
        object.__setattr__(self, "classes", tuple(ImageClass(name, name) for name in sorted(NAMES)))
        object.__setattr__(self, "name", "$a$_\r\u2028")
        for part in ("training", "validation"):
            samples = tuple(Sample(i, name) for i, name in enumerate(sorted(NAMES)))
            object.__setattr__(self, part, samples)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    folder = tmp_path_factory.mktemp("named")
    build_store(Named(), folder)
    return folder


def test_a_store_has_its_names_and_files_as_they_were(named):
    store = open_store(named)
    assert store.name == Named().name
    assert store.classes == Named().classes
    assert read_samples(named) == [*Named().training, *Named().validation]


def test_a_split_has_its_names_as_they_were(named, tmp_path):
    store = open_store(named)
    split = replace(whole_split(store.classes), name="NA")
    write_json(tmp_path / "NA.json", split_to_json(split, store))
    assert split_from_json(read_json(tmp_path / "NA.json"), store) == split
    names = [c["name"] for c in read_json(tmp_path / "NA.json")["halves"]["whole"]["classes"]]
    assert names == sorted(NAMES)


def test_sheets_of_all_names_are_drawn_with_them(named, tmp_path):
    store = open_store(named)
    classes = tuple(range(len(NAMES)))
    split = replace(whole_split(store.classes), name="$x$", halves={"A": classes[::2], "B": classes[1::2]})
    try_names(store, split.name)
    with figure_style():
        sheets = {"contact": contact_sheet(store), "halves": halves_sheet(store, split)}
        for name, sheet in sheets.items():
            save(sheet, tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
    labels = {axes.get_ylabel().partition("\n")[0] for axes in sheets["contact"].axes}
    assert {"$1_$2", "NA", r"a\rb", r"c\u2028d", r"\frac{1"} <= labels


def test_a_name_that_cannot_be_drawn_is_told_before_anything_is_trained(named, monkeypatch):
    monkeypatch.setattr("transferability.figures.class_names.text_style", lambda text: {"parse_math": True})
    with pytest.raises(ValueError, match=r"^.*the name \$1_\$2.* cannot be drawn \(.*\); rename it$"):
        try_names(open_store(named), "random0")


def test_lists_of_classes_have_a_line_a_class_with_its_readable_name(named):
    store = open_store(named)
    lines = class_lines(store, range(len(NAMES))).splitlines()[1:]
    assert lines == [f"{i} {i} {visible(name)}" for i, name in enumerate(sorted(NAMES))]
    titled = replace(store, classes=tuple(replace(c, title="a cat") for c in store.classes))
    assert class_lines(titled, [0]).splitlines()[1].endswith(f"a cat ({visible(store.classes[0].name)})")


def test_a_file_that_would_be_two_lines_of_a_list_is_refused():
    with pytest.raises(SplitError, match="line break"):
        image_lines([Sample(0, "a\rb.png")], [0])
    assert image_lines([Sample(0, "a b.png")], [0]) == "a b.png 0\n"


@pytest.mark.parametrize("split", ["NA", "NaN", "null", "None", "True", "inf", "nan", "N_A"])
def test_a_split_of_any_name_is_in_the_tables(split, tmp_path):
    contents = [(name, metrics(name, 0.5, split, 0)) for name in ("baseA", "baseB", "A3B")]
    accuracies = collect_contents(contents, architecture_layers("mini_caffenet"))
    write_table(tmp_path / "accuracies.csv", accuracies)
    again = read_accuracies(tmp_path / "accuracies.csv")
    assert set(again["split"]) == {split}
    assert again["base"].tolist() == accuracies["base"].tolist()
    sheet = sheet_of_file("accuracies", table_views("top1_final")["accuracies"], tmp_path / "accuracies.csv")
    assert {row[0].text for row in sheet.rows} == {split}


def test_what_can_be_downloaded_is_the_file(tmp_path):
    write_csv(tmp_path / "summary.csv", ["split_type", "treatment"], [("a\rb", "NA")])
    sheet = sheet_of_file("summary", table_views("top1_final")["summary"], tmp_path / "summary.csv")
    assert base64.b64decode(sheet.csv.partition(",")[2]) == (tmp_path / "summary.csv").read_bytes()
    assert [cell.text for cell in sheet.rows[0]] == [r"a\rb", "NA"]


class Text(str):
    """A subclass of str, like the types of values from JSON and command lines."""


@pytest.mark.parametrize("config", [{"a": {Text("b"): [Text("$x"), 1, 0.5, None, True]}}, {"a": ("x", "y")}])
def test_a_config_of_any_types_is_printed(config):
    assert yaml.safe_load(_printed(config)) == json.loads(json.dumps(config))


def test_classes_have_the_readable_names_of_the_file_of_groups(tmp_path):
    path = tmp_path / "groups.csv"
    write_csv(path, ["class", "group", "name"], [("n01", "pet", "tabby cat"), ("n02", "wild", "")])
    cat, fox, other = described([ImageClass("n01"), ImageClass("n02"), ImageClass("n03", "old")], path)
    assert (cat.shown, cat.group) == ("tabby cat (n01)", "pet")
    assert (fox.shown, fox.group) == ("n02", "wild")
    assert other == ImageClass("n03", "old")
    assert described([fox], None) == (fox,)


def test_readable_names_are_no_other_grouping(tmp_path):
    for name, rows in {
        "bare": [("class", "group"), ("a", "x"), ("b", "y")],
        "named": [("class", "group", "name"), ("b", "y", "bee"), ("a", "x", "ant")],
        "other": [("class", "group"), ("a", "y"), ("b", "y")],
    }.items():
        write_csv(tmp_path / name, rows[0], rows[1:])
    bare, named, other = (grouping_digest(tmp_path / name) for name in ("bare", "named", "other"))
    assert bare == named != other
