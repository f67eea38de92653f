"""Every figure by its name, which is also that of its files and of its caption, ``workflow/report/<name>.rst``.

Rules read this at every start, so nothing here imports matplotlib.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from transferability.study.design import Study
from transferability.study.names import COPYING
from transferability.study.planned_treatments import BY_PLAN


@dataclass(frozen=True)
class FigureEntry:
    """What is known about a figure wherever it is shown.

    Attributes:
        title: its title on the page of the study.
        treatments: the treatments that it shows; the page shows it if the study has networks of at least one. They are
            empty, and not used, for figures other than `OF_RESULTS`.
        every_amount: whether it shows networks trained on every amount of images; otherwise only those on the most.
    """

    title: str
    treatments: frozenset[str] = frozenset()
    every_amount: bool = False


_COPIES = frozenset({"selffer", "selffer+", "transfer", "transfer+", "pretrained", "pretrained+"})

# Figures of the study's results, in the order of the page.
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
# Figures of cheap proxies, if they were requested.
OF_PROXIES: Mapping[str, FigureEntry] = {
    "proxies": FigureEntry("How far cheap proxies can be trusted"),
    "probes": FigureEntry("What bases reveal without more networks"),
}
# All figures, including those of other outputs of training and of the data.
FIGURES: Mapping[str, FigureEntry] = {
    **OF_RESULTS,
    **OF_PROXIES,
    "learning_curves": FigureEntry("Learning curves"),
    "first_layer_filters": FigureEntry("First-layer filters of the bases"),
    "contact_sheet": FigureEntry("The data"),
    "halves": FigureEntry("Halves"),
}


def drawn_of(study: Study) -> tuple[str, ...]:
    """The names of those `OF_RESULTS` that are drawn for a study, whether or not they show anything."""
    by_plan = any(series.plan for series in (*study.halves_series, *study.whole_series))
    asked_for = {"reduced": bool(study.reduced), "amounts": study.has_few, "plans": by_plan}
    return tuple(name for name in OF_RESULTS if asked_for.get(name, True))
