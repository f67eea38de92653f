from pathlib import Path

from transferability.data.split_stores import described_stores, open_stores
from transferability.data.splits import split_from_json
from transferability.figures.contact_sheet import halves_sheet
from transferability.figures.fonts import undrawable
from transferability.figures.style import figure_style, save
from transferability.files import read_json
from transferability.process.log import job_log
from transferability.study.design import read_study

name = snakemake.wildcards.split

with job_log(Path(snakemake.log[0]), f"halves of {name}") as say, figure_style():
    study = read_study(snakemake.config)
    stores = open_stores(study, name, [*map(Path, snakemake.input.store)])
    split = split_from_json(read_json(Path(snakemake.input.split)), stores)
    figure = halves_sheet(described_stores(study, name, stores), split)
    save(figure, Path(snakemake.output.picture))
    if note := undrawable(figure):
        say(note)
