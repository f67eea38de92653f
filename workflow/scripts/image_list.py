from pathlib import Path

from transferability.data.split_stores import described_stores, open_stores
from transferability.data.splits import class_lines, image_lines, split_from_json
from transferability.files import read_json, write_text
from transferability.process.log import job_log
from transferability.store.reading import read_samples
from transferability.study.design import read_study

name, target, output = snakemake.wildcards.split, snakemake.wildcards.target, snakemake.output
with job_log(Path(snakemake.log[0]), f"list of the images of {name} {target}"):
    study = read_study(snakemake.config)
    manifests = [*map(Path, snakemake.input.store)]
    stores = open_stores(study, name, manifests)
    task = split_from_json(read_json(Path(snakemake.input.split)), stores).task(stores, target)
    (folder,) = {manifest.parent for manifest in manifests if manifest.parent.name == task.store.folder}
    samples = read_samples(folder)
    for path, (positions, _) in ((output.training, task.training()), (output.validation, task.validation())):
        write_text(Path(path), image_lines([samples[position] for position in positions], task.classes))
    write_text(Path(output.classes), class_lines(described_stores(study, name, stores)[target], task.classes))
