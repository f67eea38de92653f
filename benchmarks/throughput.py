"""Training speed of one base network, and its share of the machine's float32 matrix product.

    python benchmarks/throughput.py [results.csv]

Trains mini_caffenet on images of the default study's shape, on 1 and 2 threads, and counts the floating-point
operations of the layers' shapes: a multiplication and an addition for every weight use, forward once and backward
twice (the first layer: once, since nothing wants the images' gradient).
"""

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
import yaml
from report import report
from torch import nn

from transferability.networks import build_network
from transferability.optimiser import CaffeSGD
from transferability.series import use_threads
from transferability.study import read_study

SECONDS = 5.0


def main() -> None:
    study = read_study(yaml.safe_load((ROOT / "config.yaml").read_text()))
    settings, size = study.hyperparameters["base"], study.data_set["size"]
    classes = (study.data_set["letters"] + study.data_set["symbols"]) // 2
    rows = []
    for threads in (1, 2):
        use_threads(threads)
        peak = matrix_product_peak()
        network = build_network(study.config["networks"]["architecture"], (size, size, 1), classes, 0)
        network.to(memory_format=torch.channels_last)
        optimiser = CaffeSGD(network, settings)
        images = torch.randn(settings.batch_size, 1, size, size).to(memory_format=torch.channels_last)
        targets = torch.randint(classes, (settings.batch_size,))

        def update(network: nn.Module = network, optimiser: CaffeSGD = optimiser) -> None:
            optimiser.step(nn.functional.cross_entropy(network(images), targets), 0)  # noqa: B023

        per_second = settings.batch_size / seconds_of(update)
        operations = training_operations(network, images)
        rows.append(
            {
                "device": platform.processor() or platform.machine(),
                "torch": torch.__version__,
                "threads": threads,
                "batch_size": settings.batch_size,
                "images_per_second": round(per_second),
                "operations_per_image": operations,
                "gflops": round(per_second * operations / 1e9, 1),
                "matrix_product_peak_gflops": round(peak / 1e9, 1),
                "share_of_peak": round(per_second * operations / peak, 3),
            }
        )
    report(rows)


def matrix_product_peak(side: int = 2048) -> float:
    """Operations a second of a large float32 matrix product."""
    one, other = torch.randn(side, side), torch.randn(side, side)
    return 2 * side**3 / seconds_of(lambda: one @ other)


def seconds_of(call: Callable[[], object]) -> float:
    """Mean time of a call, after some to warm up."""
    for _ in range(5):
        call()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        call()
        calls += 1
    return (time.perf_counter() - started) / calls


def training_operations(network: nn.Sequential, images: torch.Tensor) -> int:
    """Floating-point operations an image of one update: forward, gradients of weights, gradients of inputs."""
    uses: list[int] = []

    def count(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            uses.append(module.weight[0].numel() * output[0].numel())

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    network(images)
    for hook in hooks:
        hook.remove()
    return 2 * (2 * uses[0] + 3 * sum(uses[1:]))


if __name__ == "__main__":
    main()
