"""Caffe's stochastic gradient descent, as the paper used it."""

import torch
from torch import nn

from transferability.study.settings import Hyperparameters


class CaffeSGD:
    """SGD with momentum whose rate multiplies inside the momentum buffer, as in Caffe's SGDSolver.

    v <- momentum v + rate (gradient + decay w);  w <- w - v

    PyTorch's own SGD multiplies the rate outside, so the two differ whenever the rate changes. (Its module also
    takes two seconds to load, on every job.) Biases learn at ``bias_lr_multiplier`` times the rate and do not decay.
    Gradients longer than ``clip_norm`` are shortened first, before decay is added, as by Caffe's clip_gradients.
    """

    def __init__(self, network: nn.Module, settings: Hyperparameters) -> None:
        named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
        named.sort(key=lambda pair: pair[0].endswith("bias"))  # weights, then biases
        self.buffers = {name: torch.zeros_like(parameter) for name, parameter in named}
        self._parameters: list[torch.Tensor] = [parameter for _, parameter in named]
        self._weights: list[torch.Tensor] = [parameter for name, parameter in named if not name.endswith("bias")]
        self._settings = settings

    def step(self, loss: torch.Tensor, rate: torch.Tensor) -> None:
        """One update of the network from a loss that is a mean over the batch.

        Args:
            loss: of one element, with its graph.
            rate: the learning rate, of one element on the network's device, so that a CUDA graph can replay the step.
        """
        gradients = torch.autograd.grad(loss, self._parameters)
        if self._settings.clip_norm:
            gradients = clipped(gradients, self._settings.clip_norm)
        self.apply(gradients, rate)

    def apply(self, gradients: tuple[torch.Tensor, ...], rate: torch.Tensor) -> None:
        """The update from the gradients, in the order of ``buffers``."""
        buffers = list(self.buffers.values())
        with torch.no_grad():
            # One call for many tensors: a small network's update is mostly the time it takes to call.
            of_weights, of_biases = gradients[: len(self._weights)], gradients[len(self._weights) :]
            decayed = torch._foreach_add(of_weights, self._weights, alpha=self._settings.weight_decay)
            changes = torch._foreach_mul(decayed, rate) + torch._foreach_mul(
                of_biases, rate * self._settings.bias_lr_multiplier
            )
            torch._foreach_mul_(buffers, self._settings.momentum)
            torch._foreach_add_(buffers, changes)
            torch._foreach_sub_(self._parameters, buffers)


def clipped(gradients: tuple[torch.Tensor, ...], norm: float) -> tuple[torch.Tensor, ...]:
    """Gradients of one network, scaled down to a common Euclidean norm if theirs is larger (Pascanu et al., ICML 2013).

    Shorter ones come back the same to the bit. Nothing waits for the device, so that a CUDA graph can replay it.
    """
    length = torch.stack(torch._foreach_norm(gradients)).norm()
    return tuple(torch._foreach_mul(gradients, (norm / length).clamp(max=1.0)))
