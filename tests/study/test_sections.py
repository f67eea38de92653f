"""The sections that affect no network: what the schema knows about them is what the study has."""

from dataclasses import asdict, fields

import pytest

from tests.support import DEFAULT
from transferability.study.design import read_study
from transferability.study.schema import config_schema
from transferability.study.sections import FiguresSection, RunningSection

SECTIONS = {"running": RunningSection, "figures": FiguresSection}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_has_the_keys_of_the_schema(name):
    keys = config_schema()["properties"][name]["properties"]
    assert [field.name for field in fields(SECTIONS[name])] == list(keys)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_study_has_what_the_config_says(name):
    """Values are as they were read: rules have them as parameters, and another spelling would rerun these."""
    section = getattr(read_study(DEFAULT), name)
    assert repr(asdict(section)) == repr(DEFAULT[name])


def test_the_images_held_in_memory_are_counted_in_bytes():
    config = DEFAULT | {"running": DEFAULT["running"] | {"cache_gb": 0.25}}
    assert read_study(config).running.cache_bytes == 250_000_000
