from pathlib import Path

from transferability.accuracies import collect
from transferability.files import write_table
from transferability.joblog import job_log

with job_log(Path(snakemake.log[0]), "accuracies"):
    write_table(Path(snakemake.output.accuracies), collect(map(Path, snakemake.input.metrics)))
