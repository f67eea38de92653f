from pathlib import Path

from transferability.figures.comparison import comparison
from transferability.figures.style import figure_style, save
from transferability.files import write_table
from transferability.process.log import job_log
from transferability.results.accuracies import by_metric, read_accuracies
from transferability.results.comparison import compare

params = snakemake.params

with job_log(Path(snakemake.log[0]), "comparison"), figure_style(params.colors):
    ours, published = (
        by_metric(read_accuracies(Path(snakemake.input[name])), params.metric, params.unlearned)
        for name in ("ours", "published")
    )
    write_table(Path(snakemake.output.table), compare(ours, published))
    save(comparison(ours, published), *map(Path, snakemake.output.figure))
