from pathlib import Path

from transferability.figures import comparison as figures
from transferability.figures.style import figure_style, save
from transferability.files import write_table
from transferability.process.log import job_log
from transferability.results import comparison as tables
from transferability.results.accuracies import read_accuracies

with job_log(Path(snakemake.log[0]), "comparison"), figure_style():
    ours, published = (read_accuracies(Path(snakemake.input[name])) for name in ("ours", "published"))
    metric = snakemake.params.metric
    write_table(Path(snakemake.output.table), tables.compare(ours, published, metric))
    figure = figures.compare(ours, published, metric, snakemake.params.colors)
    save(figure, *map(Path, snakemake.output.figure))
