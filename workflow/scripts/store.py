from pathlib import Path

from transferability.data.build import build_store
from transferability.data.folders.source import keep_validation_list
from transferability.data.kinds import image_source
from transferability.planning.needs import needs
from transferability.process.log import job_log
from transferability.study.design import read_study
from transferability.study.store_folder import lists_of
from transferability.words import counted

folder, name = Path(snakemake.output.manifest).parent, snakemake.params.name
with (
    job_log(Path(snakemake.log[0]), f"store {name}", ["running.store_threads"]) as say,
    image_source(name, snakemake.params.settings, say) as source,
):
    images = f"{len(source.training):,} training and {counted(len(source.validation), 'validation image')}"
    say(f"{images} of {counted(len(source.classes), 'class')}")
    study = read_study(snakemake.config)
    for line in needs(study, source):
        say(line)
    build_store(
        source,
        folder,
        lists=lists_of(folder, name, snakemake.params.settings),
        threads=snakemake.threads,
        duplicates=study.data_sets[name].duplicates,
        say=say,
        log_every_seconds=study.running.log_every_seconds,
    )
    keep_validation_list(source, folder)
