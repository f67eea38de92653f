"""The files of a config as they are written: what YAML reads differently from how it looks."""

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
    """Raise ConfigError, with a line for each problem, if a file has duplicate keys or numbers that YAML misreads."""
    problems = [problem for path in dict.fromkeys(map(Path, paths)) for problem in file_problems(path)]
    if problems:
        raise ConfigError("\n".join(problems))


def file_problems(path: Path) -> Iterator[str]:
    """The problems of one YAML or JSON file: duplicate keys, and numbers that are not decimal."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        # JSON strings contain no tabs, and YAML, whose parser gives line numbers, allows none in indentation.
        content = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # Snakemake could read it
        return
    if content is not None:
        for line, key, problem in _problems(content, ""):
            yield f"{path}, line {line + 1}: {key}: {problem}"


def _problems(node: yaml.Node, where: str) -> Iterator[tuple[int, str, str]]:
    """The line, counted from 0, the key and the problem of everything wrong within a node."""
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
        # yte's conditions, ?if, may appear twice
        if name in first and key.tag != _MERGE and not name[1].startswith("?"):
            yield key.start_mark.line, dotted(where, [name[1]]), f"appears twice, first in line {first[name] + 1}"
        first.setdefault(name, key.start_mark.line)


def _misread(node: yaml.ScalarNode) -> str:
    """Why an unquoted number is not what it looks like, as 010, 0x10 and 1:30; empty if it is."""
    text = node.value
    if node.tag not in {_INTEGER, _FLOAT} or (node.tag == _INTEGER and _DECIMAL.fullmatch(text)):
        return ""
    if node.tag == _FLOAT and ":" not in text:
        return ""
    value = yaml.safe_load(text)
    return f"{text} is {value} to YAML; write {value}, or '{text}' in quotes if it is a name"
