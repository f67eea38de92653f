"""How much target data: which networks on few images a config asks for, and what affects them."""

import copy

import pytest

from tests.support import DEFAULT
from transferability.study.design import read_study
from transferability.study.names import Network
from transferability.study.schema import ConfigError


def config_of(amounts, training=None, **networks):
    config = copy.deepcopy(DEFAULT) | {"splits": ["random0"]}
    config["networks"] |= {"examples_per_class": amounts, "depths": [1, 4]} | networks
    config["training"] |= training or {}
    return config


def jobs(study, split="random0"):
    """The jobs, by the first network of each."""
    return [job[0].name for of, seed, job in study.jobs() if of == split and seed == study.seeds[0]]


def test_each_treatment_is_trained_on_each_amount_the_fewest_first():
    study = read_study(config_of(["all", 20, 5], treatments=["selffer", "transfer+"]))
    assert jobs(study) == [
        *("baseA_images5", "baseB_images5", "baseA_images20", "baseB_images20", "baseA", "baseB"),
        *("A1A_images5", "B1B_images5", "B1A+_images5", "A1B+_images5"),
        *("A1A_images20", "B1B_images20", "B1A+_images20", "A1B+_images20"),
        *("A1A", "B1B", "B1A+", "A1B+"),
    ]


@pytest.mark.parametrize(
    ("treatments", "bases"),
    [
        (["transfer"], {"baseA", "baseB", "baseA_images5", "baseB_images5"}),
        (["selffer", "random"], {"baseA_images5", "baseB_images5"}),
    ],
)
def test_bases_on_all_images_are_trained_where_transfer_copies_from_them(treatments, bases):
    study = read_study(config_of([5], treatments=treatments))
    assert {name for name in jobs(study) if name.startswith("base")} == bases


@pytest.mark.parametrize(
    "name", ["B4B_images5", "A4B_images5", "A4B", "B1B+_images20", "R4B_images20", "baseA_images5"]
)
def test_what_a_network_copies_from_is_trained_in_a_job_of_the_same_study(name):
    study = read_study(config_of([5, 20, "all"]))
    networks = {network.name: network for network in study.networks_of("random0")}
    network = networks[name]
    assert network.compared_with.name in networks
    assert network.base is None or network.base.name in networks


def test_reduced_bases_are_compared_with_one_on_all_images_and_need_no_other():
    study = read_study(config_of([5], treatments=["selffer"], reduced=[2, 4]))
    assert jobs(study, "whole") == ["basewhole", "reduced2", "reduced4"]


def test_the_whole_set_as_a_target_has_every_amount():
    study = read_study(config_of([5, "all"], treatments=["selffer"]) | {"splits": ["whole"]})
    assert jobs(study, "whole") == ["basewhole_images5", "basewhole", "whole1whole_images5", "whole1whole"]


def test_rules_are_of_an_amount_each_and_name_the_networks_of_their_jobs():
    study = read_study(config_of([20, "all"], treatments=["selffer", "transfer+"], preserve=[2]))
    rules = {rule.name: rule for rule in study.training_rules}
    assert rules["train_base_images20"].networks == ("base{target}_images20",)
    few = rules["train_frozen_images20_n1_to_4"]
    assert (few.networks, few.few) == (("{source}1{target}_images20", "{source}4{target}_images20"), 20)
    assert few.job == "{source}1-4{target}_images20"
    assert rules["train_frozen_n1_to_4"].few is None
    assert {"train_frozen_preserve2_images20_n1_to_4", "train_fine_tuned_images20_n1_to_4"} <= rules.keys()


def test_all_images_alone_are_the_study_that_it_was():
    assert DEFAULT["networks"]["examples_per_class"] == ["all"]
    study = read_study(config_of(["all"]))
    assert not any(network.is_on_few for _, _, network in study.networks())
    assert not study.has_few


@pytest.mark.parametrize("few_images", ["iterations", "epochs"])
def test_epochs_shape_networks_on_few_images_and_no_others(few_images):
    study = read_study(config_of([5, "all"], {"few_images": few_images}, reduced=[3]))
    for name in ("baseB", "A4B", "A4B+", "reduced3"):
        network = Network.parse(name)
        assert study.settings_of(network).to_json() == study.settings(network.stage).to_json()
        assert "few_images" not in study.asked_of("random0", network)["hyperparameters"]
    for name in ("baseB_images5", "A4B_images5", "B4B+_images5"):
        asked = study.asked_of("random0", Network.parse(name))["hyperparameters"]
        assert asked.get("few_images", "iterations") == few_images


def test_iterations_by_the_share_of_the_images_are_rounded_and_at_least_two():
    study = read_study(
        config_of([5], {"few_images": "epochs", "iterations": 90, "warmup_iterations": 30, "step_every": 20})
    )
    settings = study.settings_of(Network.parse("baseB_images5")).hyperparameters
    found = settings.on_share(50, 300)
    assert (found.iterations, found.warmup_iterations, found.step_every, found.evaluate_every) == (15, 5, 3, 7)
    found = settings.on_share(1, 1000)
    assert (found.iterations, found.warmup_iterations, found.step_every) == (2, 0, 1)
    assert found.evaluates_after(2)
    assert settings.on_share(300, 300) == settings


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        ([], "networks.examples_per_class: is empty; give at least one"),
        ([0], "networks.examples_per_class[0]: is 0; it must be at least 1"),
        (["most"], "networks.examples_per_class[0]: is 'most'; it must be all, or a number of images"),
        (["20"], "it must be all, or a number of images; write it as 20"),
        ([5, 5], "networks.examples_per_class: 5 appears twice"),
        (
            [5, 151],
            "networks.examples_per_class: asks for 151 images per class, but random0 has 150 training images of",
        ),
    ],
)
def test_what_is_no_amount_is_refused(amounts, told):
    with pytest.raises(ConfigError) as error:
        read_study(config_of(amounts))
    assert told in str(error.value)


def test_halves_by_images_have_half_of_them():
    config = config_of([76]) | {"splits": [{"name": "images0", "by": "images"}]}
    with pytest.raises(ConfigError, match="asks for 76 images per class, but images0 has 75 training images"):
        read_study(config)


@pytest.mark.parametrize(
    ("data_set", "there"),
    [
        ({"kind": "torchvision", "set": "cifar100", "folder": "data"}, 500),
        ({"kind": "folder", "root": "nowhere", "size": 24, "images_per_class": 30}, 30),
    ],
)
def test_images_are_as_many_as_official_sets_or_settings_have(data_set, there):
    config = config_of([there + 1, "all"]) | {"dataset": "mine", "datasets": {"mine": data_set}}
    told = (
        f"asks for {there + 1} images per class, but random0 has {there} training images of each class; ask for no more"
    )
    with pytest.raises(ConfigError, match=told):
        read_study(config)
    config["networks"]["examples_per_class"] = [there, "all"]
    assert read_study(config).amounts == (there, None)


def test_whole_numbers_are_numbers_of_images():
    assert read_study(config_of([5.0, "all"])).amounts == (5, None)
