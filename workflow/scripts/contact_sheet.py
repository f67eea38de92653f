from dataclasses import replace
from pathlib import Path

from transferability.contact_sheet import contact_sheet
from transferability.figure_style import figure_style, save
from transferability.fonts import undrawable
from transferability.groups import described
from transferability.joblog import job_log
from transferability.store import open_store

with job_log(Path(snakemake.log[0]), "contact sheet") as say, figure_style():
    store = open_store(Path(snakemake.input.store[0]).parent)
    groups = Path(snakemake.input.groups[0]) if snakemake.input.groups else None
    figure = contact_sheet(replace(store, classes=described(store.classes, groups)))
    save(figure, Path(snakemake.output.picture))
    if note := undrawable(figure):
        say(note)
