"""Every study in config/ is a good config once it is laid over the default one, as Snakemake does it."""

import copy

import pytest
import yaml
from snakemake.utils import update_config

from tests.support import DEFAULT_STUDY, ROOT
from transferability.study.design import read_study

OVERLAYS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "config").glob("*.yaml"))}


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.usefixtures("described_in_process")
def test_an_overlay_is_a_study_of_its_own_data(name):
    config = copy.deepcopy(DEFAULT_STUDY)
    update_config(config, OVERLAYS[name])
    study = read_study(config, beside=[ROOT / "config"])
    assert study.config["study"] == name
    assert list(study.networks())
    by_group = [plan.groups for plan in study.splits.values() if plan.groups]
    assert by_group or study.config["dataset"] == "glyphs", "each of natural images has a split of semantic halves"
    assert not by_group or study.data_set.groups_file.is_file()
