from pathlib import Path

from transferability.process.log import job_log
from transferability.results.accuracies import Results, read_accuracies
from transferability.results.tables import write_tables
from transferability.study.names import HALVES

params = snakemake.params

with job_log(Path(snakemake.log[0]), "tables"):
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    results = Results.by(
        accuracies,
        params.metric,
        params.max_drop,
        params.layers,
        params.unlearned,
        groups=params.groups,
        targets=params.get("targets", HALVES),
    )
    write_tables(results, {name: Path(path) for name, path in snakemake.output.items()})
