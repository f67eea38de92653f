from pathlib import Path

from transferability.accuracies import collect
from transferability.files import by_stem, write_table
from transferability.joblog import job_log
from transferability.metrics import read_metrics
from transferability.outdated import read_splits, require_current
from transferability.store import read_manifest
from transferability.study import read_study

with job_log(Path(snakemake.log[0]), "accuracies"):
    study = read_study(snakemake.config)
    files = study.files_of_networks(snakemake.input.metrics)
    checksum = read_manifest(Path(snakemake.input.store[0]).parent)["checksum"]
    splits = read_splits(by_stem(snakemake.input.splits), study)
    require_current(study, read_metrics(files), files, splits, checksum)
    write_table(Path(snakemake.output.accuracies), collect(files.values()))
