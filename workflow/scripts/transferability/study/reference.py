"""The config reference, docs/configuration.md, generated from the schema and the default config by `make docs`.

What a key means comes from the schema and its default from config.yaml, so the page cannot contradict them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from transferability.files import PROJECT
from transferability.study.schema import config_schema, in_yaml

CONFIG = PROJECT / "config.yaml"
PAGE = PROJECT / "docs" / "configuration.md"

_INTRODUCTION = """\
<!-- Made from workflow/schemas/config.schema.yaml and config.yaml by `make docs`; edit those. -->

# Configuration

This page lists every config key with its default, the value in [`config.yaml`](../config.yaml), which is the default
study. For another study, put only what differs in a file and pass it as `--configfile`: mappings are merged with those
of the default study, key by key, and lists replace its lists. With several files, later ones take precedence. All keys
are checked before anything runs, and unknown keys are refused.

Paths are relative to the folder that Snakemake runs in. Their spelling does not matter: `st/`, `./st`, `~/x`; spelling
the same folder differently makes nothing run again. If a groups file does not exist there, it is looked for in the
project's folder.

What YAML reads differently than a person would is refused: a key given twice, `010` (8 to YAML), `1:30` (90). Names of
studies, data sets, splits and groups are text: put `"no"`, `"null"` and `"2024"` in quotes.
"""
_DATA_SETS = """\
## Data sets

An entry of `datasets` has the keys of its `kind`, one of {kinds}. Keys without a default are required.
"""
_OF_THE_DEFAULT_STUDY = (
    "Defaults are those of the data set `{name}` in config.yaml; a data set of another name must give all of them."
)

_TYPES = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
}


def config_reference(schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The page, in Markdown: a table for each section of the config, and one for each kind of data set.

    Args:
        schema: the whole config's, with the kinds of data sets in ``$defs``; every key has a description.
        defaults: a config with every required key.
    """
    keys = schema["properties"]
    sections = [key for key, about in keys.items() if "properties" in about]
    single = {"properties": {key: about for key, about in keys.items() if key not in sections}}
    kinds = schema["$defs"]["data_sets"]
    blocks = [
        _INTRODUCTION,
        _section("## Study", "What is studied, and where its files are.", single, defaults),
        *(_section(f"## `{key}`", keys[key]["description"], keys[key], defaults[key], f"{key}.") for key in sections),
        _DATA_SETS.format(kinds=_listed(kinds)),
        *(_kind(name, about, defaults["datasets"]) for name, about in kinds.items()),
    ]
    return "\n".join(blocks)


def _kind(name: str, about: Mapping[str, Any], data_sets: Mapping[str, Any]) -> str:
    """A kind of data set; if the default config has one of that kind, its values are the defaults."""
    known = [key for key, settings in data_sets.items() if settings["kind"] == name]
    notes = [_OF_THE_DEFAULT_STUDY.format(name=key) for key in known[:1]]
    description, defaults = " ".join([about["description"], *notes]), data_sets[known[0]] if known else {}
    return _section(f"### `kind: {name}`", description, about, defaults)


def _section(
    title: str, description: str, about: Mapping[str, Any], defaults: Mapping[str, Any], path: str = ""
) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    rows += ["| " + " | ".join(row) + " |" for row in _rows(about, defaults, path)]
    return "\n".join([title, "", description, "", *rows, ""])


def _rows(about: Mapping[str, Any], defaults: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, ...]]:
    """A row for each key, and below it rows for the keys inside it, unless these are its siblings again."""
    keys: Mapping[str, Any] = about["properties"]
    for key, value in keys.items():
        inner, again = value.get("properties", {}), value.get("properties", {}).keys() < keys.keys()
        allowed = "mapping; any of the keys above" if inner and again else _allowed(value)
        held = defaults.get(key, {})
        default = "" if inner and not again and isinstance(held, Mapping) else _default(key, value, about, defaults)
        yield f"`{path}{key}`", allowed, default, _prose(value["description"])
        if inner and not again:
            yield from _rows(value, held if isinstance(held, Mapping) else {}, f"{path}{key}.")
        items = value.get("items", {})
        if "properties" in items:
            yield from _rows(items, {}, f"{path}{key}[].")


def _default(key: str, value: Mapping[str, Any], about: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    if "const" in value:
        return ""
    if value.get("additionalProperties") == {"type": "object"}:
        return "[below](#data-sets)"
    if key in defaults:
        return _code(defaults[key])
    if "default" in value:
        return _code(value["default"])
    return "" if key in about.get("required", []) else "none"


def _allowed(value: Mapping[str, Any]) -> str:
    """What a key's value may be: `text`, `integer, at least 1`, `a or b`, `list of ...`."""
    if "const" in value:
        return _code(value["const"])
    if "enum" in value:
        return _listed(value["enum"])
    kinds = [value["type"]] if isinstance(value["type"], str) else value["type"]
    words = " or ".join(_TYPES[kind] for kind in kinds)
    if "items" in value:
        words += f" of {_allowed(value['items'])}"
    elif isinstance(value.get("additionalProperties"), dict):
        types = value["additionalProperties"]["type"]
        named = [types] if isinstance(types, str) else types
        words += f" of names to {' or '.join(_TYPES[kind] for kind in named)}"
    bounds = [text.format(value[bound]) for bound, text in _BOUNDS.items() if bound in value]
    return ", ".join([words, *bounds])


def _listed(names: Sequence[Any] | Mapping[str, Any]) -> str:
    *others, last = map(_code, names)
    return f"{', '.join(others)} or {last}" if others else last


def _code(value: object) -> str:
    """A value as it would be written in the config, on one line."""
    return "`" + in_yaml(value).replace("|", r"\|") + "`"


def _prose(text: str) -> str:
    """Text for a table's cell, with escapes for a bar, which would end the cell, and for <study>, a tag otherwise."""
    return text.replace("|", r"\|").replace("<", "&lt;").replace(">", "&gt;")


def main() -> None:
    """Write the page."""
    defaults = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    PAGE.write_text(config_reference(config_schema(), defaults), encoding="utf-8")


if __name__ == "__main__":
    main()
