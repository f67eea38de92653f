# The authors' published accuracies, processed by the same code as our own, and a comparison of both.
OF_THE_PAPER = {
    **ABOUT_RESULTS,
    "metric": "top1_mean_best10",
    "groups": {"man_made_natural": {"A": "man-made", "B": "natural"}},
    "layers": architecture_layers("caffenet"),
    **({"targets": HALVES} if "targets" in ABOUT_RESULTS else {}),
}


rule published_accuracies:
    input:
        table=f"{PROJECT}/resources/yosinski2014/top1.csv",
    output:
        accuracies=f"{PUBLISHED}/accuracies.csv",
        missing=f"{PUBLISHED}/missing.csv",
    log:
        f"{PUBLISHED}/logs/accuracies.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/published_accuracies.py"


use rule tables as published_tables with:
    input:
        accuracies=rules.published_accuracies.output.accuracies,
    output:
        summary=f"{PUBLISHED}/summary.csv",
        table1=f"{PUBLISHED}/table1.csv",
        drops=f"{PUBLISHED}/drops.csv",
        effects=f"{PUBLISHED}/effects.csv",
        reuse=f"{PUBLISHED}/reuse.csv",
        headline=f"{PUBLISHED}/headline.txt",
    log:
        f"{PUBLISHED}/logs/tables.log",
    localrule: True
    params:
        **OF_THE_PAPER,


use rule figures as published_figures with:
    input:
        accuracies=rules.published_accuracies.output.accuracies,
    output:
        **{name: multiext(f"{PUBLISHED}/figures/{name}", ".png", ".pdf") for name in OF_RESULTS},
    log:
        f"{PUBLISHED}/logs/figures.log",
    localrule: True
    params:
        **OF_THE_PAPER,
        colors=STUDY.figures.colors,


rule published:
    input:
        rules.published_accuracies.output,
        rules.published_tables.output,
        rules.published_figures.output,
    localrule: True


rule compare:
    input:
        ours=rules.accuracies.output.accuracies,
        published=rules.published_accuracies.output.accuracies,
    output:
        table=f"{RESULTS}/compare.csv",
        figure=multiext(f"{FIGURES}/compare", ".png", ".pdf"),
    log:
        f"{LOGS}/compare.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        metric=STUDY.figures.metric,
        unlearned=STUDY.figures.unlearned,
        colors=STUDY.figures.colors,
    script:
        "../scripts/compare.py"
