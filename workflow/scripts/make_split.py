from dataclasses import replace
from pathlib import Path

from transferability.files import write_json
from transferability.groups import grouped, read_groups
from transferability.joblog import job_log
from transferability.splits import make_split, split_to_json
from transferability.store import open_store

with job_log(Path(snakemake.log[0]), f"split {snakemake.wildcards.split}"):
    store = open_store(Path(snakemake.input.store[0]).parent)
    if files := snakemake.input.groups or snakemake.params.get("groups_file"):
        path = Path(files[0])
        store = replace(store, classes=grouped(store.classes, read_groups(path), path))
    split = make_split(store.classes, snakemake.wildcards.split, snakemake.params.seed, snakemake.params.groups)
    write_json(Path(snakemake.output.split), split_to_json(split, store))
