from pathlib import Path

from transferability.data.images_of_two import images_in_both
from transferability.data.sharpness import unlike_in_words
from transferability.data.split_stores import described_stores, open_stores, with_groups
from transferability.data.splits import planned_split, require_examples, split_to_json
from transferability.figures.class_names import try_names
from transferability.files import write_json
from transferability.process.log import job_log
from transferability.study.design import read_study

name = snakemake.wildcards.split

with job_log(Path(snakemake.log[0]), f"split {name}") as say:
    study = read_study(snakemake.config)
    stores = with_groups(study, name, open_stores(study, name, [*map(Path, snakemake.input.store)]))
    split = planned_split(study.splits[name], {target: store.classes for target, store in stores.items()})
    require_examples(split, stores, study.most_few(name))
    for store in described_stores(study, name, stores).values():
        try_names(store, split.name)
    content = split_to_json(split, stores)
    for note in (images_in_both(content), unlike_in_words(content)):
        if note:
            say(note)
    write_json(Path(snakemake.output.split), content)
