"""Where a study's network could be cut into layers, what lies below each cut, and why other modules cannot be cuts."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transferability.networks.build import build_network, shape_seen_by_model
from transferability.networks.library import build_model
from transferability.networks.operations import run_layers
from transferability.networks.within_blocks import Block, within_blocks
from transferability.study.design import Study
from transferability.study.foreign_networks import Description, description_of, seen_shape
from transferability.words import counted, percent, plural

_CLASSES = 10  # of the head, which is above every cut
_NAMED, _WIDTH = 5, 120  # how many blocks of a kind are named; characters in a line


@dataclass(frozen=True)
class CutRow:
    """A module after which a network could or could not be cut.

    Attributes:
        name: the module's name.
        depth: the n of the study's networks that are cut there; None if it does not cut there.
        parameters: the fraction of the network's parameters below the cut, from 0 to 1.
        operations: the fraction of the forward pass's operations below the cut; None where they were not counted.
        shape: the shape of the features that cross the cut, without the batch dimension; empty where it is not known.
        why_not: why it is not a cut point; empty if it is one.
    """

    name: str
    depth: int | None
    parameters: float
    operations: float | None
    shape: tuple[int, ...]
    why_not: str


def cut_rows(study: Study) -> list[CutRow]:
    """All modules that are known to be cut points or not, lowest first."""
    settings = study.settings("base")
    if settings.foreign is None:
        return list(_own_layers(study))
    description = description_of(study.config)
    depths = {name: depth for depth, name in enumerate(description.cuts, start=1)}
    return list(_rows(description, depths))


def _rows(description: Description, depths: Mapping[str, int]) -> Iterator[CutRow]:
    parameters, operations = sum(description.parameters), sum(description.operations)
    rows = list(description.points)
    shown = {name for point in rows for name in point["same"]}
    rows += [_at_cut(description, name, depth) for name, depth in depths.items() if name not in shown]
    for point in sorted(rows, key=lambda point: int(point["parameters_below"])):
        name = next((name for name in point["same"] if name in depths), point["name"])
        below = point["operations_below"]
        yield CutRow(
            name=name,
            depth=depths.get(name),
            parameters=point["parameters_below"] / parameters,
            operations=None if below is None else below / operations,
            shape=tuple(point["shape"] or ()),
            why_not=point["why_not"],
        )


def _at_cut(description: Description, name: str, depth: int) -> dict[str, Any]:
    """The point of one of the study's cuts that is not among the points found."""
    return {
        "name": name,
        "same": [name],
        "parameters_below": sum(description.parameters[:depth]),
        "operations_below": sum(description.operations[:depth]),
        "shape": description.shapes[depth - 1],
        "why_not": "",
    }


def _own_layers(study: Study) -> Iterator[CutRow]:
    """The rows of one of this project's own networks, whose layers are fixed."""
    shape = seen_shape(study.config)
    network = build_network(study.settings("base").architecture, shape, _CLASSES, 0)
    operations, shapes = run_layers(network, shape)
    parameters = [sum(parameter.numel() for parameter in layer.parameters()) for layer in network]
    for depth, name in enumerate(study.layers[:-1], start=1):
        shares = sum(parameters[:depth]) / sum(parameters), sum(operations[:depth]) / sum(operations)
        yield CutRow(name, depth, *shares, shapes[depth - 1], "")


def blocks_of(study: Study) -> list[Block]:
    """The blocks of a study's network and what is within them; none for this project's own, whose layers are fixed."""
    settings = study.settings("base")
    if settings.foreign is None:
        return []
    shape = shape_seen_by_model(settings.architecture, seen_shape(study.config))
    return within_blocks(build_model(settings.architecture, dict(settings.foreign.options), shape, _CLASSES, 0), shape)


def blocks_text(blocks: Sequence[Block]) -> str:
    """What is within blocks, with identical ones grouped; empty without blocks."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for block in blocks:
        if lines := tuple(_lines_within(block)):
            alike.setdefault(lines, []).append(block.name)
    texts = [line for lines, names in alike.items() for line in (_names(names), *lines)]
    return "\n".join(["within blocks, by the names in them:", *texts]) if texts else ""


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return _wrapped(f"{', '.join(names[:_NAMED])}{more}", 2)


def _lines_within(block: Block) -> Iterator[str]:
    if block.refused:
        yield _wrapped(f"cannot be looked into: {block.refused}", 4)
    parts: dict[str, list[str]] = {}
    for part, why_not in block.why_not.items():
        parts.setdefault(why_not, []).append(part)
    for why_not, names in parts.items():
        what = (
            f"no cut {plural(len(names), 'point')}: {why_not}" if why_not else f"cut {plural(len(names), 'point')} too"
        )
        yield _wrapped(f"{', '.join(names)}: {what}", 4)


def _wrapped(text: str, indent: int) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 6))


def cuts_text(study: Study, rows: Sequence[CutRow]) -> str:
    """A table for a terminal, with one line per module, and what its numbers mean."""
    width = max(len(row.name) for row in rows)
    height, image_width, channels = seen_shape(study.config)
    head = f"{'n':>3}  {'module':{width}}  parameters  operations  features"
    lines = [
        f"{study.config['networks']['architecture']} at {height} x {image_width} pixels, "
        f"{counted(channels, 'channel')}: {counted(len(study.layers), 'layer')}, the last of them {study.layers[-1]}",
        head,
        *(_line(row, width) for row in rows),
        "n: the depth at which this study cuts behind the module; parameters and operations: the share that is below,",
        "of a network for 10 classes; features: the shape of what crosses, for one image.",
    ]
    return "\n".join(lines)


def _line(row: CutRow, width: int) -> str:
    depth = "" if row.depth is None else str(row.depth)
    operations = "" if row.operations is None else f"{percent(row.operations)} %"
    last = f"no cut point: {row.why_not}" if row.why_not else " x ".join(map(str, row.shape))
    return f"{depth:>3}  {row.name:{width}}  {percent(row.parameters):>8} %  {operations:>10}  {last}".rstrip()
