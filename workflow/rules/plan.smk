# What the study would take, before anything of it is made:  snakemake --cores 1 plan
#
# It has neither inputs nor outputs, so that it works before the data are there and never makes anything itself. On a
# cluster it is submitted like a training job, and calibrates the device that those will get.


rule plan:
    log:
        f"{LOGS}/plan.log",
    conda:
        "../../envs/analysis.yaml"
    threads: config["running"]["threads"]
    resources:
        gpu=1,
    params:
        store=STORE,
    script:
        "../scripts/plan.py"
