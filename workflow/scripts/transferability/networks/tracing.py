"""A model's graph from images to logits, the same in training and in evaluation, traced with `torch.fx`."""

import inspect
import operator
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import fx, nn

from transferability.networks.generators import generator_states

_CONSTANT = "_tensor_constant"  # prefix of torch.fx's names for tensors that a forward creates
_DIMENSIONS = 4  # of images, B x C x H x W
_FLAG = "asks_whether_it_is_training"


class CutError(ValueError):
    """The model cannot be cut as requested; the message says why."""


class _IsTraining(nn.Module):
    """Stands in for a flag that the model's code reads while it is traced, such as a functional dropout's."""

    def forward(self) -> bool:
        return self.training


class _Tracer(fx.Tracer):
    """Traces into some modules only and remembers what every module returns."""

    proxy_buffer_attributes = True  # so that what is computed from buffers is recomputed each time

    def __init__(self, opened: Collection[str]) -> None:
        super().__init__()
        self._opened = opened
        self.failed = ""  # name of the innermost module in which tracing failed
        self.returned: dict[str, list[Any]] = {}  # by module name, one entry per call

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name not in self._opened

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        name = self.path_of_module(m)
        try:
            result = super().call_module(m, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or name
            raise
        self.returned.setdefault(name, []).append(result)
        return result


class Traced:
    """A model's graph from images to logits.

    Args:
        model: the model to trace; CutError if it cannot be traced.
        opened: names of the modules to trace into.
        image_shape: height, width and channels of the images.

    Attributes:
        opened: names of the modules that were traced into.
        graph: the same in training and in evaluation, except for flags that say which of the two it is.
        returned: the output node of each module that is called once and returns a tensor, by the module's name.
        called_again: names of modules that are called more than once.
        constants: names of buffers that are not in the model's state dict; every layer that uses one has it.
    """

    def __init__(self, model: nn.Module, opened: Collection[str], image_shape: tuple[int, int, int]) -> None:
        was_training = model.training
        self.opened = frozenset(opened)
        self.constants = {name for name, _ in model.named_buffers()} - model.state_dict().keys()
        try:
            _constants(model)  # removes those of an earlier trace
            in_training, _ = _traced(model.train(), opened)
            constants = _constants(model)
            self.graph, returned = _traced(model.eval(), opened)
        finally:
            model.train(was_training)
        for name, tensor in constants.items():
            if not torch.equal(tensor, getattr(model, name, torch.empty(0))):
                raise CutError("its forward uses different constants in training than in evaluation")
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
        """All nodes that the logits are computed from; those that only check shapes are left out."""
        return below(self.logits)

    def is_constant(self, node: fx.Node) -> bool:
        """Whether a node is one of `constants`."""
        return node.op == "get_attr" and str(node.target) in self.constants

    @property
    def logits(self) -> fx.Node:
        """The node of the logits; CutError if the model does not return a single tensor."""
        (result,) = self.graph.output_node().args
        if not isinstance(result, fx.Node):
            raise no_logits(result)
        return result


def _traced(model: nn.Module, opened: Collection[str]) -> tuple[fx.Graph, dict[str, list[Any]]]:
    tracer = _Tracer(opened)
    before = generator_states()
    parameters = inspect.signature(model.forward).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    try:
        graph = tracer.trace(model, concrete_args=defaults or None)
    except CutError:
        raise
    except Exception as error:  # whatever the model's own code raises when it gets no real tensors
        first_line = (str(error).splitlines() or [""])[0]
        forward = f"{tracer.failed}.forward" if tracer.failed else "its forward"
        raise CutError(f"{forward} cannot be traced: {type(error).__name__}: {first_line}") from error
    if generator_states() != before:  # they would be drawn once, while tracing, and never again
        raise CutError("its forward draws random numbers itself; let a module do that, such as torch.nn.Dropout")
    return graph, tracer.returned


def _ask_whether_training(model: nn.Module, graph: fx.Graph, in_training: fx.Graph) -> None:
    """Where the evaluation graph has False and the training graph True, insert a flag that is read at run time.

    CutError if they differ in anything else, such as a head that exists only in training.
    """
    nodes, others = list(graph.nodes), list(in_training.nodes)
    for node, other in zip(nodes, others, strict=False):
        if (node.op, str(node.target)) != (other.op, str(other.target)):
            raise CutError(_other_path(nodes, others))
    if len(nodes) != len(others):
        raise CutError(_other_path(nodes, others))
    for node, other in zip(nodes, others, strict=True):
        if repr((node.args, node.kwargs)) == repr((other.args, other.kwargs)):
            continue
        if not hasattr(model, _FLAG):
            model.add_module(_FLAG, _IsTraining())
        with graph.inserting_before(node):  # one per node, because a shared one would cross cuts
            flag = graph.call_module(_FLAG)
        node.args = _merged(node.args, other.args, flag)
        node.kwargs = _merged(node.kwargs, other.kwargs, flag)


def _constants(model: nn.Module) -> dict[str, torch.Tensor]:
    """Remove and return the tensors that tracing a forward has stored in the model."""
    names = [name for name in vars(model) if name.startswith(_CONSTANT)]
    return {name: vars(model).pop(name) for name in names}


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
        return f"{only[0]} is used only in training, like an auxiliary head, which its builder may be able to omit"
    if only := sorted(called[0] - called[1]):
        return f"{only[0]} is used only in evaluation"
    return "its forward takes a different path in training than in evaluation"


def no_logits(result: object) -> CutError:
    """The error for a model that returns something other than a tensor."""
    what = f"{len(result)} results" if isinstance(result, tuple | list) else f"a {type(result).__name__}"
    return CutError(
        f"it returns {what}, not one tensor of B x classes; return the logits alone, by a subclass "
        "with another forward, whose weights keep their names"
    )


def _fill_in_sizes(graph: fx.Graph, image_shape: tuple[int, int, int]) -> None:
    """Replace the images' height, width and channels, and what depends on them, by numbers, so they cross no cut."""
    height, width, channels = image_shape
    sizes = {1: channels, 2: height, 3: width}
    values: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        dimension = dimension_of_images(node)
        node.args = fx.map_arg(node.args, lambda argument: values.get(argument, argument))
        node.kwargs = fx.map_arg(node.kwargs, lambda argument: values.get(argument, argument))
        if dimension:
            values[node] = sizes[dimension]
        elif (shown := _part_of_shape(node)) is not None and 0 not in range(_DIMENSIONS)[shown]:
            values[node] = (0, channels, height, width)[shown]
        elif getattr(node.target, "__module__", "") == "_operator" and not node.all_input_nodes:
            values[node] = node.target(*node.args, **node.kwargs)


def _part_of_shape(node: fx.Node) -> slice | None:
    """The slice of ``x.shape[slice]``, where x is the batch of images given to the model."""
    match node.target, node.args:
        case operator.getitem, (fx.Node(args=(fx.Node(op="placeholder"), "shape")) as shape, slice() as part):
            return part if shape.target is getattr else None
    return None


def dimension_of_images(node: fx.Node) -> int | None:
    """The k of ``x.shape[k]`` or ``x.size(k)``, where x is the batch of images given to the model."""
    match node.target, node.args:
        case "size", (fx.Node(op="placeholder"), int() as dimension):
            return dimension % _DIMENSIONS
        case operator.getitem, (fx.Node(target="size", args=(fx.Node(op="placeholder"),)), int() as dimension):
            return dimension % _DIMENSIONS
        case operator.getitem, (fx.Node(args=(fx.Node(op="placeholder"), "shape")) as shape, int() as dimension):
            return dimension % _DIMENSIONS if shape.target is getattr else None
    return None


def below(node: fx.Node) -> set[fx.Node]:
    """A node and all that it is computed from, except the batch size, which every layer can get from its input."""
    found, open_nodes = {node}, [node]
    while open_nodes:
        new = {needed for needed in open_nodes.pop().all_input_nodes if dimension_of_images(needed) != 0} - found
        found |= new
        open_nodes += new
    return found
