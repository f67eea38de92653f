"""Figures look alike wherever they are drawn, whatever settings of matplotlib, Python and the machine a user has."""

import os
import subprocess
import sys

import pytest

from transferability.files import PROJECT

# Draws a sheet of classes with troublesome names and prints the digest of the picture.
DRAW = r"""
import hashlib, io
import numpy as np
from transferability.figures.contact_sheet import contact_sheet
from transferability.figures.style import figure_style
from transferability.store.source import ImageClass
from transferability.store.reading import Store

images = np.zeros((4, 8, 8, 3), dtype=np.uint8)
classes = (ImageClass("$1_$2", "a_b"), ImageClass("\u6c49\u5b57"))
store = Store("A$AP_$", images, np.array([0, 1, 0, 1]), classes, np.zeros((2, 8, 8, 3), np.uint32), 2, "")
with figure_style(), io.BytesIO() as picture:
    contact_sheet(store).savefig(picture, format="png")
    print(hashlib.sha256(picture.getvalue()).hexdigest())
"""
SETTINGS = """
text.usetex: True
font.family: serif
figure.dpi: 20
savefig.dpi: 20
figure.figsize: 1, 1
axes.facecolor: black
savefig.bbox: tight
backend: TkAgg
text.parse_math: True
"""


def drawn(options=(), **environment):
    done = subprocess.run(
        [sys.executable, *options, "-c", DRAW],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "workflow" / "scripts"), **environment},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def plain():
    return drawn()


@pytest.mark.parametrize(
    "environment",
    [
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"MPLBACKEND": "no backend"},
        {"PYTHONWARNINGS": "error"},
        {"PYTHONOPTIMIZE": "2"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"HOME": "/dev/null", "MPLCONFIGDIR": "/dev/null/none"},
    ],
    ids=["notebook", "no backend", "warnings", "optimized", "locale", "home"],
)
def test_a_users_environment_changes_no_figure(plain, environment):
    assert drawn(**environment) == plain


def test_a_users_settings_of_matplotlib_change_no_figure(plain, tmp_path):
    (tmp_path / "matplotlibrc").write_text(SETTINGS)
    assert drawn(MATPLOTLIBRC=str(tmp_path / "matplotlibrc")) == plain
