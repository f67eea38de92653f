"""Matplotlib's settings for all figures, independent of a user's own; enough to draw text.

They are separate from `transferability.figures.style`, because seaborn, which that module uses, is slow to load.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

from transferability.figures.fonts import FAMILY

_SETTINGS: dict[Any, Any] = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150,
    "font.family": FAMILY,  # seaborn would use Arial if it is installed
    "savefig.dpi": 150,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "transferability",
    "text.parse_math": False,  # a $ is just a $; formulas are written in Unicode
}


@contextmanager
def own_settings(*styles: Mapping[str, Any]) -> Iterator[None]:
    """Use matplotlib's defaults, these styles and the settings of all figures in this block, not a user's settings.

    Warnings are not errors in it, whatever Python's options are. Missing glyphs cause no warning:
    `transferability.figures.fonts.undrawable` reports them.
    """
    with warnings.catch_warnings(), mpl.rc_context():
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        mpl.rcdefaults()
        for style in (*styles, _SETTINGS):
            mpl.rcParams.update(style)
        yield
