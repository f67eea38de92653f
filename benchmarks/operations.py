"""How many floating-point operations the paper's study takes, and how many hours that is at a given rate.

    python benchmarks/operations.py

They are counted from the layers' shapes as they are actually run (transferability/planning/flops.py), not measured;
evaluations are left out. Halves are assumed to have half of the classes, which affects only the last layer. For other
studies, and for times on a device, there is `snakemake plan`.
"""

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import yaml
from snakemake.utils import update_config  # type: ignore[import-untyped]

from transferability.planning.flops import flops_per_image
from transferability.study.design import Study, read_study
from transferability.study.names import WHOLE

CLASSES = 1000  # in the whole set
RATES = (50, 100, 200, 300)  # sustained TFLOP/s


def operations(study: Study) -> Counter[str]:
    """The operations of all networks, by stage."""
    counted: Counter[str] = Counter()
    for _, _, job in study.jobs():
        settings = study.settings(job[0].stage)
        classes = CLASSES if job[0].target == WHOLE else CLASSES // 2
        frozen = [network.frozen for network in job]
        side = settings.preprocessing.crop
        of_an_image = flops_per_image(settings.architecture, (side, side, 3), classes, frozen)
        images = settings.hyperparameters.iterations * settings.hyperparameters.batch_size
        counted[job[0].stage] += of_an_image.training * images
    return counted


def main() -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / "config" / "imagenet.yaml").read_text()))
    counted = operations(read_study(config))
    for stage, count in counted.items():
        print(f"{stage:12} {count:10.3g}")
    print(f"{'all':12} {counted.total():10.3g}")
    for rate in RATES:
        print(f"at {rate:4} TFLOP/s {counted.total() / rate / 1e12 / 3600:10.3g} hours")


if __name__ == "__main__":
    main()
