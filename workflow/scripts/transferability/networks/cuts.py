"""A model of any shape cut into layers, which are the pieces of its traced graph between neighboring cut points.

A cut point is a module whose output is the only tensor that what comes after it needs. The model is traced with
`torch.fx`; of it, only the modules around cut points are looked into, and the others are called as they are. So every
piece computes what the model does, to the bit, with the model's own modules under their own names.
"""

import difflib
import inspect
import operator
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any

from torch import fx, nn


class CutError(ValueError):
    """The model cannot be cut so; the message names the module."""


class _IsTraining(nn.Module):
    """In place of a flag that the model's code reads while it is traced, such as that of a functional dropout."""

    def forward(self) -> bool:
        return self.training


class _Tracer(fx.Tracer):
    """Looks into some modules only, and remembers what every module returns."""

    def __init__(self, opened: Collection[str]) -> None:
        super().__init__()
        self._opened = opened
        self.returned: dict[str, list[Any]] = {}  # by name of a module, for each time it is called

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name not in self._opened

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        result = super().call_module(m, forward, args, kwargs)
        self.returned.setdefault(self.path_of_module(m), []).append(result)
        return result


class Traced:
    """A model's graph from images to logits.

    Args:
        model: to be traced; CutError if it cannot be.
        opened: names of the modules that are looked into.
        image_shape: height, width and channels of the images.

    Attributes:
        graph: the same in training and in evaluation, but for flags that ask which of the two it is.
        returned: by name of each module that is called once and returns a tensor, the node of it.
        called_again: names of modules that are called more than once.
    """

    def __init__(self, model: nn.Module, opened: Collection[str], image_shape: tuple[int, int, int]) -> None:
        was_training = model.training
        try:
            in_training, _ = _traced(model.train(), opened)
            self.graph, returned = _traced(model.eval(), opened)
        finally:
            model.train(was_training)
        self.called_again = {name for name, results in returned.items() if len(results) > 1}
        self.returned = {
            name: results[0].node
            for name, results in returned.items()
            if len(results) == 1 and isinstance(results[0], fx.Proxy)
        }
        _ask_whether_training(model, self.graph, in_training)
        _fill_in_sizes(self.graph, image_shape)

    @cached_property
    def needed(self) -> set[fx.Node]:
        """All that the logits are computed from; what only checks shapes is none of it."""
        return below(self.logits)

    @property
    def logits(self) -> fx.Node:
        """CutError if the model returns no single tensor."""
        (result,) = self.graph.output_node().args
        if not isinstance(result, fx.Node):
            raise CutError(f"it returns {_in_words(result)}, not one tensor of B x classes; such as an auxiliary head")
        return result


def _traced(model: nn.Module, opened: Collection[str]) -> tuple[fx.Graph, dict[str, list[Any]]]:
    tracer = _Tracer(opened)
    parameters = inspect.signature(model.forward).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    try:
        return tracer.trace(model, concrete_args=defaults or None), tracer.returned
    except CutError:
        raise
    except Exception as error:  # whatever the model's own code raises where it meets no tensors
        first_line = (str(error).splitlines() or [""])[0]
        raise CutError(f"its forward cannot be traced: {type(error).__name__}: {first_line}") from error


def _ask_whether_training(model: nn.Module, graph: fx.Graph, in_training: fx.Graph) -> None:
    """Where the graph of the evaluation has False and that of the training True, or the reverse, let it ask.

    CutError where they differ in anything else, such as a head that is only there in training.
    """
    nodes, others = list(graph.nodes), list(in_training.nodes)
    for node, other in zip(nodes, others, strict=False):
        if (node.op, str(node.target)) != (other.op, str(other.target)):
            raise CutError(_other_path(nodes, others))
    if len(nodes) != len(others):
        raise CutError(_other_path(nodes, others))
    flag = None
    for node, other in zip(nodes, others, strict=True):
        if repr((node.args, node.kwargs)) == repr((other.args, other.kwargs)):
            continue
        if flag is None:
            model.add_module("is_training", _IsTraining())
            with graph.inserting_after(nodes[0]):
                flag = graph.call_module("is_training")
        node.args = _merged(node.args, other.args, flag)
        node.kwargs = _merged(node.kwargs, other.kwargs, flag)


