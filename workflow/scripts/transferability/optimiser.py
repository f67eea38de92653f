"""Caffe's stochastic gradient descent, as the paper used it."""

import torch
from torch import nn

from transferability.hyperparameters import Hyperparameters


class CaffeSGD:
    """SGD with momentum whose rate multiplies inside the momentum buffer, as in Caffe's SGDSolver.

    v <- momentum v + rate (gradient + decay w);  w <- w - v

    PyTorch's own SGD multiplies the rate outside, so the two differ whenever the rate changes. (Its module also
    takes two seconds to load, on every job.) Biases learn at ``bias_rate`` times the rate and do not decay.
    """

    def __init__(self, network: nn.Module, settings: Hyperparameters) -> None:
        named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
        self.buffers = {name: torch.zeros_like(parameter) for name, parameter in named}
        self._parameters = [parameter for _, parameter in named]
        self._is_bias = [name.endswith("bias") for name, _ in named]
        self._settings = settings

    def step(self, loss: torch.Tensor, iteration: int) -> None:
        """One update of the network from a loss that is a mean over the batch."""
        rate = self._settings.rate_at(iteration)
        gradients = torch.autograd.grad(loss, self._parameters)
        with torch.no_grad():
            for parameter, gradient, buffer, is_bias in zip(
                self._parameters, gradients, self.buffers.values(), self._is_bias, strict=True
            ):
                buffer.mul_(self._settings.momentum)
                buffer.add_(gradient, alpha=rate * (self._settings.bias_rate if is_bias else 1.0))
                if not is_bias:
                    buffer.add_(parameter, alpha=rate * self._settings.weight_decay)
                parameter.sub_(buffer)
