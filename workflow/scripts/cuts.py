import sys
from pathlib import Path

from transferability.figures.cuts import cuts_figure
from transferability.figures.style import figure_style, save
from transferability.results.cuts import cut_rows, cuts_text
from transferability.study.design import read_study

study = read_study(snakemake.config)
picture = Path(snakemake.params.picture)
rows = cut_rows(study)
sys.stdout.reconfigure(errors="backslashreplace")  # a terminal of another encoding is no reason to fail
print(cuts_text(study, rows))
with figure_style():
    save(cuts_figure(rows), picture)
print(f"drawn in {picture}")
