# Base networks: trained from scratch on each half.


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
    conda:
        "../../envs/training.yaml"
    threads: config["running"]["threads"]
    resources:
        gpu=1,
    params:
        engine_version=ENGINE_VERSION,
        architecture=config["networks"]["architecture"],
        preprocessing=config["preprocessing"],
        hyperparameters=STUDY.hyperparameters["base"].to_json(),
    script:
        "../scripts/train.py"
