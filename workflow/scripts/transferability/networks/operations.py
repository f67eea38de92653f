"""What each layer of a network computes: how many operations, and features of which shape."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def run_layers(network: nn.Sequential, image_shape: tuple[int, int, int]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Floating-point operations an image of each layer's forward pass, and the shape of the features it returns.

    Counted by torch as the layers are run: of convolutions and products of matrices. Torch does not count attention's
    products of queries, keys and values on the CPU, which are few where images are small.

    Args:
        network: on the CPU; it is left in the mode of evaluation.
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
