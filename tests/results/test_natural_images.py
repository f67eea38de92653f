"""The tables of docs/natural-images.md, recomputed from the trained networks by plain arithmetic."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.support import ROOT

PAGE = (ROOT / "docs" / "natural-images.md").read_text()
RESULTS = ROOT / "benchmarks" / "results"
KEY = ["split", "network"]
TRAINED = pd.read_csv(RESULTS / "tiny_imagenet_networks.csv").set_index(KEY)
SOFTENED = pd.read_csv(RESULTS / "tiny_imagenet_softened.csv").set_index(KEY)
FEW = pd.read_csv(RESULTS / "tiny_imagenet_few_images.csv")  # whose validation images need no softening
FEW = FEW.assign(
    split=FEW["architecture"] + " " + FEW["split"],
    softened_top1=FEW["top1_final"],
    softened_cross_entropy=FEW["validation_cross_entropy"],
).set_index(KEY)
NETWORKS = pd.concat([TRAINED.join(SOFTENED[["softened_top1", "softened_cross_entropy"]]), FEW])
FINE_TUNED = pd.read_csv(RESULTS / "tiny_imagenet_fine_tuned.csv").set_index(KEY)  # with bases of their own
POINTS, NATS, FIT = "softened_top1", "softened_cross_entropy", "training_cross_entropy"
RANDOM, SEMANTIC, IMAGES = ("random0", "random1", "random2"), ("man_made_natural",), ("images0",)
MINI, SMALL = tuple(f"mini_caffenet {split}" for split in RANDOM), ("small_caffenet random0",)
RETRAINING, FINE_TUNING, TRANSFER = "{b}{n}{b}+ base{b}", "{a}{n}{b}+ base{b}", "{a}{n}{b}+ {b}{n}{b}+"
CO_ADAPTATION, SPECIFICITY = "base{b} {b}{n}{b}", "{b}{n}{b} {a}{n}{b}"
# The columns of each table, by the beginning of its heading.
TABLES = {
    "| n | layer | co-adaptation, base": [
        (effect, metric, RANDOM) for effect in (CO_ADAPTATION, SPECIFICITY) for metric in (POINTS, NATS, FIT)
    ],
    "| n | layer | co-adaptation, points": [
        *((CO_ADAPTATION, metric, SEMANTIC) for metric in (POINTS, NATS)),
        *((SPECIFICITY, metric, splits) for splits in (SEMANTIC, RANDOM) for metric in (POINTS, NATS, FIT)),
    ],
    "| n | layer | other images": [
        (SPECIFICITY, metric, splits) for splits in (IMAGES, RANDOM) for metric in (POINTS, NATS, FIT)
    ],
    "| n | layer | few images, mini_caffenet": [
        (effect, metric, MINI) for effect in (CO_ADAPTATION, SPECIFICITY) for metric in (POINTS, NATS, FIT)
    ],
    "| n | layer | few images, small_caffenet": [
        (effect, metric, SMALL) for effect in (CO_ADAPTATION, SPECIFICITY) for metric in (POINTS, NATS, FIT)
    ],
    "| n | layer | retraining, BnB+": [
        (effect, metric, RANDOM) for effect in (RETRAINING, FINE_TUNING, TRANSFER) for metric in (POINTS, NATS, FIT)
    ],
}


def drops(effect, metric, splits, n):
    """How much worse the second of two is, as the mean over the halves of each split that have such networks."""
    networks = FINE_TUNED if "+" in effect else NETWORKS
    of_splits = []
    for split in splits:
        values = networks.loc[split, metric]
        pairs = [effect.format(a=a, b=b, n=n).split() for a, b in ("AB", "BA")]
        worse = [values[second] - values[first] for first, second in pairs if second in values]
        of_splits.append(np.mean(worse) * (-100 if metric == POINTS else 1))
    return np.array(of_splits)


def rows_of(heading):
    (start,) = re.findall(rf"^{re.escape(heading)}.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip().replace("−", "-") for cell in line.strip("|").split("|")] for line in start.splitlines()]


@pytest.mark.parametrize("heading", TABLES)
def test_every_number_is_that_of_the_networks(heading):
    rows = rows_of(heading)
    expected = [1, 4, 7] if "+" in heading else [3, 4, 5, 7] if "few" in heading else [1, 2, 3, 4, 5, 6, 7]
    assert [int(n) for n, *_ in rows] == expected
    for n, _, *cells in rows:
        for cell, asked in zip(cells, TABLES[heading], strict=True):
            found, (mean, _, width) = drops(*asked, int(n)), cell.partition(" ± ")
            half_a_digit = 0.5 * 10.0 ** -len(mean.partition(".")[2]) + 1e-9
            assert float(mean) == pytest.approx(found.mean(), abs=half_a_digit), (heading, n, asked)
            assert bool(width) == (len(found) > 1)
            if width:
                t = stats.t.ppf(0.975, len(found) - 1)
                expected = t * found.std(ddof=1) / np.sqrt(len(found))
                assert float(width) == pytest.approx(expected, abs=half_a_digit), (heading, n, asked)


def test_no_network_was_left_out():
    assert set(TRAINED.index) == set(SOFTENED.index)
    counted = TRAINED.reset_index().groupby("split").size().to_dict()
    assert counted == {"random0": 37, "random1": 30, "random2": 30, "images0": 30, "man_made_natural": 30}
    fine_tuned = FINE_TUNED.reset_index().groupby("split").size().to_dict()
    assert fine_tuned == {"random0": 28, "random1": 14, "random2": 14}
    few = FEW.reset_index().groupby("split").size().to_dict()
    assert few == dict.fromkeys((*MINI, *SMALL), 18)
    assert f"the {sum(map(sum, (counted.values(), fine_tuned.values(), few.values())))} networks" in PAGE


def test_the_numbers_beside_the_tables_are_those_of_the_networks():
    generalization = drops(TRANSFER, NATS, RANDOM, 7) - drops(TRANSFER, FIT, RANDOM, 7)
    width = stats.t.ppf(0.975, 2) * generalization.std(ddof=1) / np.sqrt(3)
    assert f"generalizes better by {generalization.mean():.3f} ± {width:.3f}" in " ".join(PAGE.split())
    of_random0 = FINE_TUNED.loc["random0", POINTS]
    bases = of_random0[["baseA", "baseB"]].mean()
    conv1, conv3, fc7 = (of_random0[[f"R{n}A", f"R{n}B"]].mean() for n in (1, 3, 7))
    drop1, drop3 = (f"{100 * (bases - left):.1f}" for left in (conv1, conv3))
    told = f"drop {drop1} points at conv1 and {drop3} at conv3 from {100 * bases:.1f}"
    assert f"{told}; {100 * fc7:.1f} % remain at fc7" in PAGE
