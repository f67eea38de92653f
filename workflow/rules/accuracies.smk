# Tables from metrics.


rule accuracies:
    input:
        store=manifests(),
        splits=[SPLIT.format(split=split) for split in STUDY.splits],
        metrics=tabulated_metrics,
    output:
        accuracies=table("accuracies"),
    log:
        f"{LOGS}/accuracies.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/accuracies.py"


rule tables:
    input:
        accuracies=rules.accuracies.output.accuracies,
    output:
        summary=table("summary"),
        table1=table("table1"),
        drops=table("drops"),
        effects=table("effects"),
        reuse=table("reuse"),
        headline=f"{RESULTS}/headline.txt",
    log:
        f"{LOGS}/tables.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **ABOUT_RESULTS,
    script:
        "../scripts/tables.py"
