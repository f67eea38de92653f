from pathlib import Path

from transferability.figures.style import figure_style
from transferability.files import by_stem, write_text
from transferability.inspection.status import status_of
from transferability.inspection.status_text import status_text
from transferability.process.log import job_log
from transferability.report.so_far import current_networks, drawn_so_far
from transferability.report.study_page import ReportFiles, report
from transferability.store.reading import manifest_there
from transferability.study.design import read_study

params = snakemake.params

with job_log(Path(snakemake.log[0]), "report so far") as say:
    study = read_study(snakemake.config)
    folder = Path(params.folder)
    metrics = {(split, seed, name): Path(path) for (split, seed, name), path in params.metrics}
    networks = current_networks(study, metrics)
    with figure_style(study.figures.colors):
        made = drawn_so_far(study, networks, metrics, folder)
    files = ReportFiles(
        **made,
        contact_sheets={name: Path(path) for name, path in params.contact_sheets.items()},
        halves=by_stem(params.halves),
        splits=by_stem(params.splits),
        benchmarks=Path(params.benchmarks),
        manifests={name: there for name, folder in params.stores.items() if (there := manifest_there(Path(folder)))},
    )
    page = folder / "report.html"
    write_text(page, report(study, files, networks, status_text(status_of(study, metrics))))
    say(f"written to {page}")
