from pathlib import Path

from transferability.accuracies import read_accuracies
from transferability.figure_style import figure_style
from transferability.joblog import job_log
from transferability.pictures import draw_pictures

params = snakemake.params

with job_log(Path(snakemake.log[0]), "figures"), figure_style():
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    paths = {name: list(map(Path, files)) for name, files in snakemake.output.items()}
    draw_pictures(accuracies, paths, params.statistic, params.colours, params.tolerated_loss)
