from pathlib import Path

from transferability.accuracies import read_accuracies
from transferability.files import write_table, write_text
from transferability.joblog import job_log
from transferability.tables import TABLES

with job_log(Path(snakemake.log[0]), "tables"):
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    for name, path in snakemake.output.items():
        made = TABLES[name](accuracies, snakemake.params.statistic, snakemake.params.tolerated_loss)
        write = write_text if isinstance(made, str) else write_table
        write(Path(path), made)
