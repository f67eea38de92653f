"""What it costs to study a network that is not this project's own.

    python benchmarks/any_network.py benchmarks/results/NAME.csv

Three questions: how much longer an update takes through the layers than through the model itself; how much faster the
frozen series of a ResNet-18's stages trains in lock-step than its networks do one after the other, as measured and as
the best case by counting operations; and how much longer Snakemake takes to start for a ResNet-50, once it has been
described, than for the default study. All on one CPU thread.
"""

import csv
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
from setups import default_settings
from torch import nn

from transferability.networks.build import build_network
from transferability.networks.cut_points import chosen_cuts, explore
from transferability.networks.library import build_model
from transferability.planning.calibration import Workload, calibrate
from transferability.planning.flops import flops_per_image
from transferability.process.determinism import use_threads
from transferability.process.provenance import device_name
from transferability.study.settings import Foreign, Preprocessing, Settings
from transferability.training.recipe import Running

SHAPE, CLASSES, BATCH = (64, 64, 3), 100, 16
ROUNDS, STARTS = 7, 5
COLUMNS = ("question", "network", "a", "b", "ratio", "unit", "device")


def main(file: Path) -> None:
    use_threads(1)
    rows = [
        *(layers_against_model(name) for name in ("torchvision/resnet18", "timm/vit_tiny_patch16_224")),
        *lock_step_against_one_by_one("torchvision/resnet18"),
        start_against_default("torchvision/resnet50"),
    ]
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(COLUMNS)
        writer.writerows((*row, device_name("cpu")) for row in rows)
    print(file.read_text())


def stages_of(architecture: str) -> list[str]:
    model = build_model(architecture, {}, SHAPE, CLASSES, 0)
    return chosen_cuts(architecture, model, explore(model, SHAPE)[1], "stages")


def layers_against_model(architecture: str) -> tuple[object, ...]:
    """Seconds of an update's forward and backward pass, alternating: a through the layers, b through the model."""
    network = build_network(architecture, SHAPE, CLASSES, 0, cuts=stages_of(architecture)).train()
    model = build_model(architecture, {}, SHAPE, CLASSES, 0).train()
    images, targets = torch.randn(BATCH, SHAPE[2], *SHAPE[:2]), torch.arange(BATCH)

    def update(trained: nn.Module) -> Callable[[], object]:
        parameters = list(trained.parameters())
        return lambda: torch.autograd.grad(nn.functional.cross_entropy(trained(images), targets), parameters)

    of_layers, of_model = alternately(update(network), update(model))
    return ("layers against model", architecture, of_layers, of_model, of_layers / of_model, "s an update")


def alternately(*calls: Callable[[], object]) -> list[float]:
    """The median CPU seconds of each call, over rounds of all calls."""
    seconds: list[list[float]] = [[] for _ in calls]
    for one in range(ROUNDS + 1):
        for kept, call in zip(seconds, calls, strict=True):
            started = time.process_time()
            call()
            if one:  # the first warms up
                kept.append(time.process_time() - started)
    return [statistics.median(kept) for kept in seconds]


def lock_step_against_one_by_one(architecture: str) -> list[tuple[object, ...]]:
    """CPU seconds and operations of an update of a whole frozen series: a in lock-step, b one by one."""
    cuts = tuple(stages_of(architecture))
    settings = Settings(
        architecture, Preprocessing(0, False, "whole", 64.0), default_settings(), foreign=Foreign(cuts=cuts)
    )
    depths = tuple(range(1, len(cuts) + 1))
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder), "cpu", 1e9, 1e9, lambda _line: None)

        def seconds(frozen: tuple[int, ...]) -> float:
            return calibrate(Workload(frozen, SHAPE, CLASSES, settings, cached=True), running, about=4.0).iteration

        def operations(frozen: tuple[int, ...]) -> int:
            return flops_per_image(architecture, SHAPE, CLASSES, frozen, **settings.building).training

        def row(question: str, count: Callable[[tuple[int, ...]], float], unit: str) -> tuple[object, ...]:
            together, alone = count(depths), sum(count((depth,)) for depth in depths)
            return (question, architecture, together, alone, alone / together, unit)

        return [
            row("lock-step against one by one", seconds, "s an update of all"),
            row("lock-step against one by one, at best", operations, "operations an image of all"),
        ]


def start_against_default(architecture: str) -> tuple[object, ...]:
    """CPU seconds that Snakemake takes to start, in a dry run of one target: a for the network, b for the default."""
    with tempfile.TemporaryDirectory() as folder:
        common = [f"results={folder}/results", f"stores={folder}/stores"]
        foreign = [*common, f"networks={{architecture: {architecture}}}"]
        start_seconds(foreign)  # this describes the network
        of_network, of_default = zip(
            *((start_seconds(foreign), start_seconds(common)) for _ in range(STARTS)), strict=True
        )
    a, b = statistics.median(of_network), statistics.median(of_default)
    return ("start against the default study's", architecture, a, b, a / b, "s")


def start_seconds(config: list[str]) -> float:
    before = children_seconds()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--quiet", "all", "--config", *config]
    target = ["--", "image_lists"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([*command, *target], cwd=ROOT, check=True, capture_output=True, env=environment)
    return children_seconds() - before


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(Path(sys.argv[1]))
