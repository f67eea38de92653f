from pathlib import Path

from transferability.figures.style import figure_style, save
from transferability.figures.training import learning_curves
from transferability.process.log import job_log
from transferability.results.accuracies import read_table

split, colors = snakemake.wildcards.split, snakemake.params.colors

with job_log(Path(snakemake.log[0]), f"learning curves of {split}"), figure_style(colors):
    paths = map(Path, snakemake.input.histories)
    histories = {path.name.removesuffix(".history.csv"): read_table(path) for path in paths}
    save(learning_curves(histories), *map(Path, snakemake.output.figure))
