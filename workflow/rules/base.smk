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
        engine_version=ENGINE_VERSION,
        architecture=config["networks"]["architecture"],
        preprocessing=config["preprocessing"],
        hyperparameters=STUDY.hyperparameters["base"].to_json(),
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
        engine_version=ENGINE_VERSION,
        architecture=config["networks"]["architecture"],
        preprocessing=config["preprocessing"],
        hyperparameters=STUDY.hyperparameters["reduced"].to_json(),
