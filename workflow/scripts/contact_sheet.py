from pathlib import Path

from transferability.contact_sheet import contact_sheet
from transferability.figure_style import figure_style, save
from transferability.joblog import job_log
from transferability.store import open_store

with job_log(Path(snakemake.log[0]), "contact sheet"), figure_style():
    save(contact_sheet(open_store(Path(snakemake.input.store[0]).parent)), Path(snakemake.output.picture))
