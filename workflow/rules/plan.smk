# What the study would take, before any of it is made:  snakemake --cores 1 plan
#
# It has neither inputs nor outputs, so it works before the data exist and never makes anything itself. On a cluster it
# is submitted like a training job, and calibrates the device that those will get.


rule plan:
    log:
        f"{LOGS}/plan.log",
    retries: 0
    conda:
        "../../envs/analysis.yaml"
    threads: STUDY.running.threads
    resources:
        **A_GPU,
        mem_mb=lambda wildcards, attempt: networks_mb(STUDY.running.networks_per_job, attempt),
    params:
        stores=STORES,
    script:
        "../scripts/plan.py"


# Where the network can be cut into layers, and what lies below each cut:  snakemake --cores 1 cuts
#
# Like a plan, it runs whenever it is called, so the figure that it draws is not an output.


rule cuts:
    log:
        f"{LOGS}/cuts.log",
    retries: 0
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        picture=f"{RESULTS}/cuts.png",
    script:
        "../scripts/cuts.py"
