"""docs/configuration.md says about every key what the schema and the default config say."""

import inspect
import re

import pytest
import yaml

from transferability.study.folder_keys import FolderKeys
from transferability.study.reference import CONFIG, PAGE, config_reference
from transferability.study.schema import config_schema

SCHEMA = config_schema()
DEFAULT = yaml.safe_load(CONFIG.read_text())
KINDS = SCHEMA["$defs"]["data_sets"]


def keys_of(about, path=""):
    """Every key below, as a path such as ``training.iterations``, with what the schema says about it."""
    for key, value in about.get("properties", {}).items():
        yield f"{path}{key}", value
        yield from keys_of(value, f"{path}{key}.")
        yield from keys_of(value.get("items", {}), f"{path}{key}[].")


KEYS = [*keys_of(SCHEMA), *(pair for kind in KINDS.values() for pair in keys_of(kind))]


def rows(page):
    """The cells of each key's row; a top-level key that contains others has a section instead."""
    return dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", page, re.MULTILINE))


def sections(page):
    return set(re.findall(r"^## `(\w+)`$", page, re.MULTILINE))


def test_the_page_is_what_make_docs_writes():
    assert PAGE.read_text() == config_reference(SCHEMA, DEFAULT), "run make docs, and commit what it writes"


def test_every_key_says_what_it_is():
    assert [path for path, about in KEYS if not about.get("description", "").endswith(".")] == []


def test_every_key_has_a_row_or_a_section():
    """Keys that stages repeat are described once, in the row of the stage."""
    again, page = re.compile(r"training\.(base|reduced|frozen|fine_tuned)\."), PAGE.read_text()
    assert rows(page).keys() | sections(page) == {path for path, _ in KEYS if not again.match(path)}


@pytest.mark.parametrize("path", ["training.iterations", "figures.colors.transfer+", "splits", "running.threads"])
def test_defaults_are_those_of_the_default_study(path):
    value = DEFAULT
    for key in path.split("."):
        value = value[key]
    shown = rows(PAGE.read_text())[path].split(" | ")[1]
    assert yaml.safe_load(shown.strip("`")) == value


def test_defaults_of_image_folders_are_those_of_the_code():
    code = {
        key: list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        for key, parameter in inspect.signature(FolderKeys).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    assert {key: about["default"] for key, about in KINDS["folder"]["properties"].items() if "default" in about} == {
        **code,
        "duplicates": "refuse",  # for the store, which every kind becomes
    }


def test_tables_are_whole():
    """Every row has as many cells as its header, and nothing in a cell is read as a tag."""
    for line in PAGE.read_text().splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line
            assert not re.search(r"<\w", re.sub(r"`[^`]*`", "", line)), line


def test_bars_and_tags_are_escaped():
    schema = {
        "properties": {
            "a": {"type": "string", "description": "<x> or y|z."},
            "section": {
                "description": "Section.",
                "required": [],
                "properties": {"b": {"enum": ["p|q", 1, True], "description": "Which."}},
            },
        },
        "$defs": {"data_sets": {}},
    }
    page = config_reference({**schema, "$defs": {"data_sets": KINDS}}, {"a": "", "section": {}, "datasets": {}})
    assert "| `a` | text | `''` | &lt;x&gt; or y\\|z. |" in page
    assert r"| `section.b` | `p\|q`, `1` or `true` | none | Which. |" in page
