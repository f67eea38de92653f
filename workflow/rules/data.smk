# From images to a store, and to pages that show them.
#
# Studies with other results may share a store, and two Snakemakes may build it at the same time. So the manifest is all
# that Snakemake knows of it, and is not deleted before the job runs (`update`): the job itself waits for others, keeps a
# store that is whole and of the same images, and else replaces it.


rule store:
    output:
        manifest=update(f"{STORE}/{MANIFEST}"),
    log:
        f"{LOGS}/store.log",
    conda:
        "../../envs/analysis.yaml"
    threads: store_threads
    resources:
        **NO_GPU,
        mem_mb=lambda wildcards, threads, attempt: store_mb(threads, attempt),
        runtime=min(1440, LONGEST_MINUTES),
    params:
        version=STORE_VERSION,
        name=config["dataset"],
        settings=STUDY.store_settings,
    script:
        "../scripts/build_store.py"


rule contact_sheet:
    input:
        store=rules.store.output,
        groups=groups_file(),
    output:
        picture=report(
            f"{FIGURES}/contact_sheet.png",
            caption="../report/contact_sheet.rst",
            category="Data",
            labels={"figure": "contact sheet"},
        ),
    log:
        f"{LOGS}/contact_sheet.log",
    priority: 3  # before any training: it is to be looked at first
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/contact_sheet.py"


# What is in the data, before anything is made of them:  snakemake --cores all data
#
# It reads every file and has neither inputs nor outputs, so that it builds nothing, and reads anew whenever it is asked.
rule data:
    log:
        f"{LOGS}/data.log",
    retries: 0  # what it finds once it finds again
    conda:
        "../../envs/analysis.yaml"
    threads: store_threads
    resources:
        **NO_GPU,
        mem_mb=lambda wildcards, threads, attempt: store_mb(threads, attempt),
        runtime=min(1440, LONGEST_MINUTES),
    params:
        name=config["dataset"],
        settings=STUDY.store_settings,
        groups=lambda wildcards: str(STUDY.groups_file or ""),
        page=f"{RESULTS}/data.html",
    script:
        "../scripts/data.py"
