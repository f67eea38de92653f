from pathlib import Path

from transferability.figures.proxies import measured_proxies
from transferability.figures.style import figure_style, save
from transferability.files import write_table
from transferability.process.log import job_log
from transferability.results.accuracies import Results, read_accuracies
from transferability.results.proxies import agreement, read_proxies

params = snakemake.params

with job_log(Path(snakemake.log[0]), "proxies against what was measured"), figure_style(params.colors):
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    results = Results.asked(accuracies, dict(params.items()))
    proxies = read_proxies(Path(snakemake.input.proxies))
    write_table(Path(snakemake.output.table), agreement(proxies, results))
    save(measured_proxies(proxies, results), *map(Path, snakemake.output.figure))
