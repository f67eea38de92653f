"""What tests of tables need: the published accuracies' file, and rows of made-up networks."""

import pandas as pd

from tests.support import ROOT
from transferability.networks.architectures import architecture_layers
from transferability.results.accuracies import Results, beside_bases
from transferability.study.names import Network
from transferability.study.split_types import split_type_of

PUBLISHED = ROOT / "resources" / "yosinski2014" / "top1.csv"
LAYERS = architecture_layers("caffenet")
METRIC = "top1_final"


def metrics(name, top1, split="random0", seed=0, **other):
    network = Network.parse(name)
    return {
        "split": split,
        "split_type": split_type_of(split),
        **network.facts,
        "seed": seed,
        "iterations": 10,
        "evaluations": 3,
        **{f"{top}_{which}": top1 for top in ("top1", "top5") for which in ("final", "best", "mean_best10")},
        "validation_cross_entropy": 3 - 2 * top1,
        "training_cross_entropy": 1 - top1,
        "training_top1": top1,
        "training_images_evaluated": 100,
        "device": "cpu",
        **other,
    }


def frame(*rows, **facts):
    """A table of rows (split, seed, network, accuracy), with facts that all of them share."""
    records = []
    for split, seed, name, accuracy in rows:
        network = Network.parse(name)
        records.append(
            {
                "split": split,
                "split_type": split_type_of(split),
                **network.facts,
                "layer": LAYERS[network.n - 1] if network.n else None,
                "seed": seed,
                "iterations": 1,
                "evaluations": 1,
                "top1_final": accuracy,
                "top1_best": accuracy,
                "top1_mean_best10": accuracy,
                **facts,
            }
        )
    return beside_bases(pd.DataFrame(records))


def results(accuracies, metric=METRIC, max_drop=0.02):
    return Results.by(accuracies, metric, max_drop, LAYERS)
