from pathlib import Path

from transferability.data_sets import image_source
from transferability.image_folders import keep_validation_list
from transferability.joblog import job_log
from transferability.needs import needs
from transferability.store import build_store
from transferability.study import read_study

folder, name = Path(snakemake.output[0]).parent, snakemake.params.name
with (
    job_log(Path(snakemake.log[0]), f"store {name}", ["running.store_threads"]) as say,
    image_source(name, snakemake.params.settings, say) as source,
):
    counts = f"{len(source.training):,} training and {len(source.validation):,} validation images"
    say(f"{counts} of {len(source.classes)} classes")
    for line in needs(read_study(snakemake.config), source):
        say(line)
    report_seconds = snakemake.config["running"]["report_seconds"]
    build_store(source, folder, threads=snakemake.threads, say=say, report_seconds=report_seconds)
    keep_validation_list(source, folder)
