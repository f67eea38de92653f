from pathlib import Path

from transferability import figures
from transferability.accuracies import read_accuracies
from transferability.figure_style import figure_style, save
from transferability.joblog import job_log

with job_log(Path(snakemake.log[0]), "figures 2 and 3"), figure_style():
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    for name, draw in (("figure2", figures.figure2), ("figure3", figures.figure3)):
        figure = draw(accuracies, snakemake.params.statistic, snakemake.params.colours)
        save(figure, *map(Path, snakemake.output[name]))
    effects = figures.effects(accuracies, snakemake.params.statistic, snakemake.params.colours)
    save(effects, *map(Path, snakemake.output.effects))
