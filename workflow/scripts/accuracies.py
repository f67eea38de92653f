from pathlib import Path

from transferability.files import by_stem, write_table
from transferability.inspection.outdated import read_splits, require_current
from transferability.process.log import job_log
from transferability.records.metrics import read_metrics
from transferability.results.accuracies import collect
from transferability.store.reading import read_manifest
from transferability.study.design import read_study

with job_log(Path(snakemake.log[0]), "accuracies"):
    study = read_study(snakemake.config)
    files = study.files_of_networks(snakemake.input.metrics)
    manifests = map(Path, snakemake.input.store)
    checksums = {
        name: read_manifest(path.parent)["checksum"] for name, path in zip(study.data_sets, manifests, strict=True)
    }
    splits = read_splits(by_stem(snakemake.input.splits), study)
    require_current(study, read_metrics(files), files, splits, checksums)
    write_table(Path(snakemake.output.accuracies), collect(files.values(), study.layers))
