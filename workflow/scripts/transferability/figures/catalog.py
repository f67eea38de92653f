"""Every figure by its name, which is that of its files and of its caption, ``workflow/report/<name>.rst``.

Rules read it at every start, so nothing here imports matplotlib.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from transferability.study.design import Study
from transferability.study.names import COPYING
from transferability.study.planned_treatments import BY_PLAN


@dataclass(frozen=True)
class FigureEntry:
    """What is said of a figure wherever it is shown.

    Attributes:
        title: on the page of the study.
        treatments: of which a study must have a network for the figure to show anything; empty for any.
        every_amount: whether it shows networks on every amount of images; else it is of those on the most.
    """

    title: str
    treatments: frozenset[str] = frozenset()
    every_amount: bool = False


_COPIES = frozenset({"selffer", "selffer+", "transfer", "transfer+", "pretrained", "pretrained+"})

# Of the study's results, in the order of the page.
OF_RESULTS: Mapping[str, FigureEntry] = {
    "reuse": FigureEntry("Which layers can be reused?", _COPIES - {"selffer+"}),
    "amounts": FigureEntry("How much target data?", frozenset(COPYING), every_amount=True),
    "figure2": FigureEntry("Accuracy by depth", _COPIES),
    "effects": FigureEntry("What copied layers cost and gain", _COPIES),
    "parts": FigureEntry("Poor fit or overfitting?", frozenset({"selffer", "transfer", "pretrained"})),
    "figure3": FigureEntry(
        "Dissimilar halves, random filters, and drops from base", frozenset({"transfer", "random", "pretrained"})
    ),
    "plans": FigureEntry("What plans for every layer cost and gain", frozenset(BY_PLAN)),
    "reduced": FigureEntry("Fewer images per class", frozenset({"reduced"}), every_amount=True),
}
# Of cheap proxies, of a study for which they were asked.
OF_PROXIES: Mapping[str, FigureEntry] = {
    "proxies": FigureEntry("How far cheap proxies can be trusted"),
    "probes": FigureEntry("What bases reveal without more networks"),
}
# Of what training leaves besides, and of the data.
FIGURES: Mapping[str, FigureEntry] = {
    **OF_RESULTS,
    **OF_PROXIES,
    "learning_curves": FigureEntry("Learning curves"),
    "first_layer_filters": FigureEntry("First-layer filters of the bases"),
    "contact_sheet": FigureEntry("The data"),
    "halves": FigureEntry("Halves"),
}


def drawn_of(study: Study) -> tuple[str, ...]:
    """The names of those `OF_RESULTS` that are drawn of a study, whether they show anything or not."""
    by_plan = any(series.plan for series in (*study.halves_series, *study.whole_series))
    asked_for = {"reduced": bool(study.reduced), "amounts": study.has_few, "plans": by_plan}
    return tuple(name for name in OF_RESULTS if asked_for.get(name, True))
