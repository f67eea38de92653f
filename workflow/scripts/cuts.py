from pathlib import Path

from transferability.figures.cuts import cuts_figure
from transferability.figures.style import figure_style, save
from transferability.process.log import job_log
from transferability.results.cuts import blocks_of, blocks_text, cut_rows, cuts_text
from transferability.study.design import read_study

with job_log(Path(snakemake.log[0]), "cuts") as say, figure_style():
    study = read_study(snakemake.config)
    rows = cut_rows(study)
    say(cuts_text(study, rows))
    if within := blocks_text(blocks_of(study)):
        say(within)
    picture = Path(snakemake.params.picture)
    save(cuts_figure(rows), picture)
    say(f"drawn in {picture}")
