"""Why a model is not cut within its blocks: what else crosses there, module by module."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import fx, nn

from transferability.networks.cut_points import explore, is_of_torch, used_on_both_sides
from transferability.networks.cuts import crossing
from transferability.networks.tracing import CutError, Traced


@dataclass(frozen=True)
class Block:
    """A module after which cuts are made, and not inside it.

    Attributes:
        name: of the module.
        why_not: why each of its parts, by its name in the module, is not a cut point; empty for one that is.
        refused: why it cannot be traced into; otherwise empty.
    """

    name: str
    why_not: dict[str, str]
    refused: str = ""


def within_blocks(model: nn.Module, image_shape: tuple[int, int, int]) -> list[Block]:
    """The blocks of a model, lowest first, with their parts and the parts of sequences among them.

    CutError if not even the model's own forward can be traced.

    Args:
        model: on the CPU.
        image_shape: height, width and channels of the images.
    """
    traced, _ = explore(model, image_shape)
    lower = traced.needed - {traced.logits}
    called = (str(node.target) for node in traced.graph.nodes if node.op == "call_module" and node in lower)
    names = [name for name in dict.fromkeys(called) if _has_parts(model.get_submodule(name))]
    try:
        opened = _looked_into(model, traced, names, image_shape)
    except CutError:  # some cannot be traced into, so one by one
        return [_block(model, traced, name, image_shape) for name in names]
    return [Block(name, dict(_why_not(model, opened, name))) for name in names]


def _has_parts(module: nn.Module) -> bool:
    return not is_of_torch(type(module)) and any(any(True for _ in child.parameters()) for child in module.children())


def _looked_into(model: nn.Module, traced: Traced, names: list[str], image_shape: tuple[int, int, int]) -> Traced:
    """The model also traced into these blocks and sequences in them; CutError if one of them cannot be."""
    inside = (f"{name}.{part}" for name in names for part, module in _parts(model, name) if _is_sequence(module))
    return Traced(model, {*traced.opened, *names, *inside}, image_shape)


def _block(model: nn.Module, traced: Traced, name: str, image_shape: tuple[int, int, int]) -> Block:
    try:
        opened = _looked_into(model, traced, [name], image_shape)
    except CutError as error:
        return Block(name, {}, str(error))
    return Block(name, dict(_why_not(model, opened, name)))


def _parts(model: nn.Module, block: str) -> Iterator[tuple[str, nn.Module]]:
    """The modules in a block by their names in it; those in a sequence follow it."""
    for name, child in model.get_submodule(block).named_children():
        yield name, child
        if _is_sequence(child):
            yield from ((f"{name}.{part}", module) for part, module in child.named_children())


def _is_sequence(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential)


def _why_not(model: nn.Module, traced: Traced, block: str) -> Iterator[tuple[str, str]]:
    for part, _ in _parts(model, block):
        name = f"{block}.{part}"
        if name in traced.called_again:
            yield part, "called more than once"
            continue
        node = traced.returned.get(name)
        if node not in traced.needed or node is traced.returned.get(block):  # unused, or the end of the block
            continue
        if others := crossing(traced, node):
            yield part, f"{_in_block(others[0], block)} crosses too"
        else:
            shared = used_on_both_sides(model, traced, node)
            yield part, f"{shared[0]} is used above too" if shared else ""


def _in_block(node: fx.Node, block: str) -> str:
    """What a node is from the point of view of its block, so that similar blocks have the same words."""
    if not _is_in(node, block):
        return (
            "what the block is given" if any(_is_in(user, block) for user in node.users) else "what is beside the block"
        )
    target = str(node.target)
    return f"the output of {target.removeprefix(f'{block}.')}" if node.op == "call_module" else "an intermediate result"


def _is_in(node: fx.Node, block: str) -> bool:
    return block in node.meta.get("nn_module_stack", ())  # flags that tell the two modes apart have none
