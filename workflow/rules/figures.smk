# Figures from tables and networks, each as a PNG and a PDF.


rule figures:
    input:
        accuracies=rules.accuracies.output.accuracies,
    output:
        **figures_of_results(),
    log:
        f"{LOGS}/figures.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **ABOUT_RESULTS,
        colors=STUDY.figures.colors,
    script:
        "../scripts/figures.py"


rule learning_curves:
    input:
        histories=lambda wildcards: network_files(".history.csv", [wildcards.split], [wildcards.seed]),
    output:
        figure=picture(
            f"{FIGURES}/learning_curves/{{split}}_seed{{seed}}",
            "learning_curves",
            "Training",
            split="{split}",
            seed="{seed}",
        ),
    log:
        f"{LOGS}/learning_curves/{{split}}_seed{{seed}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        colors=STUDY.figures.colors,
    script:
        "../scripts/learning_curves.py"


rule filters:
    input:
        checkpoints=drawn_checkpoints(),
    output:
        figure=picture(f"{FIGURES}/first_layer_filters", "first_layer_filters", "Training"),
    log:
        f"{LOGS}/filters.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        filters=STUDY.filters,
    script:
        "../scripts/filters.py"