def _merged(in_evaluation: Any, in_training: Any, flag: fx.Node) -> Any:
    match in_evaluation, in_training:
        case tuple() | list(), tuple() | list() if len(in_evaluation) == len(in_training):
            return type(in_evaluation)(map(_merged, in_evaluation, in_training, [flag] * len(in_evaluation)))
        case dict(), dict() if in_evaluation.keys() == in_training.keys():
            return {key: _merged(value, in_training[key], flag) for key, value in in_evaluation.items()}
        case False, True:
            return flag
    if repr(in_evaluation) == repr(in_training):
        return in_evaluation
    raise CutError(f"its forward has {in_evaluation!r} in evaluation and {in_training!r} in training")


def _other_path(nodes: Sequence[fx.Node], others: Sequence[fx.Node]) -> str:
    called = [{str(node.target) for node in graph if node.op == "call_module"} for graph in (nodes, others)]
    if only := sorted(called[1] - called[0]):
        return f"{only[0]} takes part in training only; such as an auxiliary head, which its builder may leave out"
    if only := sorted(called[0] - called[1]):
        return f"{only[0]} takes part in evaluation only"
    return "its forward takes another path in training than in evaluation"


def _in_words(result: object) -> str:
    return f"a {type(result).__name__}" if not isinstance(result, tuple | list) else f"{len(result)} results"


def _fill_in_sizes(graph: fx.Graph, image_shape: tuple[int, int, int]) -> None:
    """Height, width and channels of the images as numbers, with what is calculated from them; so they cross no cut."""
    height, width, channels = image_shape
    sizes = {1: channels, 2: height, 3: width}
    values: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        dimension = _dimension_of_images(node)
        node.args = fx.map_arg(node.args, lambda argument: values.get(argument, argument))
        node.kwargs = fx.map_arg(node.kwargs, lambda argument: values.get(argument, argument))
        if dimension:
            values[node] = sizes.get(dimension % 4)
        elif getattr(node.target, "__module__", "") == "_operator" and not node.all_input_nodes:
            values[node] = node.target(*node.args, **node.kwargs)


def _dimension_of_images(node: fx.Node) -> int | None:
    """The k of ``x.shape[k]`` or ``x.size(k)``, where x are the images that the model gets."""
    match node.target, node.args:
        case "size", (fx.Node(op="placeholder"), int() as dimension):
            return dimension
        case operator.getitem, (fx.Node(target="size", args=(fx.Node(op="placeholder"),)), int() as dimension):
            return dimension
        case operator.getitem, (fx.Node(args=(fx.Node(op="placeholder"), "shape")) as shape, int() as dimension):
            return dimension if shape.target is getattr else None
    return None


def below(node: fx.Node) -> set[fx.Node]:
    """A node and all that it is computed from, but the number of images, which every layer can ask its own input."""
    found, open_nodes = {node}, [node]
    while open_nodes:
        new = {needed for needed in open_nodes.pop().all_input_nodes if _dimension_of_images(needed) != 0} - found
        found |= new
        open_nodes += new
    return found


def crossing(traced: Traced, cut: fx.Node) -> list[fx.Node]:
    """What else than the output of a cut is needed above it."""
    lower, needed = below(cut), traced.needed
    return [
        node
        for node in traced.graph.nodes
        if node in lower and node is not cut and any(user in needed and user not in lower for user in node.users)
    ]


def cut_into_layers(model: nn.Module, cuts: Sequence[str], image_shape: tuple[int, int, int]) -> list[fx.GraphModule]:
    """The layers between cut points, lowest first, one more than there are cuts.

    Args:
        model: of which every parameter must be in exactly one layer; it shares its modules with the layers.
        cuts: names of modules in the order in which they are computed.
        image_shape: height, width and channels of the images that the layers are for, in batches of any size.

    Raises:
        CutError: more than one tensor crosses a cut, or the model cannot be traced or cut in this order.
    """
    modules = dict(model.named_modules())
    for name in cuts:
        if name not in modules or not name:
            near = difflib.get_close_matches(name, modules, n=3)
            raise CutError(f"it has no module {name!r}{'; near are ' if near else ''}{', '.join(near)}")
    traced = Traced(model, opened_for(cuts), image_shape)
    layers: list[fx.GraphModule] = []
    lower: set[fx.Node] = set()
    features: fx.Node | None = None
    for name, end in zip(
        (*cuts, "the logits"), [*(cut_node(traced, name) for name in cuts), traced.logits], strict=True
    ):
        nodes = below(end)
        if end is features:
            raise CutError(f"nothing is above {cuts[-1]}, so that nothing would be trained once it is frozen")
        if not lower < nodes:
            below_it = cuts[len(layers) - 1]
            raise CutError(f"{name} does not come after {below_it}; name cuts in order, from images to logits")
        layers.append(_layer(model, traced.graph, nodes - lower, features, end))
        lower, features = nodes, end
    _require_apart(model, layers, [*cuts, "the logits"])
    return layers


