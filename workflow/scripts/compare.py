from pathlib import Path

from transferability.figures import paper as figures
from transferability.figures.style import figure_style, save
from transferability.files import write_table
from transferability.process.log import job_log
from transferability.results.accuracies import read_accuracies
from transferability.results.comparison import compare

with job_log(Path(snakemake.log[0]), "comparison"), figure_style():
    ours, published = (read_accuracies(Path(snakemake.input[name])) for name in ("ours", "published"))
    statistic = snakemake.params.statistic
    write_table(Path(snakemake.output.table), compare(ours, published, statistic))
    figure = figures.compare(ours, published, statistic, snakemake.params.colours)
    save(figure, *map(Path, snakemake.output.figure))
