from pathlib import Path

from transferability import statistics
from transferability.accuracies import read_accuracies
from transferability.files import write_table, write_text
from transferability.joblog import job_log

with job_log(Path(snakemake.log[0]), "tables"):
    accuracies = read_accuracies(Path(snakemake.input.accuracies))
    statistic, tolerated_loss = snakemake.params.statistic, snakemake.params.tolerated_loss
    write_table(Path(snakemake.output.summary), statistics.summarise(accuracies, statistic))
    write_table(Path(snakemake.output.table1), statistics.table1(accuracies, statistic))
    write_table(Path(snakemake.output.drops), statistics.drops(accuracies, statistic))
    write_table(Path(snakemake.output.effects), statistics.paired_effects(accuracies, statistic))
    write_table(Path(snakemake.output.reuse), statistics.reusable(accuracies, statistic, tolerated_loss))
    write_text(Path(snakemake.output.headline), statistics.headline(accuracies, statistic, tolerated_loss))
