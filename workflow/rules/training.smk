# Networks: bases from scratch, on each half, on all classes, and on the first images of each class; then selffer,
# transfer, random and pretrained networks, where a job trains all depths of a series, or a chunk of them, in lock-step.
# Networks on few images have rules of their own for each amount.

for training in STUDY.training_rules:

    rule:
        name:
            training.name
        input:
            store=stores_of_wildcards,
            split=rules.split.output.split,
            source=str(STUDY.weights.file) if training.is_pretrained else source_checkpoint(training.few),
        output:
            checkpoints=[f"{NETWORKS}/{network}.safetensors" for network in training.networks],
            histories=[f"{NETWORKS}/{network}.history.csv" for network in training.networks],
            metrics=[f"{NETWORKS}/{network}.metrics.json" for network in training.networks],
        log:
            f"{LOGS}/{{split}}/seed{{seed}}/{training.job}.log",
        benchmark:
            f"{BENCHMARKS}/{{split}}/seed{{seed}}/{training.job}.tsv"
        priority: training.priority
        conda:
            "../../envs/training.yaml"
        threads: STUDY.running.threads
        resources:
            **training_resources(training.stage, networks=len(training.networks)),
        params:
            **STUDY.settings(training.stage, is_on_few=training.few is not None).to_json(),
            **weights_of_job(training.is_pretrained),
        script:
            "../scripts/train.py"
