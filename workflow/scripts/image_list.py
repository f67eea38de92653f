from dataclasses import replace
from pathlib import Path

from transferability.data.splits import class_lines, image_lines, split_from_json
from transferability.files import read_json, write_text
from transferability.process.log import job_log
from transferability.store.reading import open_store, read_samples
from transferability.study.groups import described

target = snakemake.wildcards.target
with job_log(Path(snakemake.log[0]), f"list of the images of {snakemake.wildcards.split} {target}"):
    folder = Path(snakemake.input.store[0]).parent
    store, samples = open_store(folder), read_samples(folder)
    classes = split_from_json(read_json(Path(snakemake.input.split)), store).task(store, target).classes
    groups = Path(snakemake.input.groups[0]) if snakemake.input.groups else None
    write_text(Path(snakemake.output.training), image_lines(samples[store.training], classes))
    write_text(Path(snakemake.output.validation), image_lines(samples[store.validation], classes))
    named = replace(store, classes=described(store.classes, groups))
    write_text(Path(snakemake.output.classes), class_lines(named, classes))
