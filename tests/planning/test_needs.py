import copy
from types import SimpleNamespace

import pytest
import yaml
from snakemake.utils import update_config

from tests.support import DEFAULT, ROOT
from transferability.planning.needs import needs, weight_bytes
from transferability.study.design import read_study


@pytest.fixture
def paper():
    config = copy.deepcopy(DEFAULT)
    update_config(config, yaml.safe_load((ROOT / "config" / "imagenet.yaml").read_text()))
    return read_study(config)


@pytest.fixture
def imagenet():
    """Only its numbers are ever asked for."""
    counts = {"training": range(1_281_167), "validation": range(50_000), "classes": range(1000)}
    return SimpleNamespace(**counts, image_shape=(256, 256, 3))


def test_the_papers_network_takes_what_its_weights_take(paper, imagenet):
    assert weight_bytes(paper, imagenet.image_shape, 1000) == 4 * 60_965_224


def test_needs_are_told_in_a_line_each(paper, imagenet):
    disk, memory = needs(paper, imagenet)
    assert disk.startswith("disk: 262 GB for the store, up to 76 GB for 310 networks, and up to 0.98 GB")
    assert memory == (
        "memory of a training job: up to 5.12 GB for 7 networks, 4.00 GB for images, the others read from the disk"
    )


def test_one_network_is_told_in_the_singular(paper, imagenet):
    networks = {**paper.config["networks"], "depths": [3]}
    _, memory = needs(read_study({**paper.config, "networks": networks}), imagenet)
    assert "for 1 network, " in memory
