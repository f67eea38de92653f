"""The treatments with a plan for every layer, ``<kind>_<plan>``: which ones exist, and what they are called."""

from collections.abc import Mapping, Sequence

from transferability.networks.layer_plan import (
    PROBE_THEN_TUNE,
    REINITIALIZED,
    STATISTICS,
    SURGICAL,
    TRUNCATED,
)

# The letter of the source in names of a treatment's networks, by the treatment's kind, for a target half B.
_SOURCES = {"selffer": "B", "transfer": "A", "pretrained": "P", "random": "R"}
_LEARNED = ("selffer", "transfer", "pretrained")

# Each with the kinds for which it makes sense: untrained layers are worth neither tuning nor imitating, and a layer is
# reinitialized in a finished network, the base of the target.
KINDS_OF_PLANS: Mapping[str, Sequence[str]] = {
    SURGICAL: _LEARNED,
    STATISTICS: _LEARNED,
    TRUNCATED: (*_LEARNED, "random"),
    PROBE_THEN_TUNE: _LEARNED,
    REINITIALIZED: ("selffer",),
}
BY_PLAN = tuple(f"{kind}_{plan}" for plan, kinds in KINDS_OF_PLANS.items() for kind in kinds)


def kind_of(treatment: str) -> str:
    """The kind of a treatment that copies layers, without its + or plan."""
    return treatment.removesuffix("+").partition("_")[0]


def plan_of(treatment: str) -> str | None:
    """The plan of a treatment that has one, one of `PLANS`; None for all others."""
    return treatment.partition("_")[2] or None


def plan_in_words(plan: str) -> str:
    """A plan in words, such as probe then tune."""
    return plan.replace("_", " ")


def symbol_of(treatment: str) -> str:
    """What pages and figures call the networks of one of `BY_PLAN`, for a target half B: AnB surgical."""
    return f"{_SOURCES[kind_of(treatment)]}nB {plan_in_words(plan_of(treatment) or '')}"
