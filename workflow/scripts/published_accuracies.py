from pathlib import Path

from transferability.files import write_table
from transferability.process.log import job_log
from transferability.results.published import full_design, missing_networks, read_published

with job_log(Path(snakemake.log[0]), "published accuracies") as say:
    accuracies = read_published(Path(snakemake.input.table))
    missing = missing_networks(accuracies, full_design(accuracies))
    say(f"{len(accuracies)} networks; {len(missing)} that would complete the design were not published")
    write_table(Path(snakemake.output.accuracies), accuracies)
    write_table(Path(snakemake.output.missing), missing)
