# One HTML file that tells a study to others:  <results>/<study>/report.html


rule report:
    input:
        store=manifests(),
        accuracies=rules.accuracies.output.accuracies,
        tables=[path for name, path in rules.tables.output.items() if name != "headline"],
        figures=pictures_of(rules.figures.output),
        learning_curves=lambda wildcards: pictures_of(learning_curve_files()),
        filters=rules.filters.output.figure[0],
        contact_sheets=contact_sheets().values(),
        halves=halves_sheets(),
        splits=[SPLIT.format(split=split) for split in STUDY.splits],
        metrics=lambda wildcards: network_files(".metrics.json"),
        proxy_tables=lambda wildcards: asked_proxies()["tables"],
        proxy_figures=lambda wildcards: pictures_of(asked_proxies()["pictures"]),
        groups=groups_files(),
        texts=report_texts(),
    output:
        page=report(
            f"{RESULTS}/report.html", caption="../report/study.rst", category="Report", labels={"page": "report"}
        ),
    log:
        f"{LOGS}/report.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        benchmarks=BENCHMARKS,
        config=studies.without_running(config),  # which it prints
    script:
        "../scripts/report.py"


# The same of what there is, while a study runs or after some of its jobs failed:  snakemake --cores 1 report_so_far
#
# It has neither inputs nor outputs, so that it makes nothing of the study itself and disturbs no run that is under way.
rule report_so_far:
    log:
        f"{LOGS}/report_so_far.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        stores=STORES,
        folder=f"{RESULTS}/so_far",
        metrics=lambda wildcards: every_metrics_file(),
        splits=[SPLIT.format(split=split) for split in STUDY.splits],
        contact_sheets=contact_sheets(),
        halves=halves_sheets(),
        benchmarks=BENCHMARKS,
    script:
        "../scripts/report_so_far.py"
