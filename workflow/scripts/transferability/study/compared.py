"""The accuracies of a network, one of which a study compares: their names, and what each is in words."""

_ACCURACIES = {"top1": "top-1 accuracy", "top5": "top-5 accuracy", "balanced": "balanced accuracy"}
_EVALUATIONS = {
    "final": "last evaluation",
    "best": "best evaluation",
    "mean_best10": "mean of the ten best evaluations",
}

TOP1, TOP5, BALANCED = (tuple(f"{accuracy}_{which}" for which in _EVALUATIONS) for accuracy in _ACCURACIES)
COMPARED = (*TOP1, *BALANCED)  # what `figures.metric` may be; networks from before it was recorded lack `BALANCED`

# The mean cross-entropy of the correct class, in nats: on the validation images at the last evaluation; with the same
# weights on a sample of the images that they were trained on; and by how much the former exceeds the latter.
VALIDATION_CROSS_ENTROPY = "validation_cross_entropy"
TRAINING_CROSS_ENTROPY = "training_cross_entropy"
GENERALIZATION_GAP = "generalization_gap"
# What a difference in each is called; the last two add up to the first.
LOSSES = {
    VALIDATION_CROSS_ENTROPY: "cross-entropy",
    TRAINING_CROSS_ENTROPY: "fit",
    GENERALIZATION_GAP: "generalization",
}
TRAINING_TOP1 = "training_top1"  # on that sample
TRAINING_IMAGES_EVALUATED = "training_images_evaluated"  # how many images it has


def parts_of(metric: str) -> tuple[str, str]:
    """Which accuracy, ``top1``, ``top5`` or ``balanced``, and of which evaluations."""
    accuracy, _, which = metric.partition("_")
    return accuracy, which


def accuracy_in_words(metric: str) -> str:
    """Which accuracy, without saying of which evaluations."""
    return _ACCURACIES[parts_of(metric)[0]]


def evaluation_in_words(metric: str) -> str:
    return _EVALUATIONS[parts_of(metric)[1]]


def is_selected(metric: str) -> bool:
    """Whether its evaluations are selected on the validation images, so that more evaluations make it better."""
    return parts_of(metric)[1] != "final"


def metric_in_words(metric: str) -> str:
    """In full, for a report: what it averages over, and whether it is selected on the validation images."""
    of = " (the mean over classes)" if metric in BALANCED else ""
    selected = " (selected on them)" if is_selected(metric) else ""
    return f"{accuracy_in_words(metric)}{of} on the validation images, {evaluation_in_words(metric)}{selected}"
