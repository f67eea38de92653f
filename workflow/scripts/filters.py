from pathlib import Path

from transferability.figures.style import figure_style, save
from transferability.figures.training import first_layer_filters
from transferability.process.log import job_log
from transferability.records.checkpoints import first_layer_weights

with job_log(Path(snakemake.log[0]), "first-layer filters"), figure_style():
    weights = {}
    for path in map(Path, snakemake.input.checkpoints):
        seed, split = path.parent.name, path.parent.parent.name
        weights[f"{split}, {seed}, {path.stem}"] = first_layer_weights(path, snakemake.params.filters)
    save(first_layer_filters(weights), *map(Path, snakemake.output.figure))
