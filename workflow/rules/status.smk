# Where a study stands, at any time and from anywhere that sees its files:  snakemake --cores 1 status
#
# It has neither inputs nor outputs, so that it can start no other job and nothing of a run that is under way is locked,
# marked, deleted or made again; and no log, since it writes nothing at all. It needs no environment but Snakemake's own.


rule status:
    handover: True  # runs here, and has the terminal for its output
    resources:
        gpu=0,  # a rule that names none is handed all, which Snakemake cannot count on a cluster
    params:
        metrics=lambda wildcards: every_metrics_file(),
    script:
        "../scripts/status.py"
