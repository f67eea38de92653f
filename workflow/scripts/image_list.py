from dataclasses import replace
from pathlib import Path

from transferability.data.splits import class_lines, image_lines, split_from_json
from transferability.files import read_json, write_text
from transferability.process.log import job_log
from transferability.store.reading import open_store, read_samples
from transferability.study.groups import described

target, output = snakemake.wildcards.target, snakemake.output
with job_log(Path(snakemake.log[0]), f"list of the images of {snakemake.wildcards.split} {target}"):
    folder = Path(snakemake.input.store[0]).parent
    store, samples = open_store(folder), read_samples(folder)
    task = split_from_json(read_json(Path(snakemake.input.split)), store).task(store, target)
    groups = Path(snakemake.input.groups[0]) if snakemake.input.groups else None
    for path, (positions, _) in ((output.training, task.training()), (output.validation, task.validation())):
        write_text(Path(path), image_lines([samples[position] for position in positions], task.classes))
    named = replace(store, classes=described(store.classes, groups))
    write_text(Path(output.classes), class_lines(named, task.classes))
