"""Draw the figures of docs/natural-images.md from the committed networks, as they do on softened validation images.

    python benchmarks/natural_images.py

The networks are those of `tiny_imagenet_networks.csv`, `tiny_imagenet_softened.csv` and `tiny_imagenet_fine_tuned.csv`.
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
GROUPS = {"man_made_natural": {"A": "man-made", "B": "natural"}}


def main() -> None:
    frozen = trained().merge(softened(), on=KEY, validate="one_to_one")
    fine_tuned = pd.read_csv(RESULTS / "tiny_imagenet_fine_tuned.csv", keep_default_na=False)
    by_classes = results(frozen[frozen["split"] != "images0"])
    with figure_style(COLORS):
        draw_pictures(by_classes, {name: [PAGES / f"natural_images_{name}.png"] for name in ("effects", "parts")})
        by_images = results(frozen[frozen["split"] == "images0"])
        draw_pictures(by_images, {"parts": [PAGES / "natural_images_by_images.png"]})
        draw_pictures(results(fine_tuned), {"effects": [PAGES / "natural_images_fine_tuned.png"]})


def trained() -> pd.DataFrame:
    return pd.read_csv(RESULTS / "tiny_imagenet_networks.csv", keep_default_na=False)


def softened() -> pd.DataFrame:
    return pd.read_csv(RESULTS / "tiny_imagenet_softened.csv")[[*KEY, "softened_top1", "softened_cross_entropy"]]


def results(networks: pd.DataFrame) -> Results:
    """Of networks as the files have them, with what they reach on softened validation images."""
    measured = networks.assign(
        top1_final=networks["softened_top1"], validation_cross_entropy=networks["softened_cross_entropy"]
    )
    rows = measured.to_dict("records")
    accuracies = frame_of(((f"row {number}", described(row)) for number, row in enumerate(rows)), LAYERS)
    return Results.by(accuracies, "top1_final", 0.02, LAYERS, groups=GROUPS)


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
