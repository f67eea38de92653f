"""What is reported about modules within blocks agrees with what happens when cutting after them."""

from pathlib import Path

import pytest

from tests.networks import own_networks
from transferability.networks.cuts import cut_into_layers
from transferability.networks.library import build_model
from transferability.networks.tracing import CutError
from transferability.networks.within_blocks import within_blocks

OWN = str(Path(own_networks.__file__))
GRAY = (16, 16, 1)


def model_of(architecture, shape):
    return build_model(architecture, {}, shape, 7, "seed")


def by_name(architecture, shape):
    return {block.name: block for block in within_blocks(model_of(architecture, shape), shape)}


@pytest.mark.parametrize(
    ("architecture", "side", "some"),
    [
        ("torchvision/resnet18", 32, ("layer1.1", "layer2.0")),
        ("torchvision/mobilenet_v2", 32, ("features.2", "features.3")),
        ("timm/vit_tiny_patch16_224", 32, ("patch_embed", "blocks.3")),
        (f"{OWN}:Dropping", 16, ("block1", "block2")),
    ],
)
def test_a_part_can_be_cut_behind_if_nothing_is_said_against_it(architecture, side, some):
    shape = GRAY if architecture.startswith(OWN) else (side, side, 3)
    blocks = by_name(architecture, shape)
    tried = [(f"{name}.{part}", why) for name in some for part, why in blocks[name].why_not.items()]
    assert tried
    for name, why_not in tried:
        refused = ""
        try:
            cut_into_layers(model_of(architecture, shape), [name], shape)
        except CutError as error:
            refused = str(error)
        assert bool(refused) == bool(why_not), (name, why_not, refused)


def test_what_crosses_is_said_as_seen_from_the_block():
    blocks = by_name("torchvision/resnet18", (32, 32, 3))
    given = "what the block is given crosses too"
    plain = {"conv1": given, "bn1": given, "relu": "called more than once", "conv2": given, "bn2": given}
    assert blocks["layer1.0"].why_not == plain == blocks["layer4.1"].why_not
    assert blocks["layer2.0"].why_not == plain | dict.fromkeys(("downsample", "downsample.0", "downsample.1"), given)
    assert blocks.keys() == {f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)}


def test_the_second_half_of_a_transformer_block_has_another_shortcut():
    why_not = by_name("timm/vit_tiny_patch16_224", (32, 32, 3))["blocks.0"].why_not
    assert why_not["attn"] == "what the block is given crosses too"
    assert why_not["mlp"] == "an intermediate result crosses too"


def test_a_block_that_cannot_be_looked_into_says_so_and_hides_no_other():
    blocks = by_name(f"{OWN}:OneBlockLooks", GRAY)
    assert "block1.forward cannot be traced" in blocks["block1"].refused
    assert not blocks["block1"].why_not
    assert blocks["block2"].why_not["conv"] == "what the block is given crosses too"


def test_weights_that_are_used_above_too_are_named():
    assert by_name(f"{OWN}:Shared", GRAY)["block"].why_not["first"] == "block.first.weight is used above too"
