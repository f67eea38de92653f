"""Models of any shape are cut into layers: equal to the bit, with their own names, or refused with a reason."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.networks import own_networks
from transferability.networks.build import build_network
from transferability.networks.copying import training_mode
from transferability.networks.cut_points import chosen_cuts, explore
from transferability.networks.cuts import cut_into_layers
from transferability.networks.describe import describe
from transferability.networks.layer_plan import layer_plans
from transferability.networks.layered import layered
from transferability.networks.library import build_model
from transferability.networks.self_check import check_cuts
from transferability.networks.tracing import CutError

OWN = str(Path(own_networks.__file__))
GRAY = (16, 16, 1)
# By name, the side of its images; the larger families take seconds to build.
FAMILIES = {
    "torchvision/resnet18": 32,
    "timm/vit_tiny_patch16_224": 64,
    "torchvision/squeezenet1_0": 64,
    "torchvision/shufflenet_v2_x0_5": 64,
}
MORE_FAMILIES = {
    "torchvision/alexnet": 64,
    "torchvision/resnext50_32x4d": 32,
    "torchvision/densenet121": 32,
    "torchvision/mobilenet_v2": 32,
    "torchvision/mobilenet_v3_small": 32,
    "torchvision/efficientnet_b0": 32,
    "torchvision/regnet_y_400mf": 32,
    "torchvision/mnasnet0_5": 64,
    "torchvision/convnext_tiny": 32,
    "torchvision/swin_t": 64,
    "timm/vgg11": 32,
    "timm/swin_tiny_patch4_window7_224": 64,
    "timm/mixer_s16_224": 64,
    "timm/efficientnet_b0": 32,
}
EVERY_FAMILY = [*FAMILIES.items(), *(pytest.param(*item, marks=pytest.mark.slow) for item in MORE_FAMILIES.items())]


def model_of(architecture, shape, classes=7):
    return build_model(architecture, {}, shape, classes, "seed")


def own(name, classes=3):
    return model_of(f"{OWN}:{name}", GRAY, classes)


@pytest.mark.parametrize(("architecture", "side"), EVERY_FAMILY)
@pytest.mark.parametrize("cuts", ["stages", "blocks"])
def test_layers_are_the_model(architecture, side, cuts):
    shape = (side, side, 3)
    model = model_of(architecture, shape)
    names = chosen_cuts(architecture, model, explore(model, shape)[1], cuts)
    network = layered(model_of(architecture, shape), names, shape, 7)
    assert len(network) == len(names) + 1 >= 5
    assert network.state_dict().keys() == model.state_dict().keys()
    for images in (1, 3):
        batch = torch.randn(images, 3, side, side)
        assert torch.equal(model.eval()(batch), network.eval()(batch))
    # As in training, with the same random numbers; batch norm's statistics move alike.
    outputs = []
    for trained in (model.train(), network.train()):
        torch.manual_seed(1)
        outputs.append(trained(batch))
    assert torch.equal(*outputs)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in network.state_dict().items())
    check_cuts(model, network, names, shape)


@pytest.mark.parametrize(
    ("architecture", "stages"),
    [
        ("torchvision/resnet18", ["maxpool", "layer1", "layer2", "layer3", "layer4"]),
        ("timm/resnet18", ["maxpool", "layer1", "layer2", "layer3", "layer4"]),
        ("torchvision/mobilenet_v2", [f"features.{number}" for number in range(19)]),
        ("timm/vit_tiny_patch16_224", ["patch_embed", "blocks.3", "blocks.7", "norm"]),
        pytest.param(
            "torchvision/alexnet",
            ["features.2", "features.5", "features.7", "features.9", "features.12", "classifier.2", "classifier.5"],
            marks=pytest.mark.slow,  # the paper's seven
        ),
    ],
)
def test_stages_are_those_that_people_speak_of(architecture, stages):
    shape = (64, 64, 3)
    model = model_of(architecture, shape)
    assert chosen_cuts(architecture, model, explore(model, shape)[1], "stages") == stages


def test_a_checkpoint_of_layers_loads_into_the_model():
    shape = (32, 32, 3)
    network = layered(model_of("torchvision/resnet18", shape), ["layer1"], shape, 7)
    model_of("torchvision/resnet18", shape).load_state_dict(network.state_dict())


@pytest.mark.parametrize(
    ("architecture", "cuts", "why"),
    [
        ("torchvision/densenet121", ["features.denseblock1.denselayer1"], "features.pool0 crosses it too"),
        ("torchvision/resnet18", ["layer1.0.conv1"], "layer1.0.conv1 is not a cut point: the output of maxpool"),
        ("torchvision/resnet18", ["layr1"], "no module 'layr1'; the nearest names are layer1"),
        ("torchvision/resnet18", ["layer2", "layer1"], "layer1 does not come after layer2"),
        ("torchvision/resnet18", ["layer1", "fc"], "nothing is above fc"),
        ("torchvision/googlenet", ["conv1"], "aux1 is used only in training"),
        ("torchvision/resnet19", ["layer1"], "torchvision has no classifier 'resnet19'; did you mean resnet18"),
        ("timm/vit_tinny", ["norm"], "timm has no model 'vit_tinny'"),
        (f"{OWN}:Auxiliary", ["conv"], "second_head is used only in training"),
        (f"{OWN}:TwoHeads", ["conv"], "it returns 2 results, not one tensor of B x classes; return the logits"),
        (f"{OWN}:Named", ["conv"], "it returns a dict, not one tensor of B x classes"),
        (f"{OWN}:Branching", ["conv"], "its forward cannot be traced"),
        (f"{OWN}:OneBlockLooks", ["block1.conv"], r"block1\.forward cannot be traced"),
        (f"{OWN}:ForLargerImages", ["conv"], r"conv\.1 fails on images of 16 x 16 pixels"),
        pytest.param(
            "torchvision/inception_v3",
            ["Mixed_5b"],
            "AuxLogits is used only in training, like an auxiliary head",
            marks=pytest.mark.slow,  # it draws its weights for long
        ),
        (f"{OWN}:Tied", ["middle"], "conv.* is used both below middle and above it"),
        (f"{OWN}:Tied", ["conv"], "conv is called more than once"),
        (f"{OWN}:Unused", ["conv"], "spare.weight does not affect the logits"),
        (f"{OWN}:Maps", ["conv"], "it returns B x 10 x 14 x 14 for 10 classes"),
        (f"{OWN}:FromNumpy", ["conv"], "conv draws from Python's or NumPy's generator"),
        (f"{OWN}:RandomInEvaluation", ["conv"], "conv draws random numbers in evaluation"),
        (f"{OWN}:drawn_by_numpy", ["conv"], "fc.bias is drawn anew each time"),
        (f"{OWN}:seeded_by_itself", ["conv"], "conv.weight is the same whatever the seed"),
        (f"{OWN}:built_once", ["conv"], "returns the same module again"),
        (f"{OWN}:OfAnOrder", ["conv"], "with the same weights it gives other logits"),
        (f"{OWN}:SkippingItself", ["conv"], "its forward draws random numbers itself"),
        (f"{OWN}:FromItsOwn", ["conv"], "conv gives another result the second time"),
        (f"{OWN}:OtherStatistics", ["conv"], "noise keeps statistics that are not batch norm's"),
        (f"{OWN}:Viewing", ["conv"], "fc fails on channels-last images: view size is not compatible"),
        (f"{OWN}:UnusedInTheHead", ["conv"], "fc.spare does not affect the logits"),
        (f"{OWN}:not_a_module", ["conv"], "returns a int, not a torch.nn.Module"),
        (f"{OWN}:Droping", ["conv"], "has no callable 'Droping'; did you mean Dropping"),
    ],
)
def test_what_cannot_be_studied_is_refused_by_name(architecture, cuts, why):
    side = 299 if "inception" in architecture else 64
    shape = GRAY if architecture.startswith(OWN) else (side, side, 3)
    with pytest.raises(CutError, match=why) as refused:
        describe(architecture, {}, cuts, shape)
    assert len(str(refused.value).splitlines()) == 1


def test_what_is_unusual_and_right_is_studied():
    assert describe(f"{OWN}:Calm", {}, "blocks", GRAY)["cuts"] == ["stem", "block"]
    network = layered(own("Calm"), ["stem", "block"], GRAY, 3)
    assert network.random_layers == {"block"}


def test_a_constant_that_many_blocks_use_is_in_each_of_their_layers():
    found = describe(f"{OWN}:SharingPositions", {}, "blocks", GRAY)
    assert found["cuts"] == ["lower", "middle", "upper"]
    model, network = own("SharingPositions"), layered(own("SharingPositions"), found["cuts"], GRAY, 3)
    assert network.state_dict().keys() == model.state_dict().keys()
    images = torch.randn(2, 1, 16, 16)
    assert torch.equal(model.eval()(images), network.eval()(images))
    network[:2].load_state_dict(network[:2].state_dict())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"in_state": True}, "lower is not a cut point: positions.grid crosses it too"),
        ({"moves": True}, "lower is not a cut point: the result of add_ crosses it too"),
    ],
)
def test_a_buffer_that_is_kept_or_moves_is_in_one_layer_only(options, why):
    with pytest.raises(CutError, match=why):
        describe(f"{OWN}:SharingPositions", options, ["lower"], GRAY)


@pytest.mark.parametrize(
    ("architecture", "options", "why"),
    [
        (
            f"{OWN}:Dropping",
            {"depth": 3},
            r"networks.options: depth is 3, but Dropping.__init__\(\) has no argument depth",
        ),
        (
            "torchvision/resnet18",
            {"depth": 3},
            r"networks.options: depth is 3, but ResNet.__init__\(\) has no argument",
        ),
        ("timm/resnet18", {"depth": 3}, r"networks.options: depth is 3, but ResNet.__init__\(\) has no argument depth"),
        (f"{OWN}:SkippedBlock", {}, r"SkippedBlock.__init__\(\) has no argument num_classes; add it, for the study"),
        (f"{OWN}:OfAWidth", {}, r"OfAWidth.__init__\(\) has arguments without a default: 'width'; give them in netw"),
    ],
)
def test_arguments_that_do_not_fit_are_told_by_name(architecture, options, why):
    with pytest.raises(CutError, match=f"^{why}"):
        describe(architecture, options, "stages", (32, 32, 3))


@pytest.mark.parametrize(
    ("network", "shape", "why"),
    [
        (
            "Overwriting",
            (16, 16, 3),
            "conv takes images of 1 channel, but those of this study have 3; .*, or set channels: 1",
        ),
        (
            "InColor",
            GRAY,
            r"layers\.0 takes images of 3 channels, but those of this study have 1; let the network take imag",
        ),
        ("OnPixels", (16, 16, 3), r"fc takes images of 1 channel, but those of this study have 3"),
    ],
)
def test_images_of_other_channels_than_the_networks_are_told(network, shape, why):
    with pytest.raises(CutError, match=f"^{why}"):
        describe(f"{OWN}:{network}", {}, "blocks", shape)


def test_the_weights_of_attention_are_counted():
    """A block has four products with its width squared, and eight in its MLP."""
    tokens, width = 1 + 4, 768
    found = describe("torchvision/vit_b_16", {}, ["conv_proj", "encoder.layers.encoder_layer_0"], (32, 32, 3))
    assert found["operations"][1] == 2 * tokens * width * 12 * width


def test_random_layers_are_found_by_trying():
    network = layered(own("Dropping"), ["stem", "block1", "block2"], GRAY, 3)
    assert network.random_layers == {"block1", "block2", "fc"}
    before = own("Dropping").state_dict()
    assert all(
        torch.equal(before[name], tensor) for name, tensor in network.state_dict().items()
    )  # a trial moves nothing


def test_a_functional_dropout_drops_in_training_only():
    network = layered(own("Dropping"), ["block2"], GRAY, 3)
    head, features = network[1], torch.ones(2, 6, 8, 8)
    assert torch.equal(head.eval()(features), head(features))
    assert not torch.equal(head.train()(features), head.eval()(features))


def test_a_dropout_that_is_used_everywhere_rests_in_frozen_layers_only():
    network = layered(own("OneDropout"), ["lower", "upper"], GRAY, 3)
    training_mode(network, *layer_plans("A", 1, 1, 3))
    inputs = torch.ones(64, 1, 16, 16), torch.ones(64, 4, 14, 14), torch.ones(64, 4, 12, 12)
    dropped = [not torch.equal(layer(given), layer(given)) for layer, given in zip(network, inputs, strict=True)]
    assert dropped == [False, True, True]


def test_what_siblings_share_is_not_overwritten():
    network = layered(own("Overwriting"), ["conv"], GRAY, 3)
    features = -torch.ones(2, 4, 14, 14)
    for training in (True, False):
        network[1].train(training)(features)
        assert torch.equal(features, -torch.ones(2, 4, 14, 14))


def test_gray_images_are_seen_in_color_by_networks_of_three_channels():
    network = build_network("torchvision/resnet18", GRAY, 3, 0, cuts=["layer1"]).eval()
    model = build_model("torchvision/resnet18", {}, (16, 16, 3), 3, 0).eval()
    images = torch.randn(2, *GRAY[2:], 16, 16)
    assert torch.equal(network(images), model(images.repeat(1, 3, 1, 1)))


class TestSelfCheck:
    class Leaking(nn.Module):
        """Remembers its images beside what it returns, which no graph shows."""

        def __init__(self):
            super().__init__()
            self.lower, self.upper = TestSelfCheck.Lower(), TestSelfCheck.Upper()
            self.upper.lower = [self.lower]

        def forward(self, x):
            return self.upper(self.lower(x))

    class Lower(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3)

        def forward(self, x):
            self.seen = x
            return self.conv(x)

    class Upper(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(x.mean((2, 3)) + self.lower[0].seen.mean())

    def test_a_leak_past_a_cut_is_found_by_running(self):
        model = self.Leaking()
        network = nn.Sequential(*cut_into_layers(model, ["lower"], GRAY))
        with pytest.raises(CutError, match="lower is not a cut point: logits change with the image"):
            check_cuts(model, network, ["lower"], GRAY)

    def test_a_parameter_on_the_wrong_side_is_found_by_its_gradient(self):
        class Hidden(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.fc = nn.Conv2d(1, 4, 3), TestSelfCheck.Scaled()

            def forward(self, x):
                return self.fc(functional.relu(self.conv(x)))

        model = Hidden()
        network = nn.Sequential(*cut_into_layers(model, ["conv"], GRAY))
        check_cuts(model, network, ["conv"], GRAY)  # all is well
        network[0].add_module("fc", model.fc)
        with pytest.raises(CutError, match="scale is on the other side"):
            check_cuts(model, network, ["conv"], GRAY)

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4, 3))

        def forward(self, x):
            return x.mean((2, 3)) @ self.scale


def test_a_description_counts_parameters_operations_and_shapes():
    found = describe(f"{OWN}:Dropping", {"width": 8}, ["stem", "block1"], GRAY)
    assert found["layers"] == ["stem", "block1", "fc"]
    assert found["parameters"] == [8 * 9 + 8, 8 * 8 * 9 + 16, 8 * 8 * 9 + 16 + 32 * 10 + 10]
    assert found["operations"] == [2 * 8 * 9 * 64, 2 * 8 * 8 * 9 * 64, 2 * 8 * 8 * 9 * 64 + 2 * 32 * 10]
    assert found["shapes"] == [[8, 8, 8], [8, 8, 8], [10]]
    assert {point["name"]: bool(point["why_not"]) for point in found["points"]} == {
        "stem": False,
        "block1": False,
        "block2": False,
    }
