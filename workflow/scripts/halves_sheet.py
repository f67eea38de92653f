from dataclasses import replace
from pathlib import Path

from transferability.data.splits import split_from_json
from transferability.figures.contact_sheet import halves_sheet
from transferability.figures.fonts import undrawable
from transferability.figures.style import figure_style, save
from transferability.files import read_json
from transferability.process.log import job_log
from transferability.store.reading import open_store
from transferability.study.groups import described

with job_log(Path(snakemake.log[0]), f"halves of {snakemake.wildcards.split}") as say, figure_style():
    store = open_store(Path(snakemake.input.store[0]).parent)
    split = split_from_json(read_json(Path(snakemake.input.split)), store)
    groups = Path(snakemake.input.groups[0]) if snakemake.input.groups else None
    figure = halves_sheet(replace(store, classes=described(store.classes, groups)), split)
    save(figure, Path(snakemake.output.picture))
    if note := undrawable(figure):
        say(note)
