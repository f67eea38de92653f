# From tables and networks to figures, each as a picture and as a PDF.


rule figures:
    input:
        accuracies=rules.accuracies.output.accuracies,
    output:
        **figures_if_asked(),
        figure2=multiext(f"{FIGURES}/figure2", ".png", ".pdf"),
        figure3=multiext(f"{FIGURES}/figure3", ".png", ".pdf"),
        effects=multiext(f"{FIGURES}/effects", ".png", ".pdf"),
        reuse=multiext(f"{FIGURES}/reuse", ".png", ".pdf"),
    log:
        f"{LOGS}/figures.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        statistic=config["figures"]["statistic"],
        tolerated_loss=config["figures"]["tolerated_loss"],
        colours=config["figures"]["colours"],
    script:
        "../scripts/draw_accuracies.py"


rule learning_curves:
    input:
        histories=lambda wildcards: network_files(".history.csv", [wildcards.split], [wildcards.seed]),
    output:
        figure=multiext(f"{FIGURES}/learning_curves/{{split}}_seed{{seed}}", ".png", ".pdf"),
    log:
        f"{LOGS}/learning_curves/{{split}}_seed{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        colours=config["figures"]["colours"],
    script:
        "../scripts/draw_learning_curves.py"


rule filters:
    input:
        checkpoints=base_checkpoints(),
    output:
        figure=multiext(f"{FIGURES}/first_layer_filters", ".png", ".pdf"),
    log:
        f"{LOGS}/filters.log",
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/draw_filters.py"
