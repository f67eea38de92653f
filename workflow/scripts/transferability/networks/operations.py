"""What each layer of a network computes: how many operations, and features of what shape."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def run_layers(network: nn.Sequential, image_shape: tuple[int, int, int]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Floating-point operations per image in each layer's forward pass, and the shape of the features it returns.

    Torch counts those of convolutions and matrix products as the layers are run. On the CPU, it does not count
    attention's products of queries, keys and values, which are few if images are small.

    Args:
        network: on the CPU; it is left in evaluation mode.
        image_shape: height, width and channels of the images.
    """
    height, width, channels = image_shape
    features = torch.zeros(1, channels, height, width)
    operations, shapes = [], []
    network.eval()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its attention is one call, which is not counted
    try:
        for layer in network:
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                features = layer(features)
            operations.append(counter.get_total_flops())
            shapes.append(tuple(features.shape[1:]))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return operations, shapes


def channel_axis(shape: Sequence[int]) -> int:
    """Which axis of an image's features has the channels; the others are positions.

    The last of vectors, C, and of tokens, T x C. The first of maps, C x H x W, unless only H x W x C makes height equal
    width, as in windowed transformers; and the first of all with more axes.
    """
    if len(shape) < 3:
        return len(shape) - 1
    return 2 if len(shape) == 3 and shape[0] == shape[1] != shape[2] else 0
