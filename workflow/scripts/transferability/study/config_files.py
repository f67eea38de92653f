"""The files of a config as they are written: what YAML would read otherwise than the eye does."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from transferability.study.schema import ConfigError, dotted

_INTEGER = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_MERGE = "tag:yaml.org,2002:merge"
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")


def require_clear_files(paths: Iterable[Path]) -> None:
    """ConfigError, with a line for each problem, if a file says something twice or not as it would be read."""
    problems = [problem for path in dict.fromkeys(map(Path, paths)) for problem in file_problems(path)]
    if problems:
        raise ConfigError("\n".join(problems))


def file_problems(path: Path) -> Iterator[str]:
    """Of one YAML or JSON file: keys that are there twice, and numbers that are not decimal."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        # No tab is within a JSON string; YAML, whose reader tells lines, has none in its indentation.
        content = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # Snakemake, which has read it, knew better
        return
    if content is not None:
        for line, key, problem in _problems(content, ""):
            yield f"{path}, line {line + 1}: {key}: {problem}"


def _problems(node: yaml.Node, where: str) -> Iterator[tuple[int, str, str]]:
    """Line from 0, key and problem of all that is within a node."""
    if isinstance(node, yaml.MappingNode):
        yield from _twice(node, where)
        for key, value in node.value:
            yield from _problems(value, dotted(where, [str(key.value)]))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _problems(value, dotted(where, [index]))
    elif isinstance(node, yaml.ScalarNode) and (problem := _misread(node)):
        yield node.start_mark.line, where, problem


def _twice(node: yaml.MappingNode, where: str) -> Iterator[tuple[int, str, str]]:
    first: dict[tuple[str, str], int] = {}
    for key, _value in node.value:
        name = (key.tag, str(key.value))
        # yte's conditions, ?if, may well be there twice
        if name in first and key.tag != _MERGE and not name[1].startswith("?"):
            yield key.start_mark.line, dotted(where, [name[1]]), f"is there twice, in line {first[name] + 1} before"
        first.setdefault(name, key.start_mark.line)


def _misread(node: yaml.ScalarNode) -> str:
    """Why a number that is not written in quotes is another than it seems: 010, 0x10 or 1:30."""
    text = node.value
    if node.tag not in {_INTEGER, _FLOAT} or (node.tag == _INTEGER and _DECIMAL.fullmatch(text)):
        return ""
    if node.tag == _FLOAT and ":" not in text:
        return ""
    value = yaml.safe_load(text)
    return f"{text} is {value} to YAML; write {value}, or '{text}' in quotes if it is a name"
