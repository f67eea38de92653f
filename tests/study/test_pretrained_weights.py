"""What a study knows about published weights: where they are, what is refused, and what images they are for."""

import json
import os

import pytest
import torch
from safetensors.torch import save_file

from tests.networks import own_networks
from tests.support import DEFAULT
from transferability.files import sha256_of
from transferability.networks.build import build_network
from transferability.networks.published import published
from transferability.networks.weight_files import METADATA, write_weights
from transferability.study.design import read_study
from transferability.study.names import Network
from transferability.study.pretrained_weights import notes_on
from transferability.study.schema import ConfigError

pytestmark = pytest.mark.usefixtures("described_in_process")
TREATMENTS = ["selffer", "pretrained", "pretrained+"]
CUTS = ["stem", "block1", "block2"]
NUMBERS = {"mean": [0.25], "std": [0.5]}


@pytest.fixture
def weights():
    return build_network("mini_caffenet", (24, 24, 1), 5, "published").state_dict()


@pytest.fixture
def config_of(tmp_path):
    def config_of(pretrained, preprocessing=(), **networks):
        chosen = {"pretrained": str(pretrained), "treatments": TREATMENTS, "depths": "all", **networks}
        places = {"results": str(tmp_path / "results"), "stores": str(tmp_path / "stores"), "splits": ["whole"]}
        return (
            DEFAULT
            | places
            | {"networks": DEFAULT["networks"] | chosen}
            | {"preprocessing": DEFAULT["preprocessing"] | dict(preprocessing)}
        )

    return config_of


def test_the_networks_and_the_rules_of_their_own(config_of, weights, tmp_path):
    torch.save(weights, tmp_path / "weights.pth")
    study = read_study(config_of("weights.pth"), beside=[tmp_path])
    names = {network.name for _, _, network in study.networks()}
    assert {"basewhole", "whole1whole", "P1whole", "P7whole", "P1whole+"} <= names
    rules = {rule.name: rule for rule in study.training_rules if rule.stage != "base"}
    assert rules["train_frozen_pretrained_n1_to_7"].networks == tuple(f"P{n}{{target}}" for n in range(1, 8))
    assert [rule.is_pretrained for name, rule in rules.items() if "pretrained" in name] == [True, True]
    assert study.weights.file == tmp_path / "weights.pth"


def test_only_their_networks_have_the_files_checksum(config_of, weights, tmp_path):
    torch.save(weights, tmp_path / "weights.pth")
    study = read_study(config_of(tmp_path / "weights.pth"))
    asked = study.asked_of("whole", Network.parse("P1whole"))
    assert asked["source_sha256"] == sha256_of(tmp_path / "weights.pth")
    others = [study.asked_of("whole", Network.parse(name)) for name in ("whole1whole", "basewhole")]
    without = read_study(config_of("", treatments=["selffer"]))
    assert others == [without.asked_of("whole", Network.parse(name)) for name in ("whole1whole", "basewhole")]


