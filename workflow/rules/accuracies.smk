# From metrics to tables.


rule accuracies:
    input:
        metrics=lambda wildcards: network_files(".metrics.json"),
    output:
        accuracies=f"{RESULTS}/accuracies.csv",
    log:
        f"{LOGS}/accuracies.log",
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/collect_accuracies.py"


rule statistics:
    input:
        accuracies=rules.accuracies.output.accuracies,
    output:
        summary=f"{RESULTS}/summary.csv",
        table1=f"{RESULTS}/table1.csv",
        drops=f"{RESULTS}/drops.csv",
        effects=f"{RESULTS}/effects.csv",
        reuse=f"{RESULTS}/reuse.csv",
        headline=f"{RESULTS}/headline.txt",
    log:
        f"{LOGS}/statistics.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        statistic=config["figures"]["statistic"],
        tolerated_loss=config["figures"]["tolerated_loss"],
    script:
        "../scripts/make_tables.py"
