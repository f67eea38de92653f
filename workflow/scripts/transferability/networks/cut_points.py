"""Where a model of any shape can be cut, and at which of these points a study cuts it.

``blocks`` are as many cut points as possible with a learned operation between any two; ``stages`` are those customary
for a family of models, such as the four of a ResNet.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import fx, nn

from transferability.networks.cuts import crossing, node_in_words, parameters_in
from transferability.networks.tracing import CutError, Traced, below

STAGES, BLOCKS = "stages", "blocks"

_SEQUENCES = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
# Modules that follow weights within a layer, in addition to those with parameters.
_FOLLOWS = (
    nn.MaxPool2d,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    nn.Tanh,
    nn.Sigmoid,
)

# For each family, given by how its architectures' names begin: the modules that end stages. The first match counts.
_STAGES = (
    (r"torchvision/alexnet", r"features\.(2|5|7|9|12)|classifier\.(2|5)"),
    (r"torchvision/(resnet|resnext|wide_resnet)", r"maxpool|layer\d"),
    (r"timm/(resnet|resnext|wide_resnet|seresnet|ecaresnet|res2net|gluon_res)", r"maxpool|layer\d"),
    (r"(torchvision|timm)/densenet", r"features\.(pool0|transition\d|norm5)"),
    (r"torchvision/(mobilenet|efficientnet|mnasnet)", r"features\.\d+|layers\.(2|5|8|9|10|11|12|13|16)"),
    (r"timm/(mobilenet|efficientnet|tf_efficientnet|mnasnet|lcnet)", r"bn1|blocks\.\d+"),
    (r"torchvision/regnet", r"stem|trunk_output\.block\d"),
    (r"torchvision/shufflenet", r"maxpool|stage\d|conv5"),
    (r"timm/regnet", r"stem|s\d"),
    (r"torchvision/(convnext|swin)", r"features\.(0|[1357])"),
    (r"timm/convnext", r"stem|stages\.\d"),
    (r"timm/swin", r"patch_embed|layers\.\d"),
)
_IN_THIRDS = r"torchvision/vit_|timm/(vit_|deit|beit|mixer)"  # blocks are all alike
_POOLS = r"torchvision/vgg|timm/vgg"


@dataclass(frozen=True)
class CutPoint:
    """A module of a model, and what is known about cutting after it.

    Attributes:
        name: of the module.
        node: its output.
        why_not: why it is not a cut point; empty if it is one.
        parameters: names of the parameters below.
        learned: those with two or more dimensions, the weights of learned operations.
    """

    name: str
    node: fx.Node
    why_not: str
    parameters: frozenset[str]
    learned: frozenset[str]


def explore(model: nn.Module, image_shape: tuple[int, int, int]) -> tuple[Traced, list[CutPoint]]:
    """A model's graph, traced down to its blocks, and the modules in it that return a tensor, lowest first.

    CutError if not even its own forward can be traced.
    """
    opened, refused = set[str](), set[str]()
    traced = Traced(model, opened, image_shape)
    while closed := {name for name in _called(traced) - refused if _holds_blocks(model.get_submodule(name))}:
        for name in sorted(closed):
            if _opened(model, {*opened, name}, image_shape) is None:
                refused.add(name)
            else:
                opened.add(name)
        traced = Traced(model, opened, image_shape)
    return traced, _cut_points(model, traced)


def _called(traced: Traced) -> set[str]:
    return {str(node.target) for node in traced.graph.nodes if node.op == "call_module"}


def _holds_blocks(module: nn.Module) -> bool:
    """Whether a module is a sequence of modules, or directly contains one, all of one non-torch class."""
    sequences = [part for part in module.modules() if isinstance(part, _SEQUENCES)]
    if module in sequences:
        return True
    classes = [{type(child) for child in part.children()} for part in sequences if part in module.children()]
    return any(len(kinds) == 1 and _is_a_block(*kinds) for kinds in classes)


def _is_a_block(kind: type[nn.Module]) -> bool:
    return not is_of_torch(kind) and not issubclass(kind, _SEQUENCES)


def is_of_torch(kind: type[nn.Module]) -> bool:
    """Whether a class of modules is one of torch's own."""
    return kind.__module__.startswith("torch.nn.")


def _opened(model: nn.Module, names: set[str], image_shape: tuple[int, int, int]) -> Traced | None:
    try:
        return Traced(model, names, image_shape)
    except CutError:
        return None


