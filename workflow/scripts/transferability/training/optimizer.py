"""What makes an update of a network from the gradients of a loss: Caffe's SGD, or torch's SGD or AdamW."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import nn

from transferability.study.settings import ADAMW, CAFFE_SGD, SGD, Hyperparameters
from transferability.training.parameter_groups import parameter_groups

ADAMW_BETAS, ADAMW_EPS = (0.9, 0.999), 1e-8


class Optimizer(ABC):
    """Updates the parameters of a network that learn, and no others.

    Gradients longer than ``clip_norm`` are shortened first, before decay is added, as by Caffe's clip_gradients.
    """

    def __init__(self, network: nn.Module, settings: Hyperparameters, copied: int = 0) -> None:
        self.groups = parameter_groups(network, settings, copied)
        self._parameters = [parameter for group in self.groups for parameter in group.parameters]
        self._settings = settings

    @property
    @abstractmethod
    def buffers(self) -> Mapping[str, torch.Tensor]:
        """All that it keeps from one update to the next, and changes in place, by names that states have for it."""

    @abstractmethod
    def apply(self, gradients: tuple[torch.Tensor, ...], rate: torch.Tensor) -> None:
        """The update from the gradients, group by group in their order."""

    def step(self, loss: torch.Tensor, rate: torch.Tensor) -> None:
        """One update of the network from a loss that is a mean over the batch.

        Args:
            loss: of one element, with its graph.
            rate: the learning rate, as `rate_at` gives it.
        """
        # A layer that is left out of this update, as by stochastic depth, has a gradient of zeros.
        gradients = torch.autograd.grad(loss, self._parameters, materialize_grads=True)
        if self._settings.clip_norm:
            gradients = clipped(gradients, self._settings.clip_norm)
        self.apply(gradients, rate)


class CaffeSGD(Optimizer):
    """SGD with momentum whose rate multiplies inside the momentum buffer, as in Caffe's SGDSolver.

    v <- momentum v + rate (gradient + decay w);  w <- w - v

    PyTorch's own SGD multiplies the rate outside, so the two differ whenever the rate changes.
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
            # One call for many tensors: a small network's update is mostly the time it takes to call.
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
    """SGD or AdamW of torch.optim, which takes two seconds to load and is loaded only here."""

    def __init__(self, network: nn.Module, settings: Hyperparameters, copied: int = 0) -> None:
        super().__init__(network, settings, copied)
        groups = [{"params": list(group.parameters), "weight_decay": group.decay} for group in self.groups]
        self._optimizer: torch.optim.Optimizer
        if settings.optimizer == ADAMW:
            self._optimizer = torch.optim.AdamW(groups, betas=ADAMW_BETAS, eps=ADAMW_EPS, foreach=True)
        else:
            self._optimizer = torch.optim.SGD(groups, momentum=settings.momentum, foreach=True)
        # It would make these at its first update; a state that is resumed from needs them before.
        for parameter in self._parameters:
            self._optimizer.state[parameter] = self._state_of(parameter)

    def _state_of(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        """What torch keeps of a parameter, as it is before the first update."""
        if self._settings.optimizer == ADAMW:
            moments = {key: torch.zeros_like(parameter) for key in ("exp_avg", "exp_avg_sq")}
            return {"step": torch.zeros((), dtype=torch.float32), **moments}
        return {"momentum_buffer": torch.zeros_like(parameter)} if self._settings.momentum else {}

    @property
    def buffers(self) -> Mapping[str, torch.Tensor]:
        """What torch keeps of each parameter: its name for it, and the parameter's."""
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
        self._optimizer.zero_grad()  # a gradient that is left over would be in nobody's update


_OPTIMIZERS: Mapping[str, type[Optimizer]] = {CAFFE_SGD: CaffeSGD, SGD: TorchOptimizer, ADAMW: TorchOptimizer}


def make_optimizer(network: nn.Module, settings: Hyperparameters, copied: int = 0) -> Optimizer:
    """That which the settings name, for those parameters of the network that learn now.

    Args:
        network: its children are its layers.
        settings: what it is trained with.
        copied: how many of its lowest layers have learned before.
    """
    return _OPTIMIZERS[settings.optimizer](network, settings, copied)


def is_capturable(settings: Hyperparameters) -> bool:
    """Whether a CUDA graph can replay an update: torch's take the rate as a number, which would always be the same."""
    return settings.optimizer == CAFFE_SGD


def rate_at(iteration: int, settings: Hyperparameters, device: torch.device) -> torch.Tensor:
    """The learning rate of an iteration, of one element, where the optimizer reads it without waiting for the device.

    On the device where a CUDA graph may replay the update, else on the CPU.
    """
    rate = settings.rate_at(iteration)
    if is_capturable(settings):
        return torch.full((), rate, device=device)
    return torch.tensor(rate, dtype=torch.float64)


def clipped(gradients: tuple[torch.Tensor, ...], norm: float) -> tuple[torch.Tensor, ...]:
    """Gradients of one network, scaled down to a common Euclidean norm if theirs is larger (Pascanu et al., ICML 2013).

    Shorter ones come back the same to the bit. Nothing waits for the device, so that a CUDA graph can replay it.
    """
    length = torch.stack(torch._foreach_norm(gradients)).norm()
    return tuple(torch._foreach_mul(gradients, (norm / length).clamp(max=1.0)))