def opened_for(cuts: Collection[str]) -> set[str]:
    """The modules around cuts, which must be looked into: those that they are parts of."""
    return {name[:end] for name in cuts for end in range(len(name)) if name[end] == "."}


def cut_node(traced: Traced, name: str) -> fx.Node:
    """Where a module returns; CutError if it cannot be cut behind it."""
    if name in traced.called_again:
        raise CutError(f"{name} is called more than once, so that what comes after it is not one place")
    if name not in traced.returned or traced.returned[name] not in traced.needed:
        raise CutError(f"{name} returns no single tensor, or is not called on the way to the logits")
    node = traced.returned[name]
    if others := crossing(traced, node):
        raise CutError(f"{name} is no cut point: {named(others[0])} crosses it too")
    return node


def named(node: fx.Node) -> str:
    """What a node is to someone who knows the model: a module's output, or a parameter, or an operation."""
    if node.op in ("call_module", "get_attr"):
        return f"the output of {node.target}" if node.op == "call_module" else str(node.target)
    return "the images" if node.op == "placeholder" else f"the result of {node.name}"


def _layer(
    model: nn.Module, graph: fx.Graph, nodes: Collection[fx.Node], given: fx.Node | None, output: fx.Node
) -> fx.GraphModule:
    """The piece of a graph that computes an output from what is given, or from the images."""
    piece = fx.Graph()
    features = piece.placeholder("features")
    copied = {given: features} if given else {}
    for node in graph.nodes:
        if node not in nodes:
            continue
        if node.op == "placeholder":
            copied[node] = features
            continue
        for needed in node.all_input_nodes:
            if needed not in copied:  # the number of images; `crossing` lets nothing else pass
                copied[needed] = piece.call_method("size", (features, 0))
        copied[node] = piece.node_copy(node, copied.__getitem__)
    piece.output(copied[output])
    return fx.GraphModule(model, piece, class_name="Layer")


def _require_apart(model: nn.Module, layers: Sequence[nn.Module], ends: Sequence[str]) -> None:
    """Every parameter in one layer: else freezing a layer would freeze a part of another, or nothing would train it."""
    found: dict[str, str] = {}
    for layer, end in zip(layers, ends, strict=True):
        for name, _ in (*layer.named_parameters(), *layer.named_buffers()):
            if name in found:
                raise CutError(f"{name} is used both below {found[name]} and above it, so that no cut parts it")
            found[name] = end
    owners: dict[int, str] = {}
    for layer in layers:
        for name, parameter in layer.named_parameters():
            if id(parameter) in owners:
                raise CutError(f"{owners[id(parameter)]} and {name} are one parameter in two layers")
            owners[id(parameter)] = name
    if unused := [name for name, _ in model.named_parameters() if name not in found]:
        raise CutError(f"{unused[0]} takes no part in the logits, so that nothing trains it")


def parameters_below(node: fx.Node, model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that a node is computed from, with their names."""
    for lower in below(node):
        if lower.op == "get_attr" and isinstance(parameter := _attribute(model, str(lower.target)), nn.Parameter):
            yield str(lower.target), parameter
        elif lower.op == "call_module":
            module = model.get_submodule(str(lower.target))
            yield from ((f"{lower.target}.{name}", parameter) for name, parameter in module.named_parameters())


def _attribute(model: nn.Module, name: str) -> Any:
    owner, _, attribute = name.rpartition(".")
    return getattr(model.get_submodule(owner), attribute)
