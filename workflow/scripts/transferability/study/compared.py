"""The accuracies of a network, of which a study compares one: their names, and what each is in words."""

_ACCURACIES = {"top1": "top-1 accuracy", "top5": "top-5 accuracy", "balanced": "balanced accuracy"}
_EVALUATIONS = {
    "final": "last evaluation",
    "best": "best evaluation",
    "mean_best10": "mean of ten best evaluations",
}

TOP1, TOP5, BALANCED = (tuple(f"{accuracy}_{which}" for which in _EVALUATIONS) for accuracy in _ACCURACIES)
COMPARED = (*TOP1, *BALANCED)  # what `figures.statistic` may be; networks of before it was recorded lack `BALANCED`


def parts_of(statistic: str) -> tuple[str, str]:
    """Which accuracy, ``top1``, ``top5`` or ``balanced``, and of which evaluations."""
    accuracy, _, which = statistic.partition("_")
    return accuracy, which


def accuracy_in_words(statistic: str) -> str:
    """Without of which evaluations."""
    return _ACCURACIES[parts_of(statistic)[0]]


def evaluation_in_words(statistic: str) -> str:
    return _EVALUATIONS[parts_of(statistic)[1]]


def statistic_in_words(statistic: str) -> str:
    """In full, for a report: what it is the mean of, and whether the validation images choose it."""
    of = " (the mean over classes)" if statistic in BALANCED else ""
    selected = "" if parts_of(statistic)[1] == "final" else " (selected on them)"
    return f"{accuracy_in_words(statistic)}{of} on the validation images, {evaluation_in_words(statistic)}{selected}"
