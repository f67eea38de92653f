"""Draw the figures of docs/natural-images.md from the committed networks, as they do on softened validation images.

    python benchmarks/natural_images.py

The networks are in `tiny_imagenet_networks.csv`, with `tiny_imagenet_softened.csv`; `tiny_imagenet_fine_tuned.csv`;
and `tiny_imagenet_few_images.csv`, whose validation images were drawn from the training images and need no filter.
Takes seconds; the figures are those that a study of these networks would have.
"""

import sys
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import pandas as pd
import yaml

from transferability.figures.pictures import draw_pictures
from transferability.figures.style import figure_style
from transferability.networks.architectures import architecture_layers
from transferability.results.accuracies import KEY, Results, frame_of
from transferability.study.names import Network

RESULTS, PAGES = ROOT / "benchmarks" / "results", ROOT / "docs"
LAYERS = architecture_layers("mini_caffenet")
COLORS = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["figures"]["colors"]
SPLIT_TYPES = {"man_made_natural": "semantic", "images0": "images"}  # all others are random
# Of each target, as many as its validation images, 50 of each class; the halves of random splits have 5,000.
TRAINING_IMAGES_EVALUATED = {
    **{("man_made_natural", half): images for half, images in {"A": 6_400, "B": 3_600}.items()},
    **{("images0", half): 10_000 for half in "AB"},
}
SOFTENED = {"softened_top1": "top1_final", "softened_cross_entropy": "validation_cross_entropy"}
GROUPS = {"man_made_natural": {"A": "man-made", "B": "natural"}}


def main() -> None:
    softened = networks_of("softened")[[*KEY, *SOFTENED]]
    frozen = networks_of("networks").merge(softened, on=KEY, validate="one_to_one")
    with figure_style(COLORS):
        draw(frozen[frozen["split"] != "images0"], effects="effects", parts="parts")
        draw(frozen[frozen["split"] == "images0"], parts="by_images")
        draw(networks_of("fine_tuned"), effects="fine_tuned")
        few = networks_of("few_images")
        draw(few[few["architecture"] == "mini_caffenet"], parts="few_images_parts")


def networks_of(name: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"tiny_imagenet_{name}.csv", keep_default_na=False)


def draw(networks: pd.DataFrame, **figures: str) -> None:
    """Draw figures of networks as the files have them, each with the end of its file's name.

    On validation images as they are, unless the files say how networks do on softened ones.
    """
    measured = networks.assign(**{name: networks[soft] for soft, name in SOFTENED.items() if soft in networks})
    rows = enumerate(measured.to_dict("records"))
    accuracies = frame_of(((f"row {number}", described(row)) for number, row in rows), LAYERS)
    results = Results.by(accuracies, "top1_final", 0.02, LAYERS, groups=GROUPS)
    draw_pictures(results, {name: [PAGES / f"natural_images_{end}.png"] for name, end in figures.items()})


def described(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    """A row of the files, with what a network's name and its split say of it."""
    split, target = row["split"], row["target"]
    return {
        **{str(column): value for column, value in row.items()},
        **Network.parse(row["network"]).facts,
        "split_type": SPLIT_TYPES.get(split, "random"),
        "training_images_evaluated": TRAINING_IMAGES_EVALUATED.get((split, target), 5_000),
    }


if __name__ == "__main__":
    main()
