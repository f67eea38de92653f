"""What each plan for every layer costs or gains, compared with a treatment that differs from it in one respect."""

from collections.abc import Mapping

from transferability.networks.layer_plan import PROBE_THEN_TUNE, REINITIALIZED, STATISTICS, SURGICAL, TRUNCATED
from transferability.study.planned_treatments import BY_PLAN, kind_of, plan_of

# What the effect of a plan is called.
_NAMES = {
    SURGICAL: "surgical gain",
    STATISTICS: "statistics gain",
    TRUNCATED: "truncation drop",
    PROBE_THEN_TUNE: "probing gain",
    REINITIALIZED: "reinitialization drop",
}


def _sides(treatment: str) -> tuple[str, str]:
    """First and second of the difference: the network with the plan is first in a gain, second in a drop."""
    kind = kind_of(treatment)
    sides = {
        SURGICAL: (treatment, "base"),
        STATISTICS: (treatment, kind),
        TRUNCATED: (kind, treatment),
        PROBE_THEN_TUNE: (treatment, f"{kind}+"),
        REINITIALIZED: ("base", treatment),
    }
    return sides[plan_of(treatment) or ""]


def plan_effect(treatment: str) -> str:
    """The name of the effect of one of `BY_PLAN`, like statistics gain, transfer."""
    return f"{_NAMES[plan_of(treatment) or '']}, {kind_of(treatment)}"


# In the form of `transferability.results.effects.EFFECTS`, which includes these.
PLAN_EFFECTS: Mapping[str, tuple[str, str]] = {plan_effect(treatment): _sides(treatment) for treatment in BY_PLAN}
