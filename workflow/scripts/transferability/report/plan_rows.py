"""Networks with a plan for every layer, as the page of a study describes them among all others."""

from collections.abc import Iterator

from transferability.networks.layer_plan import PROBE_THEN_TUNE, REINITIALIZED, STATISTICS, SURGICAL, TRUNCATED
from transferability.results.effects import formula
from transferability.results.plan_effects import plan_effect
from transferability.study.names import SYMBOLS
from transferability.study.planned_treatments import BY_PLAN, kind_of, plan_of

_SOURCES = {
    "selffer": "from its own half's base",
    "transfer": "from the other half's base",
    "pretrained": "from published weights",
    "random": "untrained",
}
# What the layers are, and what the effect shows.
_TOLD = {
    SURGICAL: (
        "{}, like all below the head; of these, only the n-th is trained",
        "the gain from tuning one layer and a new head over training from scratch",
    ),
    STATISTICS: (
        "{}, frozen; those above are initialized with the mean and standard deviation of the source's tensors",
        "the value of the scale of the source's weights for the newly trained layers",
    ),
    TRUNCATED: (
        "{}, frozen; above them is only a linear head on their mean over positions",
        "the value of the layers above n over a linear classifier",
    ),
    PROBE_THEN_TUNE: (
        "{}, frozen for the first half of training and fine-tuned with the rest in the second",
        "the gain from training new layers before they can change the copied ones",
    ),
    REINITIALIZED: (
        "{}, like all others and the head; the n-th is randomly reinitialized, and nothing is trained",
        "how much depends on what the layer has learned",
    ),
}


def plan_rows() -> Iterator[tuple[frozenset[str], str, str, str]]:
    """Yield, for each of `BY_PLAN`, the treatment, its symbol, its layers, and what its effect shows."""
    for treatment in BY_PLAN:
        layers, tells = _TOLD[plan_of(treatment) or ""]
        told = f"{formula(plan_effect(treatment))}: {tells}"
        yield frozenset({treatment}), SYMBOLS[treatment], layers.format(_SOURCES[kind_of(treatment)]), told
