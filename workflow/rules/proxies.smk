# A curve in a minute, from bases alone, and how far to trust it.
#
#     snakemake --cores all probe                # proxies.csv, figures/probes; trains the bases if they do not exist
#     snakemake --cores all measured_proxies     # proxy_agreement.csv, figures/proxies; needs all networks of the study


rule probe_bases:
    input:
        store=stores_of_wildcards,
        split=rules.split.output.split,
        bases=probed_checkpoints,
        weights=probed_weights,
    output:
        probes=f"{PROBES}/{{split}}/seed{{seed}}.json",
    log:
        f"{LOGS}/{{split}}/seed{{seed}}/probes.log",
    benchmark:
        f"{BENCHMARKS}/{{split}}/seed{{seed}}/probes.tsv"
    conda:
        "../../envs/training.yaml"
    threads: STUDY.running.threads
    resources:
        **A_GPU,
        mem_mb=lambda wildcards, attempt: probing_mb(len(STUDY.layers) - 1, STUDY.running.cache_gb, attempt),
        runtime=LONGEST_MINUTES,
    params:
        **probing_params(STUDY.settings("frozen")),
        **weights_of_job(is_pretrained=STUDY.weights is not None),
    script:
        "../scripts/probe_bases.py"


rule proxies:
    input:
        probes=lambda wildcards: [path for _, path in probes_files()],
        metrics=lambda wildcards: base_metrics(),
    output:
        table=table("proxies"),
        figure=picture(f"{FIGURES}/probes", "probes", "Proxies"),
    log:
        f"{LOGS}/proxies.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **ABOUT_RESULTS,
        colors=STUDY.figures.colors,
    script:
        "../scripts/proxies.py"


rule probe:
    input:
        rules.proxies.output,
    localrule: True


rule measured_proxies:
    input:
        proxies=rules.proxies.output.table,
        accuracies=rules.accuracies.output.accuracies,
    output:
        table=table("proxy_agreement"),
        figure=picture(f"{FIGURES}/proxies", "proxies", "Proxies"),
    log:
        f"{LOGS}/measured_proxies.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **ABOUT_RESULTS,
        colors=STUDY.figures.colors,
    script:
        "../scripts/measured_proxies.py"
