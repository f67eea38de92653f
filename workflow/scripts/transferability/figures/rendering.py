"""What matplotlib is told, whatever a user's settings are: all that drawing a text takes.

It is apart from `transferability.figures.style`, whose seaborn is slow to load.
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
    "font.family": FAMILY,  # seaborn would take Arial where there is one
    "savefig.dpi": 150,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "transferability",
    "text.parse_math": False,  # a $ is one; formulas are written in Unicode
}


@contextmanager
def own_settings(*styles: Mapping[str, Any]) -> Iterator[None]:
    """Matplotlib's defaults, these styles and what all figures have, in this block, whatever a user's settings are.

    No warning is an error in it, whatever Python was told. Characters without a font have a sentence of their own,
    `transferability.figures.fonts.undrawable`.
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
