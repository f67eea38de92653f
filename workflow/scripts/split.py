from dataclasses import replace
from pathlib import Path

from transferability.data.splits import make_split, require_examples, split_to_json
from transferability.figures.contact_sheet import try_names
from transferability.files import write_json
from transferability.process.log import job_log
from transferability.store.reading import open_store
from transferability.study.design import read_study
from transferability.study.groups import described, grouped, read_groups

params = snakemake.params

with job_log(Path(snakemake.log[0]), f"split {snakemake.wildcards.split}"):
    store = open_store(Path(snakemake.input.store[0]).parent)
    file = snakemake.input.groups[0] if snakemake.input.groups else params.get("groups_file")
    path = Path(file) if file else None
    if path and params.groups:
        store = replace(store, classes=grouped(store.classes, read_groups(path), path))
    split = make_split(store.classes, snakemake.wildcards.split, params.seed, params.groups)
    require_examples(split, store, read_study(snakemake.config).most_few(split.name))
    try_names(replace(store, classes=described(store.classes, path)), split.name)
    write_json(Path(snakemake.output.split), split_to_json(split, store))
