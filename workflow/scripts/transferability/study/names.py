"""The names of networks and series, parsed and printed here and nowhere else.

One algebra covers every treatment of Yosinski, Clune, Bengio and Lipson (NIPS 2014): a network is
trained for a *target* half, its first ``copied`` layers come from a *source* network, and the first
``frozen`` layers never change.

=================  ======  ======  ======  =====================================================
name               source  copied  frozen  treatment
=================  ======  ======  ======  =====================================================
``baseB``          none    0       0       base: trained from scratch
``B3B``            B       3       3       selffer
``B3B+``           B       3       0       selffer+, copied layers fine-tuned
``A3B``            A       3       3       transfer
``A3B+``           A       3       0       transfer+
``R3B``            R       3       3       random: layers of an untrained network
``P3B``            P       3       3       pretrained: layers of published weights
``A3B_preserve2``  A       5       3       transfer, preserving two more layers, which are fine-tuned
``A3B_surgical``   A       3       3       transfer by one of `PLANS`: of the copied layers, only the third learns
``A3B_images20``   A       3       3       transfer, trained on 20 images per class of its target, drawn by the seed
``reduced50``      none    0       0       reduced: base of the whole set on the first 50 images of each class
=================  ======  ======  ======  =====================================================
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from transferability.networks.layer_plan import PLANS, PROBE_THEN_TUNE, REINITIALIZED, LayerPlan, layer_plans
from transferability.study.planned_treatments import BY_PLAN, kind_of, symbol_of

WHOLE = "whole"
HALVES = ("A", "B")
RANDOM_SOURCE, PRETRAINED_SOURCE = "R", "P"
DIRECTIONS = {"AnB": "B", "BnA": "A"}  # of transfer, each with the target of its networks

# Sources that are no half's base as it is: the letter that names of networks have, and the treatment it makes.
OTHER_SOURCES = {RANDOM_SOURCE: "random", PRETRAINED_SOURCE: "pretrained"}
SOURCES = (*HALVES, *OTHER_SOURCES, WHOLE)

# Treatments that copy the lowest layers, which are frozen or (+) fine-tuned; others have a plan for every layer.
FROM_THE_BOTTOM = tuple(
    f"{kind}{plus}" for kind in ("selffer", "transfer", *OTHER_SOURCES.values()) for plus in ("", "+")
)
COPYING = (*FROM_THE_BOTTOM, *BY_PLAN)
TREATMENTS = ("base", *COPYING, "reduced")

# What pages and figures call the networks of a treatment, for a target half B.
SYMBOLS: Mapping[str, str] = {
    "base": "base",
    "selffer": "BnB",
    "selffer+": "BnB⁺",
    "transfer": "AnB",
    "transfer+": "AnB⁺",
    "random": "random filters",
    "random+": "random filters, fine-tuned",
    "pretrained": "PnB",
    "pretrained+": "PnB⁺",
    "reduced": "reduced",
    **{treatment: symbol_of(treatment) for treatment in BY_PLAN},
}

_PRESERVED = r"(_preserve(?P<preserved>[1-9][0-9]*))?"
_PLAN = rf"(_(?P<plan>{'|'.join(PLANS)}))?"
_EXAMPLES = r"(_images(?P<examples>[1-9][0-9]*))?"
_COPIES = rf"(?P<source>{'|'.join(SOURCES)})(?P<n>%s)(?P<target>A|B|whole)(?P<plus>\+?){_PRESERVED}{_PLAN}{_EXAMPLES}"
_SERIES = re.compile(_COPIES % "n")
_COPY = re.compile(_COPIES % "[1-9][0-9]*")
_BASE = re.compile(rf"base(?P<target>A|B|whole){_EXAMPLES}")
_REDUCED = re.compile(r"reduced(?P<examples>[1-9][0-9]*)")


def other_half(half: str) -> str:
    """The half that is not this one."""
    return HALVES[1 - HALVES.index(half)]


def source_of(treatment: str, target: str) -> str:
    """Where a treatment, one of `COPYING`, takes the layers of a target's networks from; empty for a missing half."""
    other = other_half(target) if target in HALVES else ""
    sources = {"selffer": target, "transfer": other, **{name: source for source, name in OTHER_SOURCES.items()}}
    return sources[kind_of(treatment)]