def test_a_replaced_file_outdates_their_networks_and_no_others(config_of, weights, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(weights, path)
    study = read_study(config_of(path))
    made = {
        name: study.asked_of("whole", Network.parse(name))
        for name in ("P1whole", "P1whole+", "whole1whole", "basewhole")
    }
    torch.save({name: tensor + 1 for name, tensor in weights.items()}, path)
    os.utime(path, ns=(1, 1))  # older than before
    now = read_study(config_of(path))
    current = {name for *_, name in now.current({("whole", 0, name): {"made_from": of} for name, of in made.items()})}
    assert current == {"whole1whole", "basewhole"}


@pytest.mark.parametrize(
    ("networks", "why"),
    [
        ({"pretrained": ""}, "networks.pretrained: is empty, but networks.treatments has pretrained"),
        (
            {"pretrained": "weights.pth", "treatments": ["selffer"]},
            "no treatment copies from it; add pretrained to networks.treatments",
        ),
        (
            {"pretrained": "", "treatments": ["pretrained_surgical"]},
            "networks.pretrained: is empty, but networks.treatments has pretrained_surgical",
        ),
        ({"pretrained": "nowhere.pth", "treatments": ["pretrained_truncated"]}, "there is no file .*nowhere.pth"),
        ({"pretrained": "nowhere.pth"}, "networks.pretrained: there is no file .*nowhere.pth or nowhere.pth"),
        (
            {"pretrained": "torchvision:IMAGENET1K_V1"},
            "are weights of torchvision's networks, but networks.architecture is mini_caffenet",
        ),
        ({"pretrained": "timm:best", "architecture": "timm/resnet18"}, "for timm it is timm:pretrained"),
        (
            {"pretrained": "torchvision:IMAGENET1K_V9", "architecture": "torchvision/resnet18"},
            "torchvision has no weights 'IMAGENET1K_V9' for resnet18; it has IMAGENET1K_V1",
        ),
        ({"pretrained": "weights.pth", "architecture": "caffenet"}, "weights.pth: it does not fit the network: "),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(networks, why, config_of, weights, tmp_path):
    torch.save(weights, tmp_path / "weights.pth")
    config = config_of(**networks)
    if networks.get("architecture") == "caffenet":
        config["datasets"] = {"glyphs": config["datasets"]["glyphs"] | {"size": 227}}
    with pytest.raises(ConfigError, match=why):
        read_study(config, beside=[tmp_path])


def test_the_mean_that_the_weights_say_is_that_of_every_network(config_of, weights, tmp_path):
    path = tmp_path / "weights.safetensors"
    write_weights(path, weights, {"preprocessing": NUMBERS})
    study = read_study(config_of(path, {"mean": "pretrained"}))
    assert {(one.preprocessing.mean, one.preprocessing.std) for one in study.stages.values()} == {((0.25,), (0.5,))}
    assert read_study(study.config).config == study.config
    assert not [note for note in notes_on(study.weights, study.config["preprocessing"]) if "DIFFER" in note]


def test_gray_images_beside_color_ones_take_the_mean_of_color(config_of, tmp_path):
    """The network sees color, whichever of the two the config's ``dataset`` is."""
    path, numbers = tmp_path / "weights.safetensors", {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    color = build_network("mini_caffenet", (28, 28, 3), 5, "published").state_dict()
    write_weights(path, color, {"preprocessing": numbers})
    of_two = {
        "dataset": "fashion_mnist",
        "datasets": {
            name: {"kind": "torchvision", "set": name, "folder": "data"} for name in ("fashion_mnist", "cifar10")
        },
        "splits": [{"name": "both", "A": {"dataset": "cifar10"}, "B": {"dataset": "fashion_mnist"}}],
    }
    study = read_study(config_of(path, {"mean": "pretrained", "crop": 28}) | of_two)
    assert study.settings("base").preprocessing.mean == (0.1, 0.2, 0.3)


def test_the_mean_image_of_a_half_of_another_split_is_not_known_here(config_of, weights, tmp_path):
    path = tmp_path / "weights.safetensors"
    about = {"preprocessing": {"crop": 0, "mirror": True, "mean": "A", "scale": 32.0}}
    save_file({name: t.contiguous() for name, t in weights.items()}, path, {METADATA: json.dumps(about)})
    told = "was trained on images minus the mean image of half A of their split, divided by 32, and that image is not "
    with pytest.raises(ConfigError, match=told):
        read_study(config_of(path, {"mean": "pretrained"}))
    study = read_study(config_of(path))
    (note,) = notes_on(study.weights, study.config["preprocessing"])
    assert (
        "its images: minus the mean image of half A of their split, divided by 32; those of this study DIFFER" in note
    )


def test_a_checkpoint_of_ours_says_its_mean_image(config_of, weights, tmp_path):
    path = tmp_path / "weights.safetensors"
    about = {"preprocessing": {"crop": 0, "mirror": True, "mean": "whole", "scale": 32.0}}
    save_file({name: t.contiguous() for name, t in weights.items()}, path, {METADATA: json.dumps(about)})
    study = read_study(config_of(path, {"mean": "pretrained"}))
    found = study.settings("base").preprocessing
    assert (found.mean, found.scale, found.mirror) == ("whole", 32.0, False)


def test_another_mean_than_the_weights_is_told(config_of, weights, tmp_path):
    path = tmp_path / "weights.safetensors"
    write_weights(path, weights, {"preprocessing": NUMBERS})
    study = read_study(config_of(path))
    (note,) = notes_on(study.weights, study.config["preprocessing"])
    assert "minus 0.25, divided by 0.5; those of this study DIFFER: minus the mean image (own), divided by 64" in note


@pytest.mark.parametrize(
    ("about", "preprocessing", "why"),
    [
        ({}, {"mean": "pretrained"}, "does not say how its images were prepared; give mean and std as lists"),
        (
            {"preprocessing": NUMBERS},
            {"mean": "pretrained", "std": [0.5]},
            r"preprocessing.std: is \[0.5\], but mean is pretrained, which comes with std",
        ),
    ],
)
def test_a_mean_that_cannot_be_known_is_refused(about, preprocessing, why, config_of, weights, tmp_path):
    path = tmp_path / "weights.safetensors"
    write_weights(path, weights, about)
    with pytest.raises(ConfigError, match=why):
        read_study(config_of(path, preprocessing))


def test_a_mean_of_weights_takes_weights(config_of):
    with pytest.raises(ConfigError, match=r"is pretrained, but networks\.pretrained names no weights"):
        read_study(config_of("", {"mean": "pretrained"}, treatments=["selffer"]))


def test_what_is_downloaded_is_described_beforehand(config_of):
    study = read_study(
        config_of("torchvision:IMAGENET1K_V1", {"mean": "pretrained"}, architecture="torchvision/resnet18")
    )
    assert study.weights.is_downloaded
    assert study.weights.sha256 is None
    assert study.weights.file.parent == study.folder.parent / "pretrained"
    assert study.settings("base").preprocessing.mean == (pytest.approx((0.485 + 0.456 + 0.406) / 3),)
    found = published("torchvision:IMAGENET1K_V1", "torchvision/resnet18", {}, (64, 64, 3))
    assert found.preprocessing == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    assert found.address.endswith(".pth")


def test_without_a_network_it_is_said_which_file_to_fetch(tmp_path, monkeypatch):
    found = published("torchvision:IMAGENET1K_V1", "torchvision/resnet18", {}, (64, 64, 3))

    def unreachable(*_arguments, **_more):
        raise OSError("no route to host")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", unreachable)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(ValueError, match=r"cannot be downloaded \(no route to host\); where .*fetch https://\S+\.pth"):
        found.save(tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_network_of_a_file_takes_weights_too(config_of, tmp_path):
    architecture = f"{own_networks.__file__}:Dropping"
    model = own_networks.Dropping(num_classes=3, image_shape=(24, 24, 1))
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    study = read_study(config_of(tmp_path / "weights.pth", architecture=architecture, cuts=CUTS))
    assert study.config["networks"]["depths"] == [1, 2, 3]
