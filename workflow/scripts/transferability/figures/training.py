"""What training shows besides accuracies: learning curves and first-layer filters."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from transferability.figures.style import LINES, color_of, legend_columns, mean_line, nothing_but, shared_legend
from transferability.study.amounts import more_last
from transferability.study.names import TREATMENTS, Network, Series
from transferability.study.planned_treatments import kind_of


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Validation accuracy during training, in %, of the networks of a split and seed: one panel per series.

    Colors are depths. Series are in the order of their targets and then treatments.

    Args:
        histories: a table with the columns ``iteration`` and ``validation_top1`` for each network, by name.
    """
    networks = {name: Network.parse(name) for name in histories}
    series = sorted({n.series for n in networks.values() if n.source and n.is_trained}, key=_by_target)
    if not series:
        return nothing_but("no series of networks yet")
    columns = min(5, len(series))
    rows = -(-len(series) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.6 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    depths = sorted({n.n for n in networks.values() if n.source})
    # The lightest tenth of the colors is hard to see on white.
    shade = dict(zip(depths, colormaps["viridis"](np.linspace(0, 0.9, len(depths))), strict=True))
    for axes, one in zip(panels, series, strict=False):
        base = histories.get(one.at(1).compared_with.name)
        if base is not None:
            style = {"color": color_of("base"), "linestyle": LINES["base"], "zorder": 3}
            mean_line(axes, base["iteration"], 100 * base["validation_top1"], label="base", **style)
        for name, network in sorted(networks.items(), key=lambda item: item[1].n):
            if network.source and network.series == one:
                history = histories[name]
                style = {"color": shade[network.n], "label": f"n = {network.n}"}
                mean_line(axes, history["iteration"], 100 * history["validation_top1"], **style)
        axes.set_title(f"{one.name.replace('+', '⁺')}, {kind_of(one.treatment)}")
    for axes in panels[len(series) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel("validation top-1, %")
    for axes in panels[max(0, len(series) - columns) : len(series)]:
        axes.set_xlabel("iteration")
    shared_legend(figure, panels, "outside lower center", legend_columns(figure.get_figwidth(), 1.0, most=8))
    return figure


def _by_target(series: Series) -> tuple[str, float, int, int]:
    few = more_last(series.examples_per_class)
    return series.target, few, TREATMENTS.index(series.treatment), series.preserved


def first_layer_filters(weights: Mapping[str, NDArray[np.float32]]) -> Figure:
    """First-layer filters as pictures, each stretched to its own range.

    Args:
        weights: by title, filters x channels x height x width; if there are not 3 channels, their mean is shown.
    """
    if not weights:
        return nothing_but("no filters")
    columns = min(4, len(weights))
    rows = -(-len(weights) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for axes, (title, filters) in zip(panels, weights.items(), strict=False):
        axes.imshow(_mosaic(filters), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title)
    return figure


def _mosaic(filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Filters side by side in a near-square grid with white gaps: height x width, or height x width x 3."""
    pictures = filters.transpose(0, 2, 3, 1)
    if pictures.shape[-1] != 3:
        pictures = pictures.mean(axis=-1, keepdims=True)
    low, high = (edge(pictures, axis=(1, 2, 3), keepdims=True) for edge in (np.min, np.max))
    pictures = (pictures - low) / np.maximum(high - low, np.finfo(np.float32).tiny)
    count, height, width, channels = pictures.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    mosaic = np.ones((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), dtype=np.float32)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        mosaic[top : top + height, left : left + width] = picture
    return mosaic if channels == 3 else mosaic[..., 0]