@dataclass(frozen=True, order=True)
class Network:
    """One network of a study, within its split and seed.

    Attributes:
        target: the half it is trained for, ``A``, ``B`` or ``whole``.
        source: where its copied layers come from, ``A``, ``B``, ``whole``, ``R`` (random), ``P`` (published weights) or
            ``None``.
        copied: how many of the lowest layers are copied from the source; with a plan, n.
        frozen: how many of the lowest layers never change, at most ``copied``; with a plan, n or, if all
            layers learn in the end, 0.
        examples_per_class: training images per class, ``None`` for all of them.
        reduced: whether these are the first of each class, in file order, as in the paper's bases of the whole set;
            otherwise they are drawn by the seed.
        plan: one of `PLANS`, which says for every layer what it is; None if only the lowest are copied.
    """

    target: str
    source: str | None = None
    copied: int = 0
    frozen: int = 0
    examples_per_class: int | None = None
    reduced: bool = False
    plan: str | None = None

    def __post_init__(self) -> None:
        if self.target not in (*HALVES, WHOLE) or self.source not in (None, *SOURCES):
            sources = f"{', '.join(SOURCES[:-1])} or {SOURCES[-1]}"
            raise ValueError(f"a network is of the halves A and B, or whole, and copies from {sources}: {self!r}")
        if (self.target in HALVES and self.source == WHOLE) or (self.target == WHOLE and self.source in HALVES):
            raise ValueError(f"a half and the whole set, which has its images, do not copy from each other: {self!r}")
        if (self.source is None) != (self.copied == 0):
            raise ValueError(f"a network copies layers if and only if it has a source: {self!r}")
        if not 0 <= self.frozen <= self.copied:
            raise ValueError(f"only copied layers can be frozen: {self!r}")
        if self.reduced and (self.source or self.target != WHOLE or self.examples_per_class is None):
            raise ValueError(f"only a base of the whole set has a reduced number of examples: {self!r}")
        if self.examples_per_class is not None and self.examples_per_class < 1:
            raise ValueError(f"a network is trained on at least one image of each class: {self!r}")
        if self.plan is not None and (
            self.source is None or self.preserved or self.plan not in PLANS or (self.frozen == 0) != _tunes(self.plan)
        ):
            raise ValueError(f"a network cannot have this plan, or cannot preserve layers with a plan: {self!r}")
        if self.plan == REINITIALIZED and not self.is_selffer:
            raise ValueError(f"only a copy of the base of its own task can have a layer reinitialized: {self!r}")

    @property
    def treatment(self) -> str:
        """One of `TREATMENTS`."""
        if self.source is None:
            return "reduced" if self.reduced else "base"
        kind = {self.target: "selffer", **OTHER_SOURCES}.get(self.source, "transfer")
        if self.plan:
            return f"{kind}_{self.plan}"
        return kind if self.frozen else f"{kind}+"

    def layer_plans(self, layers: int) -> list[LayerPlan]:
        """The plans of its layers, counted with the head, during training; see `networks.layer_plan.layer_plans`."""
        return layer_plans(self.source, self.copied, self.frozen, layers, self.plan)

    @property
    def is_trained(self) -> bool:
        """Whether any layer learns; otherwise it is only evaluated."""
        return self.plan != REINITIALIZED

    @property
    def base(self) -> Self | None:
        """The base network that the copied layers are made from; None if they are made from none.

        For a selffer on few images it is the base on the same images, because another would have seen other
        images; for a transfer network on few images it is the other half's, on all of its images.
        """
        if self.source is None or self.source in OTHER_SOURCES:
            return None
        return type(self)(self.source, examples_per_class=self.examples_per_class if self.is_selffer else None)

    @property
    def compared_with(self) -> Self:
        """The base of its own target, on as many images; for a reduced network, on all."""
        return type(self)(self.target, examples_per_class=None if self.reduced else self.examples_per_class)

    @property
    def is_selffer(self) -> bool:
        return self.source == self.target

    @property
    def is_on_few(self) -> bool:
        """Whether its training images are some of each class, drawn by the seed."""
        return self.examples_per_class is not None and not self.reduced

    @property
    def stage(self) -> str:
        """How it is trained: as a ``base`` or a ``reduced`` one, or with copied layers ``frozen`` or ``fine_tuned``."""
        if self.source is None:
            return self.treatment
        return "frozen" if self.frozen else "fine_tuned"

    @property
    def n(self) -> int:
        """The cut point: the last frozen layer, or the last copied one of a fine-tuned network."""
        return self.frozen or self.copied

    @property
    def preserved(self) -> int:
        """How many layers above the frozen ones are copied too, and fine-tuned."""
        return self.copied - self.n

    @property
    def name(self) -> str:
        if self.source is None:
            few = self.examples_per_class
            return f"reduced{few}" if self.reduced else f"base{self.target}{on_images(few)}"
        return self.series.name_at(self.n)

    @property
    def series(self) -> "Series":
        """The series this network belongs to; only networks with a source have one."""
        if self.source is None:
            raise ValueError(f"{self.name} copies nothing and belongs to no series")
        return Series(
            self.source,
            self.target,
            fine_tuned=not self.frozen and self.plan is None,
            preserved=self.preserved,
            examples_per_class=self.examples_per_class,
            plan=self.plan,
        )

    @property
    def facts(self) -> dict[str, str | int | None]:
        """What tables and metrics files say about a network, by column; two layer counts cannot describe a plan."""
        return {
            "network": self.name,
            "treatment": self.treatment,
            "source": self.source,
            "target": self.target,
            "n": self.n,
            "copied": None if self.plan else self.copied,
            "frozen": None if self.plan else self.frozen,
            "examples_per_class": self.examples_per_class,
        }

    @classmethod
    def parse(cls, name: str) -> Self:
        """The network of that name; ValueError for anything that `name` does not print."""
        if match := _BASE.fullmatch(name):
            return cls(match["target"], examples_per_class=_number(match["examples"]))
        if match := _REDUCED.fullmatch(name):
            return cls(WHOLE, examples_per_class=int(match["examples"]), reduced=True)
        match = _COPY.fullmatch(name)
        if match is None or _contradicts(match):
            examples = "baseA, A3B, A3B+, R3B, A3B_preserve2, A3B_surgical, A3B_images20, reduced50"
            raise ValueError(f"not the name of a network: {name!r} (like {examples})")
        n = int(match["n"])
        return cls(
            target=match["target"],
            source=match["source"],
            copied=n + (_number(match["preserved"]) or 0),
            frozen=0 if match["plus"] or _tunes(match["plan"]) else n,
            examples_per_class=_number(match["examples"]),
            plan=match["plan"],
        )


