"""What matplotlib is told, whatever a user's settings are: all that drawing a text takes.

It is apart from `transferability.figures.style`, whose seaborn is slow to load.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

from transferability.figures.fonts import FAMILY

SETTINGS: dict[Any, Any] = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150,
    "font.family": FAMILY,  # seaborn would take Arial where there is one
    "savefig.dpi": 150,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "transferability",
    "text.parse_math": False,  # a $ is one; formulas are written in Unicode
}


@contextmanager
def own_settings() -> Iterator[None]:
    """`SETTINGS` and matplotlib's defaults, in this block; no warning is an error in it, whatever Python was told.

    Characters without a font have a sentence of their own, `transferability.figures.fonts.undrawable`.
    """
    with warnings.catch_warnings(), mpl.rc_context():
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield
