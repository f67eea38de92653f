"""The paper's network for small images, of any width."""

from collections.abc import Sequence

from torch import nn

from transferability.networks.architecture import named_layers, relu


def scaled_caffenet(
    names: Sequence[str], image_shape: tuple[int, int, int], channels: Sequence[int], units: int, classes: int
) -> nn.Sequential:
    """Five convolutions and three linear layers, as in the paper, without batch norm, dropout or pooling after conv5.

    Args:
        names: of its eight layers.
        image_shape: height, width and channels of its images; both sides at least 7 pixels.
        channels: number of channels of the five convolutions' outputs.
        units: number of units of fc6 and of fc7.
        classes: number of its logits.
    """
    height, width, colors = image_shape
    one, two, three, four, five = channels
    features = five * (-(-height // 2) // 4) * (-(-width // 2) // 4)
    return named_layers(
        names,
        nn.Sequential(nn.Conv2d(colors, one, 5, stride=2, padding=2), nn.MaxPool2d(2), relu()),
        nn.Sequential(nn.Conv2d(one, two, 3, padding=1), nn.MaxPool2d(2), relu()),
        nn.Sequential(nn.Conv2d(two, three, 3, padding=1), relu()),
        nn.Sequential(nn.Conv2d(three, four, 3, padding=1), relu()),
        nn.Sequential(nn.Conv2d(four, five, 3, padding=1), relu()),
        nn.Sequential(nn.Flatten(), nn.Linear(features, units), relu()),
        nn.Sequential(nn.Linear(units, units), relu()),
        nn.Sequential(nn.Linear(units, classes)),
    )
