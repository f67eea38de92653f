from pathlib import Path

from transferability.figures.pictures import draw_pictures
from transferability.figures.style import figure_style
from transferability.process.log import job_log
from transferability.results.accuracies import Results, read_accuracies

params = snakemake.params

with job_log(Path(snakemake.log[0]), "figures"), figure_style(params.colors):
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    results = Results.asked(accuracies, dict(params.items()))
    draw_pictures(results, {name: list(map(Path, files)) for name, files in snakemake.output.items()})
