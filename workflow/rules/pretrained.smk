# Published weights that have to be downloaded, for all studies of these results:  <results>/pretrained
#
# A study whose weights are in a file has no such rule.

if STUDY.weights and STUDY.weights.is_downloaded:

    rule pretrained_weights:
        output:
            weights=str(STUDY.weights.file),
        log:
            f"{LOGS}/pretrained_weights.log",
        priority: 4  # before any training: without a network, nothing is trained in vain
        localrule: True
        conda:
            "../../envs/training.yaml"
        params:
            **STUDY.settings("base").building,
            source=STUDY.weights.source,
        script:
            "../scripts/pretrained_weights.py"


def weights_of_job(is_pretrained):
    """The published weights that the jobs of a rule copy from, and what they are; nothing for other rules."""
    if not is_pretrained:
        return {}
    # A file's date may be older than the networks'. What is downloaded is only known then.
    return {"weights": STUDY.weights.source if STUDY.weights.is_downloaded else STUDY.weights.sha256}