@dataclass(frozen=True, order=True)
class Series:
    """The networks of one source, target and way of training over all depths n, such as ``AnB+``."""

    source: str
    target: str
    fine_tuned: bool = False
    preserved: int = 0
    examples_per_class: int | None = None
    plan: str | None = None

    def __post_init__(self) -> None:
        if self.fine_tuned and self.preserved:
            raise ValueError("a fine-tuned series freezes nothing and has nothing further to preserve")
        if self.plan and (self.fine_tuned or self.preserved):
            raise ValueError("a series with a plan is neither fine-tuned otherwise, nor preserves layers")

    @property
    def stage(self) -> str:
        """As `Network.stage`: what its networks are trained with."""
        return "fine_tuned" if self.fine_tuned or _tunes(self.plan) else "frozen"

    def at(self, n: int) -> Network:
        """The network of this series with cut point n."""
        return Network(
            target=self.target,
            source=self.source,
            copied=n + self.preserved,
            frozen=0 if self.stage == "fine_tuned" else n,
            examples_per_class=self.examples_per_class,
            plan=self.plan,
        )

    def name_at(self, n: int | str) -> str:
        plus = "+" if self.fine_tuned else ""
        preserve = f"_preserve{self.preserved}" if self.preserved else ""
        plan = f"_{self.plan}" if self.plan else ""
        return f"{self.source}{n}{self.target}{plus}{preserve}{plan}{on_images(self.examples_per_class)}"

    @property
    def name(self) -> str:
        return self.name_at("n")

    @property
    def treatment(self) -> str:
        return self.at(1).treatment

    @classmethod
    def parse(cls, name: str) -> Self:
        """The series of that name; ValueError for anything that `name` does not print."""
        match = _SERIES.fullmatch(name)
        if match is None or _contradicts(match):
            examples = "AnB, AnB+, RnB, AnB_preserve2, AnB_surgical, AnB_images20"
            raise ValueError(f"not the name of a series: {name!r} (like {examples})")
        return cls(
            source=match["source"],
            target=match["target"],
            fine_tuned=bool(match["plus"]),
            preserved=_number(match["preserved"]) or 0,
            examples_per_class=_number(match["examples"]),
            plan=match["plan"],
        )


def on_images(examples_per_class: int | None) -> str:
    """The suffix of names of networks on few images; empty for those on all."""
    return "" if examples_per_class is None else f"_images{examples_per_class}"


def _contradicts(match: re.Match[str]) -> bool:
    """Whether a name has more than one of +, preserve and a plan, or a plan that its source cannot have."""
    alternatives = sum(bool(match[name]) for name in ("plus", "preserved", "plan"))
    return alternatives > 1 or (match["plan"] == REINITIALIZED and match["source"] != match["target"])


def _tunes(plan: str | None) -> bool:
    """Whether all copied layers learn in the end."""
    return plan == PROBE_THEN_TUNE


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def depths_label(depths: Sequence[int]) -> str:
    """The depths of a job: 3, or 1-7."""
    return f"{depths[0]}-{depths[-1]}" if len(depths) > 1 else str(depths[0])


def job_name(networks: Sequence[Network]) -> str:
    """The name of the job that trains a base, or these networks of a series: baseA, A3B+, A1-7B."""
    first = networks[0]
    return first.series.name_at(depths_label([network.n for network in networks])) if first.source else first.name
