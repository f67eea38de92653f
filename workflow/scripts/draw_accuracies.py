from pathlib import Path

from transferability.accuracies import read_accuracies
from transferability.figure_style import figure_style, save
from transferability.joblog import job_log
from transferability.pictures import PICTURES

params = snakemake.params

with job_log(Path(snakemake.log[0]), "figures"), figure_style():
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    for name, paths in snakemake.output.items():
        figure = PICTURES[name](accuracies, params.statistic, params.colours, params.tolerated_loss)
        save(figure, *map(Path, paths))
