"""What affects a network, as recorded in its identity: for earlier configs it stays the same to the byte."""

import copy
import hashlib
import json
from dataclasses import replace

import pytest
import yaml
from snakemake.utils import update_config

from tests.support import DEFAULT, ROOT
from tests.training.support import SETTINGS
from transferability.study.config import settings_of
from transferability.study.settings import Hyperparameters, Preprocessing, RandomResizedCrop, Settings

PLAIN = Preprocessing(crop=0, mirror=False, mean="own", scale=64.0)
NUMBERS = Preprocessing(crop=0, mirror=False, mean=(0.5, 0.0, 1.0), std=(0.25, 1.0, 0.5))
# Later settings, which are part of an identity only if they ask for something new.
LATER = {
    "optimizer": "sgd",
    "decay": "weights",
    "warmup_iterations": 3,
    "label_smoothing": 0.1,
    "layer_decay": 0.75,
    "few_images": "epochs",
}


@pytest.mark.parametrize(
    ("stage", "digest"),
    [
        ("base", "be209913c02642c3af03811c5f8cbd680a92d6e52d0b5ba1f2b3f581c5677132"),
        ("reduced", "f57cdde4b833c57b331e19b9a44aa719b984528b8af16750cf8e3fa72d592059"),
        ("frozen", "be209913c02642c3af03811c5f8cbd680a92d6e52d0b5ba1f2b3f581c5677132"),
        ("fine_tuned", "be209913c02642c3af03811c5f8cbd680a92d6e52d0b5ba1f2b3f581c5677132"),
    ],
)
def test_the_papers_settings_are_what_they_were_with_engine_5(stage, digest):
    """They are in the same order too, because Snakemake compares parameters as they are printed."""
    config = copy.deepcopy(DEFAULT)
    update_config(config, yaml.safe_load((ROOT / "config" / "imagenet.yaml").read_text()))
    text = json.dumps(settings_of(config, stage).to_json())
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_a_later_key_is_there_only_if_it_asks_for_something_else():
    before = SETTINGS.to_json()
    assert not before.keys() & LATER.keys()
    for key, value in LATER.items():
        after = replace(SETTINGS, **{key: value}).to_json()
        assert after.pop(key) == value
        assert after.items() <= before.items()


@pytest.mark.parametrize(
    ("optimizer", "unused"),
    [("caffe_sgd", set()), ("sgd", {"bias_lr_multiplier"}), ("adamw", {"bias_lr_multiplier", "momentum"})],
)
def test_what_an_optimizer_does_not_use_is_none_of_an_identity(optimizer, unused):
    settings = replace(SETTINGS, optimizer=optimizer)
    for key in ("bias_lr_multiplier", "momentum"):
        changed = replace(settings, **{key: 0.5}).to_json()
        assert (changed == settings.to_json()) == (key in unused)
        assert (key in changed) == (key not in unused)


def test_the_scale_counts_where_a_mean_image_is_subtracted_and_std_elsewhere():
    assert replace(PLAIN, scale=1.0).to_json() != PLAIN.to_json()
    assert replace(NUMBERS, scale=2.0).to_json() == NUMBERS.to_json()
    assert replace(NUMBERS, std=(0.25, 1.0, 1.0)).to_json() != NUMBERS.to_json()
    assert PLAIN.to_json() == {"crop": 0, "mirror": False, "mean": "own", "scale": 64.0}


RESIZED = replace(PLAIN, random_resized_crop=RandomResizedCrop((0.08, 1.0), (0.75, 1.25)))


@pytest.mark.parametrize("preprocessing", [PLAIN, NUMBERS, RESIZED])
@pytest.mark.parametrize(
    "hyperparameters", [SETTINGS, replace(SETTINGS, **LATER), replace(SETTINGS, optimizer="adamw", schedule="cosine")]
)
def test_settings_are_the_same_from_json_and_back(preprocessing, hyperparameters):
    there = Settings("mini_caffenet", preprocessing, hyperparameters).to_json()
    back = Settings.from_json(json.loads(json.dumps(there)))
    assert back.preprocessing == preprocessing
    assert back.to_json() == there


def test_whole_numbers_in_lists_are_the_same_settings():
    content = {"crop": 0, "mirror": False, "mean": [0, 1], "std": [1, 1], "random_resized_crop": False}
    floats = content | {"mean": [0.0, 1.0], "std": [1.0, 1.0]}
    one, other = (json.dumps(Preprocessing.from_json(each).to_json()) for each in (content, floats))
    assert one == other


def rates(**changes) -> list[float]:
    settings: Hyperparameters = replace(SETTINGS, **changes)
    return [settings.rate_at(i) for i in range(settings.iterations)]


@pytest.mark.parametrize("schedule", ["cosine", "step", "constant"])
def test_the_rate_rises_and_then_falls_as_over_the_iterations_left(schedule):
    with_warmup = rates(schedule=schedule, warmup_iterations=4, iterations=30)
    assert with_warmup[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert with_warmup[4:] == rates(schedule=schedule, iterations=26)
    assert len(with_warmup) == 30
