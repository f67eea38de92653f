from pathlib import Path

from transferability.files import by_stem, write_text
from transferability.joblog import job_log
from transferability.report import ReportFiles, report
from transferability.runs import read_metrics
from transferability.study import read_study

with job_log(Path(snakemake.log[0]), "report"):
    study = read_study(snakemake.config)
    files = ReportFiles(
        accuracies=Path(snakemake.input.accuracies),
        tables=by_stem(snakemake.input.tables),
        figures=by_stem(snakemake.input.figures),
        learning_curves=by_stem(snakemake.input.learning_curves),
        filters=Path(snakemake.input.filters),
        contact_sheet=Path(snakemake.input.contact_sheet),
        halves=by_stem(snakemake.input.halves),
        splits=by_stem(snakemake.input.splits),
        benchmarks=Path(snakemake.params.benchmarks),
    )
    metrics = {
        (split, seed, network.name): Path(path)
        for (split, seed, network), path in zip(study.networks(), snakemake.input.metrics, strict=True)
    }
    write_text(Path(snakemake.output.page), report(study, files, read_metrics(metrics)))
