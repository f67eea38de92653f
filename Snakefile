# How transferable are the features of each layer of a network?  See README.md.
from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/checks.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/pretrained.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/accuracies.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/proxies.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/published.smk"
include: "workflow/rules/inspection.smk"
include: "workflow/rules/plan.smk"


onstart:
    before_the_first_job()


onsuccess:
    print_headline()


rule all:
    input:
        checkpoints=lambda wildcards: network_files(".safetensors"),
        accuracies=rules.accuracies.output.accuracies,
        tables=rules.tables.output,
        contact_sheets=contact_sheets().values(),
        figures=rules.figures.output,
        filters=rules.filters.output,
        learning_curves=lambda wildcards: learning_curve_files(),
        report=rules.report.output.page,
    localrule: True
