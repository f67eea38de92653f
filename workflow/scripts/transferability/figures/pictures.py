"""The function that draws each figure of a study's results, by its name in the catalog."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from transferability.figures.effects import effects
from transferability.figures.paper import figure2, figure3, reduced
from transferability.figures.parts import parts
from transferability.figures.reuse import reuse
from transferability.figures.style import save
from transferability.results.accuracies import Results

PICTURES: Mapping[str, Callable[[Results], Figure]] = {
    "figure2": figure2,
    "figure3": figure3,
    "effects": effects,
    "parts": parts,
    "reduced": reduced,
    "reuse": reuse,
}


def draw_pictures(results: Results, paths: Mapping[str, Sequence[Path]]) -> None:
    """Draw some of `PICTURES`, in the style of the block, and save each to its paths."""
    for name, files in paths.items():
        save(PICTURES[name](results), *files)
