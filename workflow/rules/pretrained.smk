# Download published weights, for all studies in the same results folder:  <results>/pretrained
#
# A study whose weights are in a file has no such rule.

if STUDY.weights and STUDY.weights.is_downloaded:

    rule pretrained_weights:
        output:
            weights=str(STUDY.weights.file),
        log:
            f"{LOGS}/pretrained_weights.log",
        priority: 4  # before any training, so that nothing is trained in vain if the download fails
        localrule: True
        conda:
            "../../envs/training.yaml"
        params:
            **STUDY.settings("base").building,
            source=STUDY.weights.source,
        script:
            "../scripts/pretrained_weights.py"
