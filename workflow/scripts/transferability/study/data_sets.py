"""The data sets of a study: the settings of each, and where its store is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from transferability.files import PROJECT
from transferability.store.reading import stored_checksum
from transferability.store.same_images import REFUSE
from transferability.study.schema import ConfigError, kind_schema
from transferability.study.store_folder import DUPLICATES, settings_folder, shaping_settings, store_folder


@dataclass(frozen=True)
class DataSet:
    """A data set of a config.

    Attributes:
        name: its key in ``datasets``.
        settings: its settings there.
        stores: the folder of all stores.
    """

    name: str
    settings: Mapping[str, Any]
    stores: Path

    @classmethod
    def of(cls, config: Mapping[str, Any], name: str) -> Self:
        return cls(name, config["datasets"][name], Path(config["stores"]))

    @property
    def store_settings(self) -> dict[str, Any]:
        """The settings that affect the store; a grouping of the classes does not, so changing it rebuilds nothing."""
        return shaping_settings(self.settings, kind_schema(self.settings["kind"]))

    @cached_property
    def store_folder(self) -> Path:
        """Where the store is; differs for anything that would give other images, a setting or the content of a list.

        ConfigError if it cannot be determined because a list is unavailable.
        """
        try:
            return store_folder(self.stores, self.name, self.store_settings)
        except ValueError as error:
            raise ConfigError(f"config: {error}") from error

    @property
    def settings_folder(self) -> Path:
        """Where the store would be if the data set had no lists; with lists, its name begins with this one."""
        return settings_folder(self.stores, self.name, self.store_settings)

    @property
    def duplicates(self) -> str:
        """Whether validation images may be training images too, ``allow`` or ``refuse``."""
        default = kind_schema(self.settings["kind"]).get("properties", {}).get(DUPLICATES, {}).get("default", REFUSE)
        return str(self.settings.get(DUPLICATES, default))

    @property
    def groups_file(self) -> Path | None:
        """The file that gives the group of each class, if the data set has one.

        Paths are relative to where Snakemake runs; the project's own resources are found from anywhere.
        """
        given = self.settings.get("groups")
        if given is None:
            return None
        return Path(given) if Path(given).exists() or not (PROJECT / given).exists() else PROJECT / given


def checksums_there(data_sets: Mapping[str, DataSet]) -> dict[str, str]:
    """The checksums of the stores that exist, by data set."""
    found = {name: stored_checksum(data_set.store_folder) for name, data_set in data_sets.items()}
    return {name: checksum for name, checksum in found.items() if checksum is not None}
