# Base networks: trained from scratch, on each half, on all classes, and on the first images of each of these.


rule train_base:
    input:
        store=rules.store.output,
        split=rules.split.output.split,
    output:
        checkpoints=[f"{NETWORKS}/base{{target}}.safetensors"],
        histories=[f"{NETWORKS}/base{{target}}.history.csv"],
        metrics=[f"{NETWORKS}/base{{target}}.metrics.json"],
    log:
        f"{LOGS}/{{split}}/seed{{seed}}/base{{target}}.log",
    benchmark:
        f"{BENCHMARKS}/{{split}}/seed{{seed}}/base{{target}}.tsv"
    priority: 2  # the series of its half and of the other wait for it
    conda:
        "../../envs/training.yaml"
    threads: config["running"]["threads"]
    resources:
        **training_resources("base", networks=1),
    params:
        **STUDY.settings("base").to_json(),
    script:
        "../scripts/train.py"


use rule train_base as train_reduced with:
    output:
        checkpoints=[f"{NETWORKS}/reduced{{examples}}.safetensors"],
        histories=[f"{NETWORKS}/reduced{{examples}}.history.csv"],
        metrics=[f"{NETWORKS}/reduced{{examples}}.metrics.json"],
    log:
        f"{LOGS}/{{split}}/seed{{seed}}/reduced{{examples}}.log",
    benchmark:
        f"{BENCHMARKS}/{{split}}/seed{{seed}}/reduced{{examples}}.tsv"
    priority: 0
    resources:
        **training_resources("reduced", networks=1),
    params:
        **STUDY.settings("reduced").to_json(),


# Selffer, transfer and random networks. A job trains all depths of a series, or a chunk of them, in lock-step; since a
# rule's outputs must be known beforehand, there is a rule for each kind of series and chunk of depths.

for fine_tuned, preserved, chunk in STUDY.copying_jobs:
    stage = "fine_tuned" if fine_tuned else "frozen"
    pattern = Series("{source}", "{target}", fine_tuned, preserved)
    job = pattern.name_at(depths_label(chunk))

    rule:
        name:
            f"train_{stage}{f'_keep{preserved}' * (preserved > 0)}_n{depths_label(chunk).replace('-', '_to_')}"
        input:
            store=rules.store.output,
            split=rules.split.output.split,
            source=source_checkpoint,
        output:
            checkpoints=[f"{NETWORKS}/{pattern.name_at(n)}.safetensors" for n in chunk],
            histories=[f"{NETWORKS}/{pattern.name_at(n)}.history.csv" for n in chunk],
            metrics=[f"{NETWORKS}/{pattern.name_at(n)}.metrics.json" for n in chunk],
        log:
            f"{LOGS}/{{split}}/seed{{seed}}/{job}.log",
        benchmark:
            f"{BENCHMARKS}/{{split}}/seed{{seed}}/{job}.tsv"
        priority: int(fine_tuned)  # the longest first, or one is left to the end alone
        conda:
            "../../envs/training.yaml"
        threads: config["running"]["threads"]
        resources:
            **training_resources(stage, networks=len(chunk)),
        params:
            **STUDY.settings(stage).to_json(),
        script:
            "../scripts/train.py"
