from pathlib import Path
from tempfile import TemporaryDirectory

from transferability.data.kinds import image_source
from transferability.files import write_text
from transferability.process.log import job_log
from transferability.process.pace import Pace
from transferability.report.data_page import data_page
from transferability.report.survey import survey
from transferability.study.design import read_study
from transferability.study.groups import described
from transferability.words import counted

params = snakemake.params
page = Path(params.page)
with (
    job_log(Path(snakemake.log[0]), f"data {params.name}", ["running.store_threads"]) as say,
    image_source(params.name, params.settings, say) as source,
    TemporaryDirectory(prefix="data-") as folder,
):
    classes = described(source.classes, Path(params.groups) if params.groups else None)
    count = len(source.training) + len(source.validation)
    pace = Pace(say, count, read_study(snakemake.config).running.log_every_seconds)
    found = survey(source, classes, snakemake.threads, pace)
    write_text(page, data_page(found, classes, params.duplicates, Path(folder)))
    say(f"{counted(count, 'image')} read, {len(found.refused):,} cannot be used; the page is {page}")
