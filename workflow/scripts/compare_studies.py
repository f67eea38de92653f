from pathlib import Path

from transferability import figures, statistics
from transferability.accuracies import read_accuracies
from transferability.figure_style import figure_style, save
from transferability.files import write_table
from transferability.joblog import job_log

with job_log(Path(snakemake.log[0]), "comparison"), figure_style():
    ours, published = (read_accuracies(Path(snakemake.input[name])) for name in ("ours", "published"))
    statistic = snakemake.params.statistic
    write_table(Path(snakemake.output.table), statistics.compare(ours, published, statistic))
    figure = figures.compare(ours, published, statistic, snakemake.params.colours)
    save(figure, *map(Path, snakemake.output.figure))
