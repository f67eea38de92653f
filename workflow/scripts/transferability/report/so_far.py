"""Tables and figures of a study's finished networks while others are still unfinished."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transferability.figures.catalog import drawn_of
from transferability.figures.pictures import draw_pictures
from transferability.figures.style import save
from transferability.figures.training import first_layer_filters, learning_curves
from transferability.files import write_table
from transferability.records.checkpoints import first_layer_weights
from transferability.records.metrics import read_metrics
from transferability.results.accuracies import Results, collect_contents, read_table
from transferability.results.tables import TABLES, write_tables
from transferability.study.data_sets import checksums_there
from transferability.study.design import Key, Study
from transferability.study.layout import NetworkFiles
from transferability.study.split_types import random_first


def current_networks(study: Study, metrics: Mapping[Key, Path]) -> dict[Key, dict[str, Any]]:
    """The metrics of the networks that are finished and have the config's settings.

    After a change to the config, networks that it affects stay in place until their jobs start again; they no longer
    belong to the study and are left out.
    """
    contents = read_metrics(metrics)
    current = study.current(contents, checksums_there(study.data_sets))
    return {key: content for key, content in contents.items() if key in current}


def drawn_so_far(
    study: Study, networks: Mapping[Key, Mapping[str, Any]], metrics: Mapping[Key, Path], folder: Path
) -> dict[str, Any]:
    """Write tables and figures of some networks to a folder, replacing its content; call it inside `figure_style`.

    Args:
        study: the study.
        networks: the networks, as returned by `current_networks`.
        metrics: the path of each network's metrics, with its weights and history beside it.
        folder: the folder to write to.

    Returns:
        Fields of `report.study_page.ReportFiles`: accuracies, tables, figures, learning_curves and filters.

    Raises:
        ValueError: no network is finished.
    """
    if not networks:
        raise ValueError(
            f"{study.folder}: no network is finished with the config's settings; there is nothing to report"
        )
    shutil.rmtree(folder, ignore_errors=True)
    accuracies = collect_contents(((str(metrics[key]), content) for key, content in networks.items()), study.layers)
    results = Results.of_study(accuracies, study)
    there = {key: metrics[key] for key in networks}
    write_table(folder / "accuracies.csv", accuracies)
    tables = {name: folder / f"{name}.csv" for name in TABLES if name != "headline"}
    write_tables(results, tables)
    figures = {name: folder / "figures" / f"{name}.png" for name in drawn_of(study)}
    draw_pictures(results, {name: [path] for name, path in figures.items()})
    filters = folder / "figures" / "first_layer_filters.png"
    _draw_filters(study, there, filters)
    return {
        "accuracies": folder / "accuracies.csv",
        "tables": tables,
        "figures": figures,
        "learning_curves": _draw_learning_curves(there, folder / "figures" / "learning_curves"),
        "filters": filters,
    }


def _draw_learning_curves(there: Mapping[Key, Path], folder: Path) -> dict[str, Path]:
    pictures = {}
    for split, seed in sorted(
        {(split, seed) for split, seed, _ in there}, key=lambda key: (random_first(key[0]), key[1])
    ):
        histories = {
            name: read_table(_files(path).history)
            for (of_split, of_seed, name), path in there.items()
            if (of_split, of_seed) == (split, seed) and _files(path).history.exists()
        }
        title = f"{split}_seed{seed}"
        pictures[title] = folder / f"{title}.png"
        save(learning_curves(histories), pictures[title])
    return pictures


def _draw_filters(study: Study, there: Mapping[Key, Path], picture: Path) -> None:
    checkpoints = {
        f"{split}, seed{seed}, {network.name}": _files(there[split, seed, network.name]).checkpoint
        for split, seed, network in study.drawn_bases()
        if (split, seed, network.name) in there
    }
    weights = {title: first_layer_weights(path, study.filters) for title, path in checkpoints.items() if path.exists()}
    if weights:
        save(first_layer_filters(weights), picture)


def _files(metrics: Path) -> NetworkFiles:
    return NetworkFiles.beside(metrics.with_name(metrics.name.replace(".metrics.json", ".safetensors")))
