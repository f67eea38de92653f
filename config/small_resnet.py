"""A residual network for images of 24 to 32 pixels, as an example of a network of one's own."""

import torch
from torch import nn


class Block(nn.Module):
    """Two convolutions with batch norm, and a shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.shortcut = nn.Identity() if (inputs, stride) == (outputs, 1) else shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From B x inputs x H x W to B x outputs x H / stride x W / stride."""
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


class SmallResNet(nn.Module):
    """A stem, three stages of one block each, and a linear classifier of the mean over the pixels."""

    def __init__(self, num_classes: int, image_shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(image_shape[2], width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.stage1 = Block(width, width, 1)
        self.stage2 = Block(width, 2 * width, 2)
        self.stage3 = Block(2 * width, 4 * width, 2)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From images, B x C x H x W, to logits, B x classes."""
        x = self.stage3(self.stage2(self.stage1(self.stem(x))))
        return self.fc(x.mean((2, 3)))


def small_resnet(num_classes: int, image_shape: tuple[int, int, int], width: int = 16) -> SmallResNet:
    """What a study builds, for so many classes of a half and for images of this height, width and channels."""
    return SmallResNet(num_classes, image_shape, width)
