# From images to a store.


rule store:
    output:
        [f"{STORE}/{name}" for name in STORE_FILES],
    log:
        f"{STORE}/store.log",
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
