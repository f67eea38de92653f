from functools import partial
from pathlib import Path

from transferability import figures
from transferability.accuracies import read_accuracies
from transferability.figure_style import figure_style, save
from transferability.joblog import job_log
from transferability.reuse_figure import reuse_figure

DRAW = {
    "figure2": figures.figure2,
    "figure3": figures.figure3,
    "effects": figures.effects,
    "reduced": figures.reduced,
    "reuse": partial(reuse_figure, tolerated_loss=snakemake.params.tolerated_loss),
}

with job_log(Path(snakemake.log[0]), "figures"), figure_style():
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    for name, paths in snakemake.output.items():
        figure = DRAW[name](accuracies, snakemake.params.statistic, snakemake.params.colours)
        save(figure, *map(Path, paths))
