# A single HTML file for sharing a study:  <results>/<study>/report.html


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
        config=studies.without_running(config),  # the report prints it
    script:
        "../scripts/report.py"


# The same for what exists while a study runs, or after some jobs have failed:  snakemake --cores 1 report_so_far
#
# It has neither inputs nor outputs, so it makes none of the study's own files and disturbs no run that is under way.
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
