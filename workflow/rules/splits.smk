# From the store's classes to halves.


rule split:
    input:
        store=rules.store.output,
    output:
        split=SPLIT,
    log:
        f"{LOGS}/splits/{{split}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        seed=lambda wildcards: STUDY.splits[wildcards.split].seed,
        groups=lambda wildcards: STUDY.splits[wildcards.split].groups,
    script:
        "../scripts/make_split.py"
