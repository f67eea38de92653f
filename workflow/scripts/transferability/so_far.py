"""Tables and figures of the networks of a study that are finished, while others are not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from transferability.accuracies import collect
from transferability.checkpoints import first_layer_weights
from transferability.figure_style import save
from transferability.figures import first_layer_filters, learning_curves
from transferability.files import write_table
from transferability.pictures import PICTURES
from transferability.runs import Key
from transferability.series import NetworkFiles
from transferability.study import Study
from transferability.tables import TABLES


def drawn_so_far(study: Study, metrics: Mapping[Key, Path], folder: Path) -> dict[str, Any]:
    """Write the tables and figures of all finished networks to a folder; what is there is overwritten.

    Returns:
        fields of `transferability.report.ReportFiles`: accuracies, tables, figures, learning_curves and filters.

    Raises:
        ValueError: no network is finished.
    """
    there = {key: path for key, path in metrics.items() if path.exists()}
    if not there:
        raise ValueError(f"{study.folder}: no network is finished yet; there is nothing to report")
    settings = study.config["figures"]
    statistic, colours, tolerated = settings["statistic"], settings["colours"], settings["tolerated_loss"]
    accuracies = collect(there.values())
    write_table(folder / "accuracies.csv", accuracies)
    tables, figures = {}, {}
    for name, make in TABLES.items():
        table = make(accuracies, statistic, tolerated)
        if isinstance(table, pd.DataFrame):
            tables[name] = folder / f"{name}.csv"
            write_table(tables[name], table)
    for name, draw in PICTURES.items():
        if name != "reduced" or study.reduced:
            figures[name] = folder / "figures" / f"{name}.png"
            save(draw(accuracies, statistic, colours, tolerated), figures[name])
    filters = folder / "figures" / "first_layer_filters.png"
    _draw_filters(study, there, filters)
    return {
        "accuracies": folder / "accuracies.csv",
        "tables": tables,
        "figures": figures,
        "learning_curves": _draw_learning_curves(there, colours, folder / "figures" / "learning_curves"),
        "filters": filters,
    }


def _draw_learning_curves(there: Mapping[Key, Path], colours: Mapping[str, str], folder: Path) -> dict[str, Path]:
    pictures = {}
    for split, seed in sorted({(split, seed) for split, seed, _ in there}):
        histories = {
            name: pd.read_csv(_files(path).history)
            for (of_split, of_seed, name), path in there.items()
            if (of_split, of_seed) == (split, seed) and _files(path).history.exists()
        }
        title = f"{split}_seed{seed}"
        pictures[title] = folder / f"{title}.png"
        save(learning_curves(histories, colours), pictures[title])
    return pictures


def _draw_filters(study: Study, there: Mapping[Key, Path], picture: Path) -> None:
    checkpoints = {
        f"{split}, seed{seed}, {network.name}": _files(there[split, seed, network.name]).checkpoint
        for split, seed, network in study.drawn_bases()
        if (split, seed, network.name) in there
    }
    weights = {title: first_layer_weights(path) for title, path in checkpoints.items() if path.exists()}
    if weights:
        save(first_layer_filters(weights), picture)


def _files(metrics: Path) -> NetworkFiles:
    return NetworkFiles.beside(metrics.with_name(metrics.name.replace(".metrics.json", ".safetensors")))
