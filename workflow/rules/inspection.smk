# Every output of a finished study, checked again:  snakemake --cores 1 verify
#
# The outputs are parameters and not inputs, so that nothing that is damaged or missing is silently made again before it
# is reported; and the report is no output, since Snakemake deletes the outputs of a job that fails.


rule verify:
    log:
        f"{LOGS}/verify.log",
    retries: 0  # what it finds once it finds again
    conda:
        "../../envs/verification.yaml"
    threads: STUDY.running.threads
    resources:
        **NO_GPU,
        mem_mb=lambda wildcards, attempt: verifying_mb(attempt),
        runtime=LONGEST_MINUTES,
    params:
        stores=STORES,
        splits={split: SPLIT.format(split=split) for split in STUDY.splits},
        checkpoints=lambda wildcards: [
            ((split, seed, network.name), path)
            for (split, seed, network), path in zip(STUDY.networks(), network_files(".safetensors"))
        ],
        tables={name: str(path) for rule in (rules.accuracies, rules.tables) for name, path in rule.output.items()},
        pictures=lambda wildcards: [
            str(path)
            for paths in (
                contact_sheets().values(),
                rules.figures.output,
                rules.filters.output,
                learning_curve_files(),
                halves_sheets(),
                rules.report.output,
            )
            for path in paths
        ],
        proxies=lambda wildcards: proxies_to_verify(),
        report=f"{RESULTS}/verification.csv",
    script:
        "../scripts/verify.py"


# Where a study stands, at any time and from anywhere that sees its files:  snakemake --cores 1 status
#
# It has neither inputs nor outputs, so that it can start no other job and nothing of a run that is under way is locked,
# marked, deleted or made again; and no log, since it writes nothing at all. It needs no environment but Snakemake's own.


rule status:
    handover: True  # runs here, and has the terminal for its output
    resources:
        gpu=0,  # a rule that names none is handed all, which Snakemake cannot count on a cluster
    params:
        metrics=lambda wildcards: every_metrics_file(),
    script:
        "../scripts/status.py"
