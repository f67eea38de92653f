"""Every study in config/ is a valid config on top of the default one, merged as Snakemake does."""

import copy
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from tests.support import DEFAULT_STUDY, ROOT
from transferability.networks.library import build_model
from transferability.networks.weight_files import write_weights
from transferability.study.design import read_study

OVERLAYS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "config").glob("*.yaml"))}


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.usefixtures("described_in_process")
def test_an_overlay_is_a_study_of_its_own_data(name, tmp_path, monkeypatch):
    config = copy.deepcopy(DEFAULT_STUDY)
    update_config(config, OVERLAYS[name])
    if weights := config["networks"]["pretrained"]:  # which another study makes
        monkeypatch.chdir(tmp_path)
        model = build_model(f"{ROOT}/config/small_resnet.py:small_resnet", {}, (24, 24, 1), 32)
        write_weights(Path(weights), model.state_dict(), {"preprocessing": {"mean": "own", "scale": 64}})
    study = read_study(config, beside=[ROOT / "config"])
    assert study.config["study"] == name
    assert list(study.networks())
    by_group = [plan.groups for plan in study.splits.values() if plan.groups]
    assert by_group or study.data_set.settings["kind"] == "glyphs", (
        "each of natural images has a split of semantic halves"
    )
    assert not by_group or study.data_set.groups_file.is_file()
