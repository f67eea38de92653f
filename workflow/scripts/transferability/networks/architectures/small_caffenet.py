"""The paper's network for small images, about three times as wide as mini_caffenet."""

from torch import nn

from transferability.networks.architecture import Architecture, he_normal
from transferability.networks.architectures._scaled_caffenet import scaled_caffenet

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")


def small_caffenet(image_shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """mini_caffenet's layers, wide enough to overfit some ten thousand images of 28 to 64 pixels."""
    return scaled_caffenet(LAYERS, image_shape, (48, 96, 128, 128, 96), 512, classes)


ARCHITECTURE = Architecture(small_caffenet, he_normal, smallest_side=7)