def _cut_points(model: nn.Module, traced: Traced) -> list[CutPoint]:
    """Modules, lowest first, including all of those that return the same tensor."""
    position = {node: number for number, node in enumerate(traced.graph.nodes)}
    found = []
    for name, node in sorted(traced.returned.items(), key=lambda item: position[item[1]]):
        if node not in traced.needed or node is traced.logits:
            continue
        others, shared = crossing(traced, node), used_on_both_sides(model, traced, node)
        why_not = f"{shared[0]} is used above it too" if shared else ""
        if others:
            why_not = f"{node_in_words(others[0])} crosses it too"
        parameters = dict(parameters_in(below(node), model))
        weights = frozenset(name for name, parameter in parameters.items() if parameter.dim() > 1)
        found.append(CutPoint(name, node, why_not, frozenset(parameters), weights))
    return found


def used_on_both_sides(model: nn.Module, traced: Traced, node: fx.Node) -> list[str]:
    """Sorted names of the parameters that are used both below and above a node."""
    lower = below(node)
    sides = (dict(parameters_in(nodes, model)).keys() for nodes in (lower, traced.needed - lower))
    return sorted(set.intersection(*map(set, sides)))


def chosen_cuts(architecture: str, model: nn.Module, points: Sequence[CutPoint], cuts: str) -> list[str]:
    """The names of a model's stages or blocks, lowest first; CutError if it has none.

    Args:
        architecture: its name, which determines the family.
        model: the model that the cut points belong to.
        points: from `explore`.
        cuts: ``stages`` or ``blocks``.
    """
    all_blocks = blocks(model, points)
    chosen = all_blocks if cuts == BLOCKS else _stages(architecture, model, points, all_blocks)
    if not chosen:
        raise CutError("it has no cut points with weights below and above them; name some in networks.cuts")
    return chosen


def blocks(model: nn.Module, points: Sequence[CutPoint]) -> list[str]:
    """As many cut points as possible with weights between any two, each as high as possible."""
    everything = frozenset(name for name, parameter in model.named_parameters() if parameter.dim() > 1)
    last: dict[int, CutPoint] = {}  # by number of weights below
    for point in points:
        if _ends_a_layer(model, point) and not point.why_not and 0 < len(point.learned) < len(everything):
            last[len(point.learned)] = point
    return _named(points, [last[count].node for count in sorted(last)])


def _ends_a_layer(model: nn.Module, point: CutPoint) -> bool:
    """Whether a module belongs to the weights before it, not, like dropout or average pooling, to what it feeds."""
    module = model.get_submodule(point.name)
    if any(parameter.dim() > 1 for parameter in module.parameters()):
        return True
    parent, _, _ = point.name.rpartition(".")
    leads = parent and not any(name.startswith(f"{parent}.") for name in point.learned)  # such as a head's norm
    return not leads and (isinstance(module, _FOLLOWS) or any(True for _ in module.parameters()))


def _named(points: Sequence[CutPoint], nodes: Sequence[fx.Node]) -> list[str]:
    """A name for each node: the outermost module that ends there and contains none of the other nodes' modules."""
    names = {node: [point.name for point in points if point.node is node] for node in nodes}
    inside = [name for of_node in names.values() for name in of_node]

    def outermost(node: fx.Node) -> str:
        by_length = sorted(names[node], key=lambda name: name.count("."))
        alone = [n for n in by_length if not any(i.startswith(f"{n}.") for i in inside if i not in names[node])]
        return (alone or by_length[-1:])[0]

    return list(map(outermost, nodes))


def _stages(architecture: str, model: nn.Module, points: Sequence[CutPoint], all_blocks: Sequence[str]) -> list[str]:
    if re.match(_IN_THIRDS, architecture) and all_blocks:
        first, *alike = all_blocks
        thirds = sorted({-(-len(alike) * k // 3) - 1 for k in (1, 2, 3)})
        return [first, *(alike[index] for index in thirds if index >= 0)]
    if re.match(_POOLS, architecture):
        return [n for n in all_blocks if isinstance(model.get_submodule(n), nn.MaxPool2d) or "features" not in n]
    for family, ends in _STAGES:
        if re.match(family, architecture):
            found = {point.node: point.name for point in points if re.fullmatch(ends, point.name)}
            return list(found.values())
    return list(all_blocks)
