"""A model of any shape as a network of layers, and what is found out about its layers by running them."""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from transferability.networks.cuts import cut_into_layers
from transferability.networks.generators import generators_as_they_were, other_generator_states
from transferability.networks.tracing import CutError

TRIED_IMAGES = 2  # batch norm needs more than one in training


class Layered(nn.Sequential):
    """A model cut into layers, whose weights keep their names in the model.

    So a checkpoint can be loaded into the model that it was made from.

    Attributes:
        random_layers: names of the layers that draw random numbers in training.
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
        """A state dict with the names in the model."""
        return OrderedDict((_in_model(name), t) for name, t in super().state_dict(*args, **kwargs).items())

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load a state dict with the names in the model."""
        names = {_in_model(name): name for name in super().state_dict()}
        own = {names.get(name, name): tensor for name, tensor in state_dict.items()}
        return super().load_state_dict(own, strict=strict, assign=assign)


def _in_model(name: str) -> str:
    """The name without the layer's."""
    return name.partition(".")[2]


def layered(
    model: nn.Module, cuts: Sequence[str], image_shape: tuple[int, int, int], classes: int, *, gray: bool = False
) -> Layered:
    """A model as a network with one more layer than cuts, named after them; the last is named after its last weights.

    Args:
        model: on the CPU; maps images, B x C x H x W, to logits, B x classes.
        cuts: names of modules, in the order in which they are computed.
        image_shape: height, width and channels of the images that the model sees.
        classes: number of logits.
        gray: whether the network gets images with one channel, which is repeated in all channels of the model.

    Raises:
        CutError: a layer cannot be frozen, shared and trained again the way layers are here.
    """
    layers = cut_into_layers(model, cuts, image_shape)
    names = [name.replace(".", "/") for name in (*cuts, last_layer_name(layers[-1]))]
    network = Layered(dict(zip(names, layers, strict=True)))
    height, width, channels = image_shape
    pattern = torch.linspace(-1, 1, TRIED_IMAGES * channels * height * width)
    features = pattern.reshape(TRIED_IMAGES, channels, height, width)
    random_layers = []
    with torch.no_grad(), generators_as_they_were():
        network.to(memory_format=torch.channels_last)  # as networks are trained
        features = features.contiguous(memory_format=torch.channels_last)
        for name, layer in zip(names, layers, strict=True):
            random_layers += [name] * _draws_after_trial(name.replace("/", "."), layer, features)
            features = layer.eval()(features)
        network.to(memory_format=torch.contiguous_format)
    if features.shape != (TRIED_IMAGES, classes):
        shape = " x ".join(map(str, features.shape[1:]))
        raise CutError(f"it returns B x {shape} for {classes} classes, not logits of B x {classes}")
    if gray:
        _begin_with(layers[0], "repeat", 1, channels, 1, 1)
    return Layered(dict(network.named_children()), random_layers)


def last_layer_name(layer: nn.Module) -> str:
    """The name of the module with the last weights; CutError if there are none, and so no layer above the last cut."""
    if not (parameters := [name for name, _ in layer.named_parameters()]):
        raise CutError("nothing above the last cut is learned, so nothing would be trained at the last depth")
    return parameters[-1].rpartition(".")[0] or parameters[-1]


def _draws_after_trial(name: str, layer: fx.GraphModule, features: torch.Tensor) -> bool:
    """Whether a layer draws random numbers in training; if it overwrites its input, make it use a copy."""
    draws, overwrites = False, False
    for training in (False, True):
        layer.train(training)
        torch.manual_seed(0)
        before, others = torch.get_rng_state(), other_generator_states()
        given = features.clone()
        version, result = given._version, _result(name, layer, given)
        if other_generator_states() != others:
            raise CutError(
                f"{name} draws from Python's or NumPy's generator; let it draw from torch's, to be repeatable"
            )
        overwrites |= given._version != version
        draws = not torch.equal(torch.get_rng_state(), before)
        if draws and not training:
            raise CutError(f"{name} draws random numbers in evaluation, so no accuracy could be reproduced")
        torch.manual_seed(0)
        if not torch.equal(_result(name, layer, features.clone()), result):
            raise CutError(f"{name} gives another result the second time; let it draw from torch's own generator only")
    if overwrites:  # other networks read it too
        _begin_with(layer, "clone")
    return draws


def _result(name: str, layer: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """A layer's output for features, leaving batch norm's statistics as they were; CutError if that fails."""
    buffers = {key: buffer.clone() for key, buffer in layer.named_buffers()}
    try:
        result = layer(features)
    except Exception as error:  # whatever the model's own code raises
        first_line = (str(error).splitlines() or [""])[0]
        raise CutError(f"{name} fails on channels-last images: {first_line}") from error
    if not isinstance(result, torch.Tensor) or result.shape[:1] != features.shape[:1]:
        raise CutError(f"what {name} returns is not a tensor with a row for each image")
    for key, buffer in layer.named_buffers():
        if not torch.equal(buffer, buffers[key]):
            owner = key.rpartition(".")[0]
            if not isinstance(layer.get_submodule(owner), _BatchNorm):
                raise CutError(f"{owner} keeps statistics that are not batch norm's, which frozen layers would lack")
            buffer.copy_(buffers[key])
    return result


def _begin_with(layer: fx.GraphModule, method: str, *arguments: int) -> None:
    """Make a layer apply a tensor method to its input first."""
    given = next(node for node in layer.graph.nodes if node.op == "placeholder")
    users = list(given.users)
    with layer.graph.inserting_after(given):
        made = layer.graph.call_method(method, (given, *arguments))
    for user in users:
        user.replace_input_with(given, made)
    layer.recompile()
