"""Small user-defined networks, each with a trap, as a study would find them in a file."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class DropPath(nn.Module):
    """Leaves whole images out of a branch, with numbers drawn anew."""

    def forward(self, x):
        return x * (torch.rand(len(x), 1, 1, 1) < 0.5) if self.training else x


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.drop_path = DropPath()

    def forward(self, x):
        return torch.relu(x + self.drop_path(self.norm(self.conv(x))))


class Dropping(nn.Module):
    """Batch norm, drop path, a functional dropout in its forward, and a number of images that crosses every cut."""

    def __init__(self, num_classes, image_shape=(16, 16, 1), width=6):
        super().__init__()
        self.stem = nn.Conv2d(image_shape[2], width, 3, stride=2, padding=1)
        self.block1, self.block2 = Residual(width), Residual(width)
        self.fc = nn.Linear(width * 4, num_classes)

    def forward(self, x):
        images = x.shape[0]
        x = functional.relu(self.stem(x), inplace=True)
        x = self.block2(self.block1(x))
        x = functional.adaptive_avg_pool2d(x, 2).reshape(images, -1)
        return self.fc(functional.dropout(x, 0.5, self.training))


class OneDropout(nn.Module):
    """Uses one dropout, and one function of dropout, in all of its layers."""

    def __init__(self, num_classes):
        super().__init__()
        self.lower, self.upper = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)
        self.fc = nn.Linear(4, num_classes)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        x = self.upper(self._dropped(self.lower(self._dropped(x))))
        return self.fc(self._dropped(x.mean((2, 3))))

    def _dropped(self, x):
        return functional.dropout(self.dropout(x), 0.5, self.training)


class Overwriting(nn.Module):
    """Begins the layer above its cut with an operation in place."""

    def __init__(self, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.fc(functional.relu(self.conv(x), inplace=True).mean((2, 3)))


class Auxiliary(Overwriting):
    """Has a second head in training."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.second_head = nn.Linear(4, num_classes)

    def forward(self, x):
        features = self.conv(x).mean((2, 3))
        return (self.fc(features), self.second_head(features)) if self.training else self.fc(features)


class Branching(Overwriting):
    """Looks at the values of its images."""

    def forward(self, x):
        return super().forward(x if x.mean() > 0 else -x)


class Tied(nn.Module):
    """Uses one layer twice."""

    def __init__(self, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.middle = nn.Conv2d(1, 1, 3, padding=1)
        self.fc = nn.Linear(1, num_classes)

    def forward(self, x):
        return self.fc(self.conv(self.middle(self.conv(x))).mean((2, 3)))


class Unused(Overwriting):
    """Has weights that nothing uses."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.spare = nn.Linear(3, 3)


class Maps(Overwriting):
    """Returns a map per class, not a number."""

    def forward(self, x):
        return self.fc(self.conv(x).movedim(1, -1)).movedim(-1, 1)


class NumpyNoise(nn.Module):
    def forward(self, x):
        return x + np.random.normal() if self.training else x


class FromNumpy(Overwriting):
    """Draws from a generator that no seed of a study reaches."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.noise = NumpyNoise()

    def forward(self, x):
        return super().forward(self.noise(x))


class AlwaysNoise(nn.Module):
    def forward(self, x):
        return x + torch.randn(len(x), 1, 1, 1)


class RandomInEvaluation(FromNumpy):
    """Never computes the same twice."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.noise = AlwaysNoise()


def drawn_by_numpy(num_classes):
    """Has other weights each time it is built."""
    model = Overwriting(num_classes)
    nn.init.constant_(model.fc.bias, np.random.normal())
    return model


def not_a_module(num_classes):
    return num_classes


def seeded_by_itself(num_classes):
    """Has the same weights whatever the seed."""
    torch.manual_seed(0)
    return Overwriting(num_classes)


_ONE = {}


def built_once(num_classes):
    """Returns the same module every time."""
    return _ONE.setdefault(num_classes, Overwriting(num_classes))


class Shuffling(nn.Module):
    """Has drawn an order that is no buffer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3)
        self.order = torch.randperm(16)

    def forward(self, x):
        return self.conv(x)[:, self.order]


class OfAnOrder(Overwriting):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.conv, self.fc = Shuffling(), nn.Linear(16, num_classes)


class SkippingItself(Overwriting):
    """Draws in its own forward whether a branch is there."""

    def forward(self, x):
        return super().forward(x if self.training and torch.rand(1).item() < 0.5 else 2 * x)


class OwnGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = torch.Generator()

    def forward(self, x):
        return x + torch.rand(1, generator=self.generator) if self.training else x


class FromItsOwn(FromNumpy):
    """Draws from a generator that no one seeds again."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.noise = OwnGenerator()


class OtherStatistics(FromNumpy):
    """Has running statistics that are not batch norm's."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.noise = nn.InstanceNorm2d(1, track_running_stats=True)


class Viewing(Overwriting):
    """Assumes that its features are channels first in memory."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.fc = nn.Linear(4 * 14 * 14, num_classes)

    def forward(self, x):
        x = self.conv(x)
        return self.fc(x.view(x.size(0), -1))


class UnusedInTheHead(Overwriting):
    """Has weights in its last module that nothing uses."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.fc = Linear(4, num_classes)


class Linear(nn.Linear):
    def __init__(self, *shape):
        super().__init__(*shape)
        self.spare = nn.Parameter(torch.randn(3, 3))


class SkippedBlock(nn.Module):
    """The classic stochastic depth: in some updates it is not there."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x):
        return x if self.training and torch.rand(1) < 0.5 else x + self.conv(x)


class Calm(nn.Module):
    """Constants, sizes of images, positions that do not learn, tied weights, a block that is skipped: all is well."""

    def __init__(self, num_classes):
        super().__init__()
        self.stem, self.block = nn.Conv2d(1, 6, 3, padding=1), SkippedBlock()
        self.positions = nn.Parameter(torch.randn(6, 1, 1), requires_grad=False)
        self.one, self.fc = nn.Linear(6, 6), nn.Linear(6, num_classes)
        self.register_buffer("scale", torch.full((6, 1, 1), 2.0))

    def forward(self, x):
        size = x.shape[-2:]
        x = functional.interpolate(self.stem(x - torch.tensor([0.5])), size=size) + self.positions
        x = self.block(x * (self.scale * 2)).mean((2, 3)) + torch.arange(6)
        return self.fc(functional.relu(functional.linear(self.one(x), self.one.weight)))


class Looking(Residual):
    """Looks at the values of its features."""

    def forward(self, x):
        return super().forward(x) if x.mean() > 0 else x


class OneBlockLooks(Dropping):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.block1 = Looking(6)


class TwiceInABlock(nn.Module):
    """Uses weights of its first part again."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x):
        x = self.second(self.first(x))
        return functional.conv2d(x, self.first.weight, padding=1)


class Shared(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.block, self.fc = TwiceInABlock(), nn.Linear(1, num_classes)

    def forward(self, x):
        return self.fc(self.block(x).mean((2, 3)))


class Rotated(nn.Module):
    """Adds to its features what it is given beside them."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)

    def forward(self, x, positions):
        return functional.relu(self.conv(x)) + positions


class Positions(nn.Module):
    def __init__(self, in_state):
        super().__init__()
        self.register_buffer("grid", torch.linspace(0, 1, 16), persistent=in_state)


class SharingPositions(nn.Module):
    """Gives one buffer to all of its blocks, as rotary position embeddings are; in its state only if asked for."""

    def __init__(self, num_classes, in_state=False, moves=False):
        super().__init__()
        self.positions, self.moves = Positions(in_state), moves
        self.lower, self.middle, self.upper = Rotated(1), Rotated(4), Rotated(4)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x):
        grid = self.positions.grid
        if self.moves:
            grid = grid.add_(1)
        x = self.upper(self.middle(self.lower(x, grid), grid), grid)
        return self.fc(x.mean((2, 3)))


class TwoHeads(Auxiliary):
    """Has a second head in evaluation too."""

    def forward(self, x):
        features = self.conv(x).mean((2, 3))
        return self.fc(features), self.second_head(features)


class Named(Overwriting):
    """Returns its logits by name."""

    def forward(self, x):
        return {"logits": super().forward(x)}


class ForLargerImages(Overwriting):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.conv = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(15))


class OfAWidth(nn.Module):
    """Has an argument that only a config can give."""

    def __init__(self, num_classes, width):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, width, 3), nn.Linear(width, num_classes)


class InColor(nn.Module):
    """Sees color images only, and begins with what is no convolution."""

    def __init__(self, num_classes):
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3))
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.fc(self.layers(x).mean((2, 3)))


class OnPixels(nn.Module):
    """Has no convolution, and sees gray images only."""

    def __init__(self, num_classes):
        super().__init__()
        self.fc = nn.Linear(256, num_classes)

    def forward(self, x):
        return self.fc(x.flatten(1))
