"""A model of any shape cut into layers, which are the pieces of its traced graph between neighboring cut points.

A cut point is a module whose output is the only tensor that everything after it needs. The model is traced with
`torch.fx`, which descends only into the modules that contain cut points and calls the others as they are. So every
piece computes what the model does, to the bit, with the model's own modules under their own names.
"""

import copy
import difflib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from torch import fx, nn

from transferability.networks.tracing import CutError, Traced, below


def crossing(traced: Traced, cut: fx.Node) -> list[fx.Node]:
    """Nodes other than the output of a cut that are needed above it."""
    lower, needed = below(cut), traced.needed
    return [
        node
        for node in traced.graph.nodes
        if node in lower
        and node is not cut
        and not traced.is_constant(node)
        and any(user in needed and user not in lower for user in node.users)
    ]


def cut_into_layers(model: nn.Module, cuts: Sequence[str], image_shape: tuple[int, int, int]) -> list[fx.GraphModule]:
    """The layers between cut points, lowest first, one more than there are cuts.

    Args:
        model: every parameter must be in exactly one layer; the layers share the model's modules.
        cuts: names of modules in the order in which they are computed.
        image_shape: height, width and channels of the images that the layers are for, in batches of any size.

    Raises:
        CutError: more than one tensor crosses a cut, or the model cannot be traced or cut in this order.
    """
    modules = dict(model.named_modules())
    for name in cuts:
        if name not in modules or not name:
            near = difflib.get_close_matches(name, modules, n=3)
            raise CutError(f"it has no module {name!r}{'; the nearest names are ' if near else ''}{', '.join(near)}")
    traced = Traced(model, opened_for(cuts), image_shape)
    layers: list[fx.GraphModule] = []
    lower: set[fx.Node] = set()
    features: fx.Node | None = None
    for name, end in zip(
        (*cuts, "the logits"), [*(cut_node(traced, name) for name in cuts), traced.logits], strict=True
    ):
        nodes = below(end)
        if end is features:
            raise CutError(f"nothing is above {cuts[-1]}, so nothing would be trained once it is frozen")
        if not lower < nodes:
            below_it = cuts[len(layers) - 1]
            raise CutError(f"{name} does not come after {below_it}; name cuts in order, from images to logits")
        layers.append(_layer(model, traced, nodes - lower, features, end))
        lower, features = nodes, end
    _require_apart(model, layers, [*cuts, "the logits"], traced.constants)
    _give_each_its_own(layers)
    return layers


def opened_for(cuts: Collection[str]) -> set[str]:
    """The modules that contain cuts, which must be traced into."""
    return {name[:end] for name in cuts for end in range(len(name)) if name[end] == "."}


def cut_node(traced: Traced, name: str) -> fx.Node:
    """The node of a module's output; CutError if the model cannot be cut after it."""
    if name in traced.called_again:
        raise CutError(f"{name} is called more than once, so what comes after it is not a single place")
    if name not in traced.returned or traced.returned[name] not in traced.needed:
        raise CutError(f"{name} does not return a single tensor, or is not called on the way to the logits")
    node = traced.returned[name]
    if others := crossing(traced, node):
        raise CutError(f"{name} is not a cut point: {node_in_words(others[0])} crosses it too")
    return node


def node_in_words(node: fx.Node) -> str:
    """A node in terms of the model: a module's output, a parameter, or an operation's result."""
    if node.op in ("call_module", "get_attr"):
        return f"the output of {node.target}" if node.op == "call_module" else str(node.target)
    return "the images" if node.op == "placeholder" else f"the result of {node.name}"


def _layer(
    model: nn.Module, traced: Traced, nodes: Collection[fx.Node], given: fx.Node | None, output: fx.Node
) -> fx.GraphModule:
    """The piece of a graph that computes an output from a given node, or from the images."""
    piece = fx.Graph()
    features = piece.placeholder("features")
    copied = {given: features} if given else {}
    for node in traced.graph.nodes:
        if node not in nodes:
            continue
        if node.op == "placeholder":
            copied[node] = features
            continue
        for needed in node.all_input_nodes:
            if needed in copied:
                continue
            if traced.is_constant(needed):
                copied[needed] = piece.node_copy(needed)
            else:  # the number of images; `crossing` lets nothing else pass
                copied[needed] = piece.call_method("size", (features, 0))
        copied[node] = piece.node_copy(node, copied.__getitem__)
    piece.output(copied[output])
    layer = fx.GraphModule(model, piece, class_name="Layer")
    for name in traced.constants & {str(node.target) for node in piece.nodes if node.op == "get_attr"}:
        owner, _, buffer = name.rpartition(".")
        layer.get_submodule(owner).register_buffer(buffer, _attribute(model, name), persistent=False)
    return layer


def _require_apart(
    model: nn.Module, layers: Sequence[nn.Module], ends: Sequence[str], constants: Collection[str]
) -> None:
    """Require every parameter in one layer: otherwise freezing would reach another, or nothing would train it."""
    found: dict[str, str] = {}
    for layer, end in zip(layers, ends, strict=True):
        for name, _ in (*layer.named_parameters(), *layer.named_buffers()):
            if name in found and name not in constants:
                raise CutError(f"{name} is used both below {found[name]} and above it, so no cut separates it")
            found[name] = end
    owners: dict[int, str] = {}
    for layer in layers:
        for name, parameter in layer.named_parameters():
            if id(parameter) in owners:
                raise CutError(f"{owners[id(parameter)]} and {name} are the same parameter in two layers")
            owners[id(parameter)] = name
    if unused := [name for name, _ in model.named_parameters() if name not in found]:
        raise CutError(f"{unused[0]} does not affect the logits, so nothing would train it")


def _give_each_its_own(layers: Sequence[fx.GraphModule]) -> None:
    """Copy each module without weights that a lower layer also has, such as one dropout that is used everywhere.

    Otherwise freezing a layer, which then computes as in evaluation, would do the same to a part of another.
    """
    owned: set[int] = set()
    for layer in layers:
        for name, module in list(layer.named_modules()):
            if id(module) in owned:
                parent, _, attribute = name.rpartition(".")
                setattr(layer.get_submodule(parent), attribute, copy.deepcopy(module))
        owned |= {id(module) for module in layer.modules()}


def parameters_in(nodes: Collection[fx.Node], model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that nodes compute with, with their names."""
    for node in nodes:
        if node.op == "get_attr" and isinstance(parameter := _attribute(model, str(node.target)), nn.Parameter):
            yield str(node.target), parameter
        elif node.op == "call_module":
            module = model.get_submodule(str(node.target))
            yield from ((f"{node.target}.{name}", parameter) for name, parameter in module.named_parameters())


def _attribute(model: nn.Module, name: str) -> Any:
    owner, _, attribute = name.rpartition(".")
    return getattr(model.get_submodule(owner), attribute)
