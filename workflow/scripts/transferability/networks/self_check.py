"""Whether a real model's cut points are what they are assumed to be, checked by running it."""

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from torch import nn

from transferability.networks.generators import generators_as_they_were
from transferability.networks.tracing import CutError


def check_cuts(
    model: nn.Module, network: nn.Sequential, cuts: Sequence[str], image_shape: tuple[int, int, int]
) -> None:
    """CutError if a network of layers is not the model that it was made from, or a cut lets more than features through.

    With the output at a cut fixed to what it was for one image, another image must give the same logits to the bit;
    and the parameters for which the output at a cut has gradients must be those of the layers below it.

    Args:
        model: on the CPU, with the network's weights.
        network: the same model's layers.
        cuts: names of the modules after which it is cut.
        image_shape: height, width and channels of the images that the model sees.
    """
    height, width, channels = image_shape
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 1, channels, height, width, generator=generator)
    _require_same_in_training(model, network, torch.cat([one, other]))
    model.eval()
    network.eval()
    features = [one]
    with torch.no_grad():
        for layer in network:
            features.append(layer(features[-1]))
        logits = model(one)
        if not torch.equal(features[-1], logits):
            raise CutError(
                "its layers, run one after the other, do not reproduce its logits; "
                "its forward depends on more than images"
            )
        for name, at_cut in zip(cuts, features[1:], strict=False):
            if not torch.equal(_forced(model, name, at_cut, other), logits):
                raise CutError(f"{name} is not a cut point: logits change with the image though its output does not")
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    if unused := learned - _parameters_of(model, "", one):
        raise CutError(f"{sorted(unused)[0]} does not affect the logits, so nothing would train it")
    below: set[str] = set()
    for name, layer in zip(cuts, network, strict=False):
        below |= learned & {parameter for parameter, _ in layer.named_parameters()}
        if wrong := below ^ _parameters_of(model, name, one):
            raise CutError(f"{name} is not a cut point: {sorted(wrong)[0]} is on the other side from its layer")


def _require_same_in_training(model: nn.Module, network: nn.Module, images: torch.Tensor) -> None:
    logits = []
    with torch.no_grad(), generators_as_they_were():
        for trained in (model, network):
            buffers = {name: buffer.clone() for name, buffer in trained.named_buffers()}
            torch.manual_seed(0)
            logits.append(trained.train()(images))
            for name, buffer in trained.named_buffers():
                buffer.copy_(buffers[name])
    if not torch.equal(*logits):
        raise CutError(
            "its layers, run one after the other, do not reproduce its logits in training; "
            "its forward draws random numbers"
        )


def _forced(model: nn.Module, name: str, output: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Logits for images with a module's output replaced."""
    with ExitStack() as stack:
        handle = model.get_submodule(name).register_forward_hook(lambda *_: output.clone())
        stack.callback(handle.remove)
        return model(images)  # type: ignore[no-any-return]


def _parameters_of(model: nn.Module, name: str, images: torch.Tensor) -> set[str]:
    """Names of the learned parameters that a module's output depends on; an empty name means the whole model."""
    outputs: list[torch.Tensor] = []
    with ExitStack() as stack, torch.enable_grad():
        handle = model.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output: outputs.append(output)
        )
        stack.callback(handle.remove)
        model(images)
        learned = ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)
        names, parameters = zip(*learned, strict=True)
        gradients = torch.autograd.grad(outputs[0].sum(), parameters, allow_unused=True)
    return {name for name, gradient in zip(names, gradients, strict=True) if gradient is not None}
