"""The figures of proxies: what is drawn from bases alone, and beside the results of a study."""

import numpy as np
import pandas as pd
import pytest

from tests.results.support import frame, results
from transferability.figures.proxies import measured_proxies, probes
from transferability.figures.style import figure_style
from transferability.results.proxies import COLUMNS
from transferability.study.names import Network

DEPTHS = range(1, 8)
BASES = [("random0", 0, base, 0.9) for base in ("baseA", "baseB")]


@pytest.fixture(autouse=True)
def _style():
    with figure_style():
        yield


@pytest.fixture
def proxies():
    rows = [
        {
            **dict.fromkeys(COLUMNS, 0.5),
            **{key: Network.parse(f"{source}{n}B").facts[key] for key in ("network", "treatment", "source", "target")},
            **{"split": "random0", "split_type": "random", "seed": 0, "n": n, "layer": f"conv{n}", "features": kind},
            "probe_top1": 0.8 - 0.05 * n,
        }
        for source in "ABRP"
        for n in DEPTHS
        for kind in ("pooled", "flattened")
    ]
    return pd.DataFrame(rows)


def lines_of(axes):
    return {(line.get_linestyle(), line.get_marker()) for line in axes.get_lines()}


def test_of_bases_alone_the_proxies_are_drawn_in_per_cent_and_nothing_measured(proxies):
    figure = probes(proxies, results(frame(*BASES)))
    (axes,) = figure.axes
    drawn = [line.get_ydata() for line in axes.get_lines() if len(line.get_ydata()) == len(DEPTHS)]
    assert len(drawn) == 4 * 3  # treatments, and proxies
    assert any(np.allclose(line, 80 - 5 * np.array(DEPTHS)) for line in drawn)
    assert not any(marker == "D" for _, marker in lines_of(axes))


def test_beside_a_study_each_network_is_a_point_and_the_correlation_is_told(proxies):
    networks = [("random0", 0, f"A{n}B", 0.9 - 0.02 * n + 0.001 * (n % 2)) for n in DEPTHS]
    figure = measured_proxies(proxies, results(frame(*BASES, *networks)))
    curves, scatter = figure.axes
    assert any(marker == "D" for _, marker in lines_of(curves))
    points = next(line for line in scatter.get_lines() if line.get_marker() == "D")
    assert np.allclose(points.get_xdata(), [10 + 5 * n for n in DEPTHS])
    assert np.allclose(points.get_ydata(), [2 * n - 0.1 * (n % 2) for n in DEPTHS])
    assert scatter.get_title() == "AnB: rank correlation 1.00"


def test_of_no_proxies_it_is_said(proxies):
    figure = probes(proxies.iloc[:0], results(frame(*BASES)))
    assert figure.texts[0].get_text() == "no proxies"
