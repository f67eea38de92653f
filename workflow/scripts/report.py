from pathlib import Path

from transferability.files import by_stem, write_text
from transferability.inspection.outdated import read_splits, require_current
from transferability.process.log import job_log
from transferability.records.metrics import read_metrics
from transferability.report.study_page import ReportFiles, report
from transferability.store.reading import read_manifest
from transferability.study.design import read_study

with job_log(Path(snakemake.log[0]), "report"):
    study = read_study(snakemake.config)
    files = ReportFiles(
        accuracies=Path(snakemake.input.accuracies),
        tables=by_stem([*snakemake.input.tables, *snakemake.input.get("proxy_tables", [])]),
        figures=by_stem(snakemake.input.figures),
        learning_curves=by_stem(snakemake.input.learning_curves),
        filters=Path(snakemake.input.filters),
        contact_sheets=dict(zip(study.data_sets, map(Path, snakemake.input.contact_sheets), strict=True)),
        halves=by_stem(snakemake.input.halves),
        splits=by_stem(snakemake.input.splits),
        proxies=by_stem(snakemake.input.get("proxy_figures", [])),
        benchmarks=Path(snakemake.params.benchmarks),
        manifests={
            name: read_manifest(Path(path).parent)
            for name, path in zip(study.data_sets, snakemake.input.store, strict=True)
        },
    )
    metrics = study.files_of_networks(snakemake.input.metrics)
    networks = read_metrics(metrics)
    checksums = {name: manifest["checksum"] for name, manifest in files.manifests.items()}
    require_current(study, networks, metrics, read_splits(files.splits, study), checksums)
    write_text(Path(snakemake.output.page), report(study, files, networks))
