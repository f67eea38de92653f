from dataclasses import replace
from pathlib import Path

from transferability.contact_sheet import halves_sheet
from transferability.figure_style import figure_style, save
from transferability.files import read_json
from transferability.fonts import undrawable
from transferability.groups import described
from transferability.joblog import job_log
from transferability.splits import split_from_json
from transferability.store import open_store

with job_log(Path(snakemake.log[0]), f"halves of {snakemake.wildcards.split}") as say, figure_style():
    store = open_store(Path(snakemake.input.store[0]).parent)
    split = split_from_json(read_json(Path(snakemake.input.split)), store)
    groups = Path(snakemake.input.groups[0]) if snakemake.input.groups else None
    figure = halves_sheet(replace(store, classes=described(store.classes, groups)), split)
    save(figure, Path(snakemake.output.picture))
    if note := undrawable(figure):
        say(note)
