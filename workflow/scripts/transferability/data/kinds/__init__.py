"""The kinds of data set that can become a store, one per file: a file's name is the kind's name in the config.

Each file has a ``KIND``; only the file of the requested kind is imported.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from transferability.data.kind import Kind
from transferability.process.log import Say
from transferability.store.source import ImageSource
from transferability.study.schema import ConfigError


def data_set_kind(settings: Mapping[str, Any]) -> Kind:
    """The kind of the data set with these settings, which the schema has checked."""
    kind: Kind = import_module(f"{__name__}.{settings['kind']}").KIND
    return kind


def image_source(
    name: str, settings: Mapping[str, Any], say: Say = lambda line: None
) -> AbstractContextManager[ImageSource]:
    """The data set of that name, from its settings in the config, for the duration of the block."""
    return data_set_kind(settings).open(name, settings, say)


def require_images(name: str, settings: Mapping[str, Any]) -> None:
    """ConfigError if what a store would be built from is not a valid data set."""
    try:
        data_set_kind(settings).check(name, settings)
    except ValueError as error:
        raise ConfigError(f"config: {error}") from error
