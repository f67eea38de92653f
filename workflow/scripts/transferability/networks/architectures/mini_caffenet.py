"""The paper's network, scaled to small images."""

from torch import nn

from transferability.networks.architecture import Architecture, he_normal, named, relu

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")


def mini_caffenet(image_shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """The paper's network scaled to images of 24 to 32 pixels: same order of layers, no batch norm, no dropout."""
    height, width, channels = image_shape
    features = 32 * (-(-height // 2) // 4) * (-(-width // 2) // 4)
    return named(
        LAYERS,
        nn.Sequential(nn.Conv2d(channels, 16, 5, stride=2, padding=2), nn.MaxPool2d(2), relu()),
        nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.MaxPool2d(2), relu()),
        nn.Sequential(nn.Conv2d(32, 48, 3, padding=1), relu()),
        nn.Sequential(nn.Conv2d(48, 48, 3, padding=1), relu()),
        nn.Sequential(nn.Conv2d(48, 32, 3, padding=1), relu()),
        nn.Sequential(nn.Flatten(), nn.Linear(features, 128), relu()),
        nn.Sequential(nn.Linear(128, 128), relu()),
        nn.Sequential(nn.Linear(128, classes)),
    )


ARCHITECTURE = Architecture(mini_caffenet, he_normal, smallest_side=7)
