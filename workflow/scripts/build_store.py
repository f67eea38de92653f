from pathlib import Path

from transferability.data_sets import image_source
from transferability.image_folders import keep_validation_list
from transferability.joblog import job_log
from transferability.needs import needs
from transferability.store_building import build_store
from transferability.study import read_study

folder, name = Path(snakemake.output.manifest).parent, snakemake.params.name
with (
    job_log(Path(snakemake.log[0]), f"store {name}", ["running.store_threads"]) as say,
    image_source(name, snakemake.params.settings, say) as source,
):
    counts = f"{len(source.training):,} training and {len(source.validation):,} validation images"
    say(f"{counts} of {len(source.classes)} classes")
    study = read_study(snakemake.config)
    for line in needs(study, source):
        say(line)
    build_store(
        source,
        folder,
        threads=snakemake.threads,
        duplicates=study.duplicates,
        say=say,
        report_seconds=snakemake.config["running"]["report_seconds"],
    )
    keep_validation_list(source, folder)
