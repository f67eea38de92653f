from pathlib import Path

from transferability.figures.proxies import probes
from transferability.figures.style import figure_style, save
from transferability.files import write_table
from transferability.process.log import job_log
from transferability.results.accuracies import Results, collect
from transferability.results.proxies import collect_proxies

params = snakemake.params

with job_log(Path(snakemake.log[0]), "proxies") as say, figure_style(params.colors):
    proxies = collect_proxies(map(Path, snakemake.input.probes), params.layers)
    write_table(Path(snakemake.output.table), proxies)
    bases = collect(map(Path, snakemake.input.metrics), params.layers)
    results = Results.asked(bases, dict(params.items()))
    save(probes(proxies, results), *map(Path, snakemake.output.figure))
    say(f"{snakemake.output.table}, {snakemake.output.figure[0]}")
