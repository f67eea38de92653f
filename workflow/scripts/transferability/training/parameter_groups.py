"""Which of a network's parameters learn, at which rate, and which of them decay."""

from dataclasses import dataclass

import torch
from torch import nn

from transferability.study.settings import ALL, ALL_BUT_BIASES, CAFFE_SGD, Hyperparameters

# Endings of the names that timm and torchvision give to class tokens and position embeddings.
_TOKENS_AND_POSITIONS = ("cls_token", "class_token", "pos_embed", "pos_embedding", "relative_position_bias_table")


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are updated in the same way.

    Attributes:
        names: their names in the network.
        parameters: in the same order.
        rate: what the learning rate is multiplied by.
        decay: the weight decay.
    """

    names: tuple[str, ...]
    parameters: tuple[torch.Tensor, ...]
    rate: float
    decay: float


def parameter_groups(network: nn.Module, settings: Hyperparameters, copied: int = 0) -> list[ParameterGroup]:
    """All parameters that learn, each in one group.

    Args:
        network: if there is a layer decay, its children are its layers.
        settings: what it is trained with.
        copied: how many of the lowest layers have been trained before; layer decay applies to these.
    """
    layers = {name: index for index, (name, _) in enumerate(network.named_children())}
    groups: dict[tuple[float, float], list[tuple[str, torch.Tensor]]] = {}
    learning = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    for name, parameter in sorted(learning, key=lambda pair: _is_bias(pair[0])):  # weights, then biases
        rate = settings.bias_lr_multiplier if settings.optimizer == CAFFE_SGD and _is_bias(name) else 1.0
        if settings.layer_decay != 1:
            rate *= settings.layer_decay ** max(copied - layers[name.split(".")[0]], 0)
        decay = settings.weight_decay if decays(name, parameter, settings.decay) else 0.0
        groups.setdefault((rate, decay), []).append((name, parameter))
    return [
        ParameterGroup(tuple(name for name, _ in named), tuple(parameter for _, parameter in named), rate, decay)
        for (rate, decay), named in groups.items()
    ]


def decays(name: str, parameter: torch.Tensor, decay: str) -> bool:
    """Whether weight decay acts on a network's parameter of this name, by a value of `Hyperparameters.decay`."""
    if decay == ALL:
        return True
    if decay == ALL_BUT_BIASES:
        return not _is_bias(name)
    scales_channels = parameter.ndim > 1 and parameter[0].numel() == 1  # such as torchvision's layer scale, C x 1 x 1
    weighs = parameter.ndim > 1 and not scales_channels
    return weighs and not _is_bias(name) and not name.endswith(_TOKENS_AND_POSITIONS)


def _is_bias(name: str) -> bool:
    return name.endswith("bias")
