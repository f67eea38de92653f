# Check every output of a finished study:  snakemake --cores 1 verify
#
# The outputs are parameters, not inputs, so that nothing damaged or missing is silently remade before it is reported.
# The report is not an output, because Snakemake deletes the outputs of a job that fails.


rule verify:
    log:
        f"{LOGS}/verify.log",
    retries: 0  # it would find the same again
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


# Where a study stands, at any time and from any machine that sees its files:  snakemake --cores 1 status
#
# It has neither inputs nor outputs, so it starts no other jobs, and does not lock, mark, delete or remake anything of a
# run that is under way. It has no log, because it writes nothing at all. It needs only Snakemake's own environment.


rule status:
    handover: True  # runs here, with the terminal for its output
    resources:
        gpu=0,  # otherwise a handover rule gets all GPUs, which Snakemake cannot count on a cluster
    params:
        metrics=lambda wildcards: every_metrics_file(),
    script:
        "../scripts/status.py"
