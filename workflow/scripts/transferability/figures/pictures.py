"""The function that draws each figure of a study's results, by its name in the catalog."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from transferability.figures.amounts import amounts
from transferability.figures.catalog import OF_RESULTS
from transferability.figures.effects import effects
from transferability.figures.fonts import families_for
from transferability.figures.paper import figure2, figure3, reduced
from transferability.figures.parts import parts
from transferability.figures.plans import plans
from transferability.figures.reuse import reuse
from transferability.figures.style import save
from transferability.results.accuracies import Results
from transferability.study.split_types import groups_in_words

PICTURES: Mapping[str, Callable[[Results], Figure]] = {
    "figure2": figure2,
    "figure3": figure3,
    "effects": effects,
    "parts": parts,
    "plans": plans,
    "reduced": reduced,
    "reuse": reuse,
    "amounts": amounts,
}


def picture(name: str, results: Results) -> Figure:
    """Draw one of `PICTURES` for the networks that the catalog says: those trained on the most images, or all."""
    return PICTURES[name](results if OF_RESULTS[name].every_amount else results.at_most)


def draw_pictures(results: Results, paths: Mapping[str, Sequence[Path]]) -> None:
    """Draw some of `PICTURES` and save each to its paths; call it inside `figure_style`.

    Names of groups, which may be in any script, are drawn in fonts that have their characters.
    """
    with mpl.rc_context({"font.family": list(families_for(groups_in_words(results.groups)))}):
        for name, files in paths.items():
            save(picture(name, results), *files)
