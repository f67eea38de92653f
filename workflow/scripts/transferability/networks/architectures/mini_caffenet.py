"""The paper's network, scaled to small images."""

from torch import nn

from transferability.networks.architecture import Architecture, he_normal
from transferability.networks.architectures._scaled_caffenet import scaled_caffenet

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")


def mini_caffenet(image_shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """The paper's network scaled to images of 24 to 32 pixels: same order of layers, no batch norm, no dropout."""
    return scaled_caffenet(LAYERS, image_shape, (16, 32, 48, 48, 32), 128, classes)


ARCHITECTURE = Architecture(mini_caffenet, he_normal, smallest_side=7)
