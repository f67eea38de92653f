# Stores from images, and pages that show the images.
#
# Studies with other results may share a store, and two Snakemakes may build it at the same time. So the manifest is all
# that Snakemake knows about it, and it is not deleted before the job runs (`update`): the job itself waits for others,
# and keeps a store that is complete and of the same images, or else replaces it.


for data_set in STUDY.data_sets.values():

    rule:
        name:
            of_data_set("store", data_set.name)
        input:
            images=images_looked_for,
        output:
            manifest=update(f"{STORES[data_set.name]}/{MANIFEST}"),
        log:
            f"{LOGS}/{of_data_set('store', data_set.name)}.log",
        conda:
            "../../envs/analysis.yaml"
        threads: store_threads
        resources:
            **NO_GPU,
            mem_mb=lambda wildcards, threads, attempt: store_mb(threads, attempt),
            runtime=min(1440, LONGEST_MINUTES),
        params:
            version=STORE_VERSION,
            name=data_set.name,
            settings=data_set.store_settings,
        script:
            "../scripts/store.py"

    rule:
        name:
            of_data_set("contact_sheet", data_set.name)
        input:
            store=manifests([data_set.name]),
            groups=groups_files([data_set]),
        output:
            picture=report(
                contact_sheets()[data_set.name],
                caption="../report/contact_sheet.rst",
                category="Data",
                labels={"figure": "contact sheet", "data set": data_set.name},
            ),
        log:
            f"{LOGS}/{of_data_set('contact_sheet', data_set.name)}.log",
        priority: 3  # before any training, so that it can be looked at first
        localrule: True
        conda:
            "../../envs/analysis.yaml"
        script:
            "../scripts/contact_sheet.py"


# What is in the data, before anything is made from them:  snakemake --cores all data
#
# It reads every file. It has neither inputs nor outputs, so it builds nothing, and reads again whenever it is called.
rule data:
    log:
        f"{LOGS}/data.log",
    retries: 0  # it would find the same again
    conda:
        "../../envs/analysis.yaml"
    threads: store_threads
    resources:
        **NO_GPU,
        mem_mb=lambda wildcards, threads, attempt: store_mb(threads, attempt),
        runtime=min(1440, LONGEST_MINUTES),
    params:
        name=config["dataset"],
        settings=STUDY.data_set.store_settings,
        groups=lambda wildcards: str(STUDY.data_set.groups_file or ""),
        duplicates=STUDY.data_set.duplicates,
        page=f"{RESULTS}/data.html",
    script:
        "../scripts/data.py"


# Halves from the store's classes.


rule split:
    input:
        store=stores_of_wildcards,
        groups=ancient(groups_of_wildcards),  # also has readable names; what affects the split is a parameter
    output:
        split=SPLIT,
    log:
        f"{LOGS}/splits/{{split}}.log",
    priority: 3
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        seed=lambda wildcards: STUDY.splits[wildcards.split].seed,
        groups=groups_of_split,
        grouping=grouping_of_split,
    script:
        "../scripts/split.py"


rule halves_sheet:
    input:
        store=stores_of_wildcards,
        split=rules.split.output.split,
        groups=groups_of_wildcards,
    output:
        picture=report(
            f"{FIGURES}/halves/{{split}}.png",
            caption="../report/halves.rst",
            category="Data",
            labels={"figure": "halves", "split": "{split}"},
        ),
    log:
        f"{LOGS}/halves/{{split}}.log",
    priority: 3
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/halves_sheet.py"


rule image_list:
    input:
        store=stores_of_wildcards,
        split=rules.split.output.split,
        groups=groups_of_wildcards,
    output:
        training=f"{IMAGE_LIST}_training.txt",
        validation=f"{IMAGE_LIST}_validation.txt",
        classes=f"{IMAGE_LIST}_classes.txt",
    log:
        f"{LOGS}/image_lists/{{split}}_{{target}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/image_list.py"


rule image_lists:
    input:
        lists=[
            rules.image_list.output.training.format(split=split, target=target)
            for split in STUDY.splits
            for target in STUDY.splits[split].targets
        ],
    localrule: True
