from pathlib import Path

from transferability.data_sets import image_source
from transferability.joblog import job_log
from transferability.store import build_store

folder = Path(snakemake.output[0]).parent
with job_log(Path(snakemake.log[0]), f"store {snakemake.params.name}") as say:
    source = image_source(snakemake.params.name, snakemake.params.settings)
    counts = f"{len(source.training)} training and {len(source.validation)} validation images"
    say(f"{counts} of {len(source.classes)} classes")
    build_store(source, folder)
