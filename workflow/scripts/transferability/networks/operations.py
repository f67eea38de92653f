"""What each layer of a network computes: how many operations, and features of which shape."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def run_layers(network: nn.Sequential, image_shape: tuple[int, int, int]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Floating-point operations an image of each layer's forward pass, and the shape of the features it returns.

    Counted by torch as the layers are run: of convolutions, products of matrices and attention.

    Args:
        network: on the CPU; it is left in the mode of evaluation.
        image_shape: height, width and channels of the images.
    """
    height, width, channels = image_shape
    features = torch.zeros(1, channels, height, width)
    operations, shapes = [], []
    network.eval()
    for layer in network:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            features = layer(features)
        operations.append(counter.get_total_flops())
        shapes.append(tuple(features.shape[1:]))
    return operations, shapes
