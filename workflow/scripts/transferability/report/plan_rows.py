"""Networks by a plan for every layer, as the page of a study tells them among all others."""

from collections.abc import Iterator

from transferability.networks.layer_plan import PROBE_THEN_TUNE, REINITIALIZED, STATISTICS, SURGICAL, TRUNCATED
from transferability.results.effects import formula
from transferability.results.plan_effects import plan_effect
from transferability.study.names import SYMBOLS
from transferability.study.planned_treatments import BY_PLAN, kind_of, plan_of

_SOURCES = {
    "selffer": "of its own half's base",
    "transfer": "of the other half's base",
    "pretrained": "of the published weights",
    "random": "untrained",
}
# What the layers are, and what the effect tells.
_TOLD = {
    SURGICAL: (
        "{}, as are all below the head; of these, only the n-th learns",
        "what tuning one layer and a new head gains over a training from scratch",
    ),
    STATISTICS: (
        "{}, frozen; those above are drawn with the mean and deviation of its tensors",
        "what the scale of the source's weights is worth to the layers that are trained anew",
    ),
    TRUNCATED: (
        "{}, frozen; a linear head on their mean over places is all there is above",
        "what the layers above n add to a linear classifier",
    ),
    PROBE_THEN_TUNE: (
        "{}, frozen for the first half of the training and fine-tuned with the rest in the second",
        "what is gained where new layers have learned before they change the copied ones",
    ),
    REINITIALIZED: (
        "{}, as are all, with its head; the n-th is drawn anew, and nothing is trained",
        "how much rests on what the layer has learned",
    ),
}


def plan_rows() -> Iterator[tuple[frozenset[str], str, str, str]]:
    """For each of `BY_PLAN`: the treatment, its symbol, its layers, and what its effect tells."""
    for treatment in BY_PLAN:
        layers, tells = _TOLD[plan_of(treatment) or ""]
        told = f"{formula(plan_effect(treatment))}: {tells}"
        yield frozenset({treatment}), SYMBOLS[treatment], layers.format(_SOURCES[kind_of(treatment)]), told
