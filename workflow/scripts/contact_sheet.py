from dataclasses import replace
from pathlib import Path

from transferability.figures.contact_sheet import contact_sheet
from transferability.figures.fonts import undrawable
from transferability.figures.style import figure_style, save
from transferability.process.log import job_log
from transferability.store.reading import open_store
from transferability.study.groups import described

with job_log(Path(snakemake.log[0]), "contact sheet") as say, figure_style():
    store = open_store(Path(snakemake.input.store[0]).parent)
    groups = Path(snakemake.input.groups[0]) if snakemake.input.groups else None
    figure = contact_sheet(replace(store, classes=described(store.classes, groups)))
    save(figure, Path(snakemake.output.picture))
    if note := undrawable(figure):
        say(note)
