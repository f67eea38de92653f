from pathlib import Path

from transferability.accuracies import read_table
from transferability.figure_style import figure_style, save
from transferability.figures import learning_curves
from transferability.joblog import job_log

with job_log(Path(snakemake.log[0]), f"learning curves of {snakemake.wildcards.split}"), figure_style():
    paths = map(Path, snakemake.input.histories)
    histories = {path.name.removesuffix(".history.csv"): read_table(path) for path in paths}
    save(learning_curves(histories, snakemake.params.colours), *map(Path, snakemake.output.figure))
