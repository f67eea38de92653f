from pathlib import Path

from transferability.figures.pictures import draw_pictures
from transferability.figures.style import figure_style
from transferability.process.log import job_log
from transferability.results.accuracies import read_accuracies

params = snakemake.params

with job_log(Path(snakemake.log[0]), "figures"), figure_style():
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    paths = {name: list(map(Path, files)) for name, files in snakemake.output.items()}
    draw_pictures(accuracies, paths, params.metric, params.colors, params.max_drop)
