"""Published weights: read without running code, fitted to a network except for its head, or refused by name."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from transferability.networks.build import build_network
from transferability.networks.pretrained import describe_weights, pretrained_weights
from transferability.networks.published import published
from transferability.networks.weight_files import WeightsError, read_weights

SHAPE, ARCHITECTURE = (16, 16, 1), "mini_caffenet"


def network(classes, *seed):
    return build_network(ARCHITECTURE, SHAPE, classes, *seed)


@pytest.fixture
def weights():
    return network(7, "published").state_dict()


@pytest.fixture
def saved(tmp_path):
    def saved(content, name="weights.pth"):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return saved


def describe(path):
    return describe_weights(str(path), ARCHITECTURE, SHAPE)


def test_of_another_class_count_all_but_the_head_is_there_to_the_bit(weights, saved):
    found = pretrained_weights(saved(weights), network(3))
    assert found.keys() == network(3)[:-1].state_dict().keys()
    assert not {name for name in found if name.startswith("fc8")}
    assert all(torch.equal(found[name], weights[name]) for name in found)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod."])
def test_what_a_training_wraps_them_in_is_taken_off(key, prefix, weights, saved):
    wrapped = {key: {prefix + name: tensor for name, tensor in weights.items()}, "epoch": 3}
    assert read_weights(saved(wrapped)).keys() == weights.keys()


@pytest.mark.parametrize("prefix", ["model.", "net.backbone."])
def test_a_module_around_the_network_is_taken_off(prefix, weights, saved):
    path = saved({"state_dict": {prefix + name: tensor for name, tensor in weights.items()}})
    found = pretrained_weights(path, network(3))
    assert all(torch.equal(found[name], weights[name]) for name in found)
    assert describe(path)["unused"] == []


def test_a_module_of_the_network_is_not_taken_for_one_around_it(weights, saved):
    one = {name: tensor for name, tensor in weights.items() if name.startswith("conv1.")}
    with pytest.raises(WeightsError, match=r"lacks conv2\.0\.weight"):
        describe(saved(one))


def test_weights_of_another_architecture_are_told_in_one_sentence(saved):
    with pytest.raises(WeightsError) as told:
        describe(saved(nn.TransformerEncoderLayer(8, 2).state_dict()))
    assert "none of its names is one of the network's: they are self_attn.in_proj_weight, " in str(told.value)
    assert "and the network's conv1.0.weight, conv1.0.bias, conv2.0.weight and so on; another" in str(told.value)
    assert "more" not in str(told.value)


def test_safetensors_are_the_same(weights, saved, tmp_path):
    save_file(weights, tmp_path / "weights.safetensors")
    one, other = read_weights(tmp_path / "weights.safetensors"), read_weights(saved(weights))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_halves_become_whole_numbers_of_bits(weights, saved):
    halves = {name: tensor.half() for name, tensor in weights.items()}
    found = read_weights(saved(halves))
    assert all(tensor.dtype == torch.float32 for tensor in found.values())
    assert all(torch.equal(found[name], halves[name].float()) for name in found)


def test_missing_and_other_names_are_told_with_the_nearest(weights, saved):
    renamed = {name.replace("conv1.0.weight", "conv1.0.wieght"): tensor for name, tensor in weights.items()}
    with pytest.raises(WeightsError, match=r"lacks conv1\.0\.weight, and the nearest names are conv1\.0\.wieght"):
        describe(saved(renamed))
    del weights["conv3.0.bias"]
    with pytest.raises(WeightsError, match=r"lacks conv3\.0\.bias"):
        describe(saved(weights))


def test_shapes_are_told_both(weights, saved):
    own = weights["conv2.0.weight"]
    weights["conv2.0.weight"] = own[:5]
    shapes = [" x ".join(map(str, tensor.shape)) for tensor in (own[:5], own)]
    with pytest.raises(WeightsError, match=rf"its conv2\.0\.weight is {shapes[0]}, the network's {shapes[1]}"):
        describe(saved(weights))


@pytest.mark.parametrize(("channels", "seen", "words"), [(3, 1, "3 channels"), (1, 3, "1 channel")])
def test_weights_for_images_of_other_channels_are_told(channels, seen, words, saved):
    path = saved(build_network(ARCHITECTURE, (16, 16, channels), 7, "published").state_dict())
    told = f"it is for images of {words}, and the network is for {seen}; give weights for {seen}, or a network"
    with pytest.raises(WeightsError, match=rf"its conv1\.0\.weight is .*: {told}"):
        describe_weights(str(path), ARCHITECTURE, (16, 16, seen))


def test_more_layers_within_the_networks_modules_are_refused_and_other_modules_told(weights, saved):
    first = next(iter(weights))
    inside = first.replace(".", ".7.", 1)
    with pytest.raises(WeightsError, match=rf"its {inside} is in no layer of the network"):
        describe(saved({**weights, inside: torch.ones(2)}))
    assert describe(saved({**weights, "projection.weight": torch.ones(2)}))["unused"] == ["projection.weight"]


def test_a_head_of_another_make_does_no_harm(weights, saved):
    head = [name for name in weights if name.startswith("fc8")]
    without = {name: tensor for name, tensor in weights.items() if name not in head}
    parent = head[0].rpartition(".")[0]
    assert describe(saved(without))["unused"] == []
    assert describe(saved({**without, f"{parent}.weight": torch.ones(2, 2)}))["unused"] == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (nn.Linear(2, 2), "cannot be read as weights alone"),
        ([1, 2], "is a list, not a state dict"),
        ({"epoch": 3}, "its 'epoch' is a int, not a tensor"),
        ({}, "has no tensors"),
        ({"a": torch.tensor([1.0, float("nan")])}, "a has numbers that are not finite"),
    ],
)
def test_what_is_no_state_dict_is_refused(content, why, saved):
    with pytest.raises(WeightsError, match=why):
        describe(saved(content))


def test_a_pickle_that_would_run_code_does_not(saved, tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    with pytest.raises(WeightsError, match="objects that would have to run code"):
        describe(saved({"a": Evil()}))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_damaged_files_are_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="damaged"):
        describe(tmp_path / name)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer, not the weights; run git lfs pull"),
        (b"\n<!DOCTYPE html><p>", "it is a web page"),
    ],
)
def test_what_failed_downloads_leave_is_called_what_it_is(content, what, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=what):
        describe(tmp_path / name)


@pytest.mark.parametrize("model", ["googlenet", "inception_v3"])
def test_weights_of_networks_that_prepare_their_images_are_for_networks_that_do(model):
    source, architecture = "torchvision:IMAGENET1K_V1", f"torchvision/{model}"
    with pytest.raises(WeightsError, match="transform_input: true"):
        published(source, architecture, {}, (224, 224, 3))
    assert published(source, architecture, {"transform_input": True}, (224, 224, 3)) is not None
