"""A model of any shape as a network of layers, and what is found out about its layers by running them."""

import random
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from transferability.networks.cuts import cut_into_layers
from transferability.networks.tracing import CutError

TRIED_IMAGES = 2  # batch norm needs more than one in training


class Layered(nn.Sequential):
    """A model cut into layers, whose weights have the names that they have in the model.

    So a checkpoint of it can be loaded into the model that it was made from.

    Attributes:
        random_layers: names of those that draw random numbers in training.
    """

    def __init__(self, layers: Mapping[str, nn.Module], random_layers: Collection[str] = ()) -> None:
        super().__init__(OrderedDict(layers))
        self.random_layers = frozenset(random_layers)

    def __getitem__(self, index: Any) -> Any:
        """A layer, or a network of some of them."""
        if isinstance(index, slice):
            return Layered(dict(list(self.named_children())[index]), self.random_layers)
        return super().__getitem__(index)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """By the names in the model."""
        return OrderedDict((_in_model(name), t) for name, t in super().state_dict(*args, **kwargs).items())

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """From the names in the model."""
        names = {_in_model(name): name for name in super().state_dict()}
        own = {names.get(name, name): tensor for name, tensor in state_dict.items()}
        return super().load_state_dict(own, strict=strict, assign=assign)


def _in_model(name: str) -> str:
    """Without the layer's name."""
    return name.partition(".")[2]


def layered(
    model: nn.Module, cuts: Sequence[str], image_shape: tuple[int, int, int], classes: int, *, gray: bool = False
) -> Layered:
    """A model as a network of one more layers than cuts, which have their names; the last has that of its last weights.

    Args:
        model: on the CPU; from images, B x C x H x W, to logits, B x classes.
        cuts: names of modules, in the order in which they are computed.
        image_shape: height, width and channels of the images that the model sees.
        classes: of the logits.
        gray: whether the network gets images of one channel, which the model then sees in all of its channels.

    Raises:
        CutError: a layer cannot be frozen, shared and trained again as layers here are.
    """
    layers = cut_into_layers(model, cuts, image_shape)
    names = [name.replace(".", "/") for name in (*cuts, last_layer_name(layers[-1]))]
    network = Layered(dict(zip(names, layers, strict=True)))
    height, width, channels = image_shape
    pattern = torch.linspace(-1, 1, TRIED_IMAGES * channels * height * width)
    features = pattern.reshape(TRIED_IMAGES, channels, height, width)
    with torch.no_grad(), _as_it_was(network):
        random_layers = []
        for name, layer in zip(names, layers, strict=True):
            random_layers += [name] * _draws_after_trial(name.replace("/", "."), layer, features)
            features = layer.eval()(features)
    if features.shape != (TRIED_IMAGES, classes):
        shape = " x ".join(map(str, features.shape[1:]))
        raise CutError(f"it returns B x {shape} for {classes} classes, not logits of B x {classes}")
    if gray:
        _begin_with(layers[0], "repeat", 1, channels, 1, 1)
    return Layered(dict(network.named_children()), random_layers)


def last_layer_name(layer: nn.Module) -> str:
    """Of the module with the last weights; CutError if there are none, since then no layer is above the last cut."""
    if not (parameters := [name for name, _ in layer.named_parameters()]):
        raise CutError("nothing above the last cut is learned, so that nothing would be trained at the last depth")
    return parameters[-1].rpartition(".")[0] or parameters[-1]


def _draws_after_trial(name: str, layer: fx.GraphModule, features: torch.Tensor) -> bool:
    """Whether a layer draws random numbers in training; if it overwrites its input, let it get a copy."""
    draws = False
    overwrites = False
    for training in (False, True):
        given = features.clone()
        version, torchs, others = given._version, torch.get_rng_state(), _other_generators()
        result = layer.train(training)(given)
        if not isinstance(result, torch.Tensor) or result.shape[:1] != features.shape[:1]:
            raise CutError(f"what {name} returns is no tensor with a row for each image")
        if _other_generators() != others:
            raise CutError(
                f"{name} draws from Python's or NumPy's generator; let it draw from torch's, to be repeatable"
            )
        overwrites |= given._version != version
        draws = not torch.equal(torch.get_rng_state(), torchs)
        if draws and not training:
            raise CutError(f"{name} draws random numbers in evaluation, so that no accuracy could be had again")
    if overwrites:  # other networks read it too
        _begin_with(layer, "clone")
    return draws


def _other_generators() -> tuple[object, str]:
    numpy: Any = np.random.get_state()
    return random.getstate(), f"{numpy[1].tobytes().hex()} {numpy[2:]}"


def _begin_with(layer: fx.GraphModule, method: str, *arguments: int) -> None:
    """Let a layer see what a method makes of what it is given."""
    given = next(node for node in layer.graph.nodes if node.op == "placeholder")
    users = list(given.users)
    with layer.graph.inserting_after(given):
        made = layer.graph.call_method(method, (given, *arguments))
    for user in users:
        user.replace_input_with(given, made)
    layer.recompile()


@contextmanager
def _as_it_was(network: nn.Module) -> Iterator[None]:
    """Buffers, such as running statistics, and generators are afterwards what they were before."""
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        yield
    random.setstate(python)
    np.random.set_state(numpy)
    for name, buffer in network.named_buffers():
        buffer.copy_(buffers[name])
