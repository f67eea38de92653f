"""The config's schema, and what it refuses in a config: a line for each problem, with hints that it would accept."""

import datetime
import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import jsonschema
import yaml

from transferability.files import PROJECT
from transferability.study.compared import COMPARED
from transferability.study.names import COPYING, DIRECTIONS, FROM_THE_BOTTOM

SCHEMA = PROJECT / "workflow" / "schemas" / "config.schema.yaml"
EXACT = 2**53  # floats are exact for all whole numbers up to this

_WORDS = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SHOWN = 80  # characters of a value in a message

# Keys of earlier versions, and what they are called now.
_RENAMED = {
    "statistic": "metric",
    "tolerated_loss": "max_drop",
    "colours": "colors",
    "resident_gb": "cache_gb",
    "state_seconds": "state_every_seconds",
    "report_seconds": "log_every_seconds",
    "bias_rate": "bias_lr_multiplier",
}


class ConfigError(ValueError):
    """The config asks for something impossible; the message has a line for each reason."""


@cache
def config_schema() -> Mapping[str, Any]:
    """The schema from its file, with the names that the library defines filled in, so that each is in one place."""
    schema: Mapping[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    networks = schema["properties"]["networks"]["properties"]
    networks["treatments"]["items"]["enum"] = COPYING
    networks["directions"]["items"]["enum"] = tuple(DIRECTIONS)
    figures = schema["properties"]["figures"]["properties"]
    figures["metric"]["enum"] = COMPARED
    figures["colors"]["properties"] = {
        treatment: {"type": "string", "description": f"Color of {treatment} networks."}
        for treatment in ("base", *FROM_THE_BOTTOM)
    }
    return schema


def kind_schema(kind: str) -> Mapping[str, Any]:
    """The schema for data sets of a kind; empty for an unknown kind."""
    schema: Mapping[str, Any] = config_schema()["$defs"]["data_sets"].get(kind, {})
    return schema


def with_integers(value: Any, schema: Mapping[str, Any]) -> Any:
    """The same value, with 1000.0 as 1000 if the schema wants a number: equal configs have equal identities."""
    match value:
        case dict():
            keys = schema.get("properties", {})
            return {key: with_integers(inner, keys.get(key, {})) for key, inner in value.items()}
        case list():
            return [with_integers(inner, schema.get("items", {})) for inner in value]
        case float() if value.is_integer() and abs(value) <= EXACT and _wants_numbers(schema):
            return int(value)
    return value


def _wants_numbers(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", ())
    return not {"integer", "number"}.isdisjoint([kinds] if isinstance(kinds, str) else kinds) or any(
        type(allowed) is int for allowed in schema.get("enum", ())
    )


def _is_integer(_checker: object, value: object) -> bool:
    """JSON does not distinguish 7 from 7.0 and has no bounds; the code that uses the numbers does."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= EXACT


def _is_number(checker: object, value: object) -> bool:
    """YAML also has .inf and .nan."""
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def schema_problems(content: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """What a schema refuses in a part of the config, which is at ``path``."""
    validator = _Validator(schema)
    for error in sorted(validator.iter_errors(content), key=lambda error: [str(part) for part in error.absolute_path]):
        where = dotted(path, error.absolute_path)
        match error.validator:
            case "additionalProperties":
                known = list(error.schema["properties"])
                for key in sorted(set(error.instance) - set(known), key=str):
                    yield f"{dotted(where, [key])}: unknown key{_nearest(key, known)}"
            case "required":
                missing = [key for key in error.validator_value if key not in error.instance]
                yield f"{where or 'top level'}: {' and '.join(missing)} is missing"
            case _:
                name = "the name " if "propertyNames" in error.absolute_schema_path else ""
                yield f"{where}: {name}{_refusal(error)}{_hint(error.instance, error.schema)}"


def _refusal(error: jsonschema.ValidationError) -> str:
    """Why one value is refused."""
    value: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    must = f"is {_shown(value)}; it must be"
    match error.validator:
        case "type":
            words = [_WORDS[kind] for kind in ([wanted] if isinstance(wanted, str) else wanted)]
            refusal = f"{must} {' or '.join(words)}"
        case "enum":
            refusal = f"{must} one of {', '.join(map(str, wanted))}"
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            why = f", {schema['$comment']}" if error.validator == "maximum" and "$comment" in schema else ""
            refusal = f"{must} {_BOUNDS[error.validator]} {wanted}{why}"
        case "pattern":
            refusal = f"{must} {schema['$comment']}"
        case "maxLength":
            refusal = f"has {len(value)} characters; at most {wanted} are allowed, since it becomes part of file names"
        case "uniqueItems":
            twice = next(item for i, item in enumerate(value) if item in value[:i])
            refusal = f"{on_one_line(str(twice))} appears twice"
        case "minItems" | "minProperties":
            refusal = "is empty; give at least one"
        case _:
            refusal = error.message
    return refusal


def _shown(value: object) -> str:
    text = "empty (null)" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def _hint(value: object, schema: Mapping[str, Any]) -> str:
    """What was most likely meant, as it would be written; only if the schema accepts it."""
    for candidate in _candidates(value, schema):
        if _Validator(schema).is_valid(candidate):
            if "enum" in schema and isinstance(value, str):
                return f"; did you mean {in_yaml(candidate)}?"
            quotes = ", in quotes, or YAML takes it for something else" if _is_misread(value, candidate) else ""
            return f"; write it as {in_yaml(candidate)}{quotes}"
    return ""


def _is_misread(value: object, candidate: object) -> bool:
    return isinstance(candidate, str) and not isinstance(value, str) and in_yaml(candidate) != candidate


def _candidates(value: object, schema: Mapping[str, Any]) -> Iterator[object]:
    """What somebody may have meant by a value that the schema refuses, the likeliest first."""
    if isinstance(value, list) and len(value) == 1:
        yield value[0]
    read_again = [*_read_again(value.strip())] if isinstance(value, str) else []
    yield from (*read_again, [value], *([again] for again in read_again))
    yield from difflib.get_close_matches(str(value), [word for word in schema.get("enum", ()) if isinstance(word, str)])
    types = schema.get("type")
    if (types == "string" or (isinstance(types, list) and "string" in types)) and not isinstance(value, dict | list):
        text = _as_text(value).strip()
        name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
        yield from (text, name, f"n{name}") if name else (text,)


def _read_again(text: str) -> Iterator[object]:
    """A number or Boolean that YAML read as text, such as 5e-4."""
    words = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
    if text.lower() in words:
        yield words[text.lower()]
    plain = text.replace("_", "").replace(",", "") if re.fullmatch(r"\d{1,3}([,_]\d{3})+", text) else text
    if _NUMBER.fullmatch(plain) and math.isfinite(number := float(plain)):
        yield from ([int(number)] if number.is_integer() else [])
        yield number


def _as_text(value: object) -> str:
    """How a value that YAML did not read as text was written, as far as that can be known."""
    match value:
        case None:
            return "null"
        case bool():
            return "yes" if value else "no"
        case datetime.date():
            return value.isoformat()
    return str(value)


class _OneLine(yaml.SafeDumper):
    """Writes a line break in quotes as \\n, where YAML would break the line."""


def _text_on_one_line(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_OneLine.add_representer(str, _text_on_one_line)


def in_yaml(value: object) -> str:
    """A value as it would be written in a config, on one line, so that it is read back unchanged."""
    form: dict[str, Any] = {"default_flow_style": True, "sort_keys": False, "width": float("inf")}
    text: str = yaml.dump(value, Dumper=_OneLine, allow_unicode=True, **form)
    return text.removesuffix("...\n").strip()


def on_one_line(text: str) -> str:
    """Text as it is, or its `repr` if one of its characters cannot be shown or breaks the line."""
    return text if text.isprintable() else repr(text)


def dotted(path: str, parts: Sequence[object]) -> str:
    """The place of a value in the config: ``splits[0].name``."""
    for part in parts:
        key = on_one_line(str(part))
        path += f"[{part}]" if isinstance(part, int) else f".{key}" if path else key
    return path


def _nearest(key: object, known: Sequence[str]) -> str:
    if (new := _RENAMED.get(str(key))) in known:
        return f"; it is called {new} now"
    near = difflib.get_close_matches(str(key), list(map(str, known)), n=1)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(map(str, known))}"
