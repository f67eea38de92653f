from pathlib import Path

from transferability.process.log import job_log
from transferability.results.accuracies import Results, read_accuracies
from transferability.results.tables import write_tables

with job_log(Path(snakemake.log[0]), "tables"):
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    results = Results.asked(accuracies, dict(snakemake.params.items()))
    write_tables(results, {name: Path(path) for name, path in snakemake.output.items()})
