"""Forward passes through parts of a network, in the precision of the study."""

from collections.abc import Collection, Iterable

import torch
from torch import nn

from transferability.networks.precision import computing_in


def features_at(
    depths: Collection[int], layers: Iterable[nn.Module], images: torch.Tensor, precision: str
) -> dict[int, torch.Tensor]:
    """The output of the first k layers, for every k in ``depths`` and for all layers; k = 0 gives the images."""
    at_depth = {0: images}
    with computing_in(precision, images.device.type):
        for depth, layer in enumerate(layers, start=1):
            at_depth[depth] = layer(at_depth.pop(depth - 1) if depth - 1 not in depths else at_depth[depth - 1])
    return at_depth


def logits_of(layers: Iterable[nn.Module], features: torch.Tensor, precision: str) -> torch.Tensor:
    """The logits that a network's upper layers compute from features: B x classes, float32.

    The last layer computes in float32: in reduced precision, two classes would tie on a few images in a hundred.
    """
    *lower, last = layers
    with computing_in(precision, features.device.type):
        for layer in lower:
            features = layer(features)
    return last(features.float())  # type: ignore[no-any-return]
