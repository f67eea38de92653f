"""Optimizers, which update a network from the gradients of a loss: Caffe's SGD, and torch's SGD and AdamW."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import nn

from transferability.study.settings import ADAMW, CAFFE_SGD, SGD, Hyperparameters
from transferability.training.parameter_groups import parameter_groups

ADAMW_BETAS, ADAMW_EPS = (0.9, 0.999), 1e-8


class Optimizer(ABC):
    """Updates those parameters of a network that learn, and no others.

    Gradients with a norm above ``clip_norm`` are scaled down before decay is added, as by Caffe's clip_gradients.
    """

    def __init__(self, network: nn.Module, settings: Hyperparameters, copied: int = 0) -> None:
        self.groups = parameter_groups(network, settings, copied)
        self._parameters = [parameter for group in self.groups for parameter in group.parameters]
        self._settings = settings

    @property
    @abstractmethod
    def buffers(self) -> Mapping[str, torch.Tensor]:
        """Everything that it keeps between updates and changes in place, by its names in states."""

    @abstractmethod
    def apply(self, gradients: tuple[torch.Tensor, ...], rate: torch.Tensor) -> None:
        """Update the parameters from their gradients, which are in the order of the groups."""

    def step(self, loss: torch.Tensor, rate: torch.Tensor) -> None:
        """Update the network from a loss that is a mean over the batch.

        Args:
            loss: a tensor of one element, with its graph.
            rate: the learning rate, as `rate_at` gives it.
        """
        # A layer that this update skips, as with stochastic depth, gets a gradient of zeros.
        gradients = torch.autograd.grad(loss, self._parameters, materialize_grads=True)
        if self._settings.clip_norm:
            gradients = clipped(gradients, self._settings.clip_norm)
        self.apply(gradients, rate)


class CaffeSGD(Optimizer):
    """SGD with momentum that applies the learning rate inside the momentum buffer, as in Caffe's SGDSolver.

    v <- momentum v + rate (gradient + decay w);  w <- w - v

    PyTorch's own SGD applies it outside, so the two differ whenever the rate changes.
    """

    def __init__(self, network: nn.Module, settings: Hyperparameters, copied: int = 0) -> None:
        super().__init__(network, settings, copied)
        named = ((name, p) for group in self.groups for name, p in zip(group.names, group.parameters, strict=True))
        self._buffers = {name: torch.zeros_like(parameter) for name, parameter in named}

    @property
    def buffers(self) -> Mapping[str, torch.Tensor]:
        """The momentum of each parameter, by its name."""
        return self._buffers

    def apply(self, gradients: tuple[torch.Tensor, ...], rate: torch.Tensor) -> None:
        buffers, first = list(self._buffers.values()), 0
        with torch.no_grad():
            # One call for many tensors: a small network's update is mostly call overhead.
            torch._foreach_mul_(buffers, self._settings.momentum)
            for group in self.groups:
                part = slice(first, first + len(group.parameters))
                first = part.stop
                changes = gradients[part]
                if group.decay:
                    changes = torch._foreach_add(changes, group.parameters, alpha=group.decay)
                torch._foreach_add_(buffers[part], torch._foreach_mul(changes, rate * group.rate))
            torch._foreach_sub_(self._parameters, buffers)


class TorchOptimizer(Optimizer):
    """SGD or AdamW from torch.optim, which takes two seconds to load and is loaded only here."""

    def __init__(self, network: nn.Module, settings: Hyperparameters, copied: int = 0) -> None:
        super().__init__(network, settings, copied)
        groups = [{"params": list(group.parameters), "weight_decay": group.decay} for group in self.groups]
        self._optimizer: torch.optim.Optimizer
        if settings.optimizer == ADAMW:
            self._optimizer = torch.optim.AdamW(groups, betas=ADAMW_BETAS, eps=ADAMW_EPS, foreach=True)
        else:
            self._optimizer = torch.optim.SGD(groups, momentum=settings.momentum, foreach=True)
        # torch would create these at its first update; resuming from a state needs them earlier.
        for parameter in self._parameters:
            self._optimizer.state[parameter] = self._state_of(parameter)

    def _state_of(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        """What torch keeps for a parameter, as it is before the first update."""
        if self._settings.optimizer == ADAMW:
            moments = {key: torch.zeros_like(parameter) for key in ("exp_avg", "exp_avg_sq")}
            return {"step": torch.zeros((), dtype=torch.float32), **moments}
        return {"momentum_buffer": torch.zeros_like(parameter)} if self._settings.momentum else {}

    @property
    def buffers(self) -> Mapping[str, torch.Tensor]:
        """What torch keeps for each parameter, by torch's name for it and the parameter's."""
        return {
            f"{key}.{name}": tensor
            for group in self.groups
            for name, parameter in zip(group.names, group.parameters, strict=True)
            for key, tensor in self._optimizer.state[parameter].items()
        }

    def apply(self, gradients: tuple[torch.Tensor, ...], rate: torch.Tensor) -> None:
        for group, of_torch in zip(self.groups, self._optimizer.param_groups, strict=True):
            of_torch["lr"] = rate.item() * group.rate
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        self._optimizer.step()
        self._optimizer.zero_grad()  # no later update uses these gradients


_OPTIMIZERS: Mapping[str, type[Optimizer]] = {CAFFE_SGD: CaffeSGD, SGD: TorchOptimizer, ADAMW: TorchOptimizer}


def make_optimizer(network: nn.Module, settings: Hyperparameters, copied: int = 0) -> Optimizer:
    """The optimizer that the settings name, for the network's parameters that currently learn.

    Args:
        network: its children are its layers.
        settings: what it is trained with.
        copied: how many of its lowest layers have been trained before.
    """
    return _OPTIMIZERS[settings.optimizer](network, settings, copied)


def is_capturable(settings: Hyperparameters) -> bool:
    """Whether a CUDA graph can replay updates; torch's take the rate as a number, which a graph would never change."""
    return settings.optimizer == CAFFE_SGD


def rate_at(iteration: int, settings: Hyperparameters, device: torch.device) -> torch.Tensor:
    """An iteration's learning rate, a tensor of one element that is read without waiting for the device.

    On the device if a CUDA graph may replay the update, otherwise on the CPU.
    """
    rate = settings.rate_at(iteration)
    if is_capturable(settings):
        return torch.full((), rate, device=device)
    return torch.tensor(rate, dtype=torch.float64)


def clipped(gradients: tuple[torch.Tensor, ...], norm: float) -> tuple[torch.Tensor, ...]:
    """A network's gradients, scaled down together if their Euclidean norm exceeds a limit (Pascanu et al., ICML 2013).

    Smaller ones are returned unchanged, to the bit. Nothing waits for the device, so a CUDA graph can replay this.
    """
    length = torch.stack(torch._foreach_norm(gradients)).norm()
    return tuple(torch._foreach_mul(gradients, (norm / length).clamp(max=1.0)))
