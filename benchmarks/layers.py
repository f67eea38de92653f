"""What limits each layer: its time in a training step, and how close its products come to the device's peak.

    python benchmarks/layers.py [results.csv] [SETUP ...]

For every module of a setup's network (setups.py; all by default), in float32 and on one thread: milliseconds of the
forward pass and of the backward pass with all gradients that training needs, with the batch and memory layout that
training uses. ``share_of_time`` is relative to the sum over the network, ``share_of_peak`` to a large matrix product.
ReLU, pooling and normalization are not counted as operations. The last row is an update of all weights.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
from ceilings import DEVICE, matrix_product_flops, seconds_of
from reporting import write_rows
from setups import SETUPS, Setup, default_settings, wanted_setups
from torch import nn

from transferability.networks.build import build_network
from transferability.planning.flops import forward_flops
from transferability.process.determinism import use_threads
from transferability.process.provenance import device_name
from transferability.training.optimizer import CaffeSGD

Row = dict[str, Any]


def main() -> None:
    use_threads(1)
    peak = matrix_product_flops("float32")
    torch.backends.cudnn.benchmark = True
    device = device_name(DEVICE)
    rows: list[Row] = []
    for wanted in wanted_setups():
        of_setup = list(times(SETUPS[wanted]))
        total = sum(row["forward_ms"] + row["backward_ms"] for row in of_setup)
        rows += [
            {"device": device, "torch": torch.__version__, "setup": wanted, **summarized(row, total, peak)}
            for row in of_setup
        ]
        write_rows(rows)


def times(setup: Setup) -> Iterator[Row]:
    """Yield a row per module: milliseconds and millions of operations for a batch."""
    batch = setup.batch_on(DEVICE)
    height, width, channels = setup.seen_shape
    network = build_network(setup.architecture, setup.seen_shape, setup.classes, 0)
    network.to(device=DEVICE, memory_format=torch.channels_last)  # type: ignore[call-overload]
    features = torch.randn(batch, height, width, channels, device=DEVICE).permute(0, 3, 1, 2)
    first = True
    for layer_name, layer in network.named_children():
        for module in layer.children() if isinstance(layer, nn.Sequential) else [layer]:
            if isinstance(module, nn.ReLU):
                module.inplace = False  # its input is used again in further measurements
            features = features.detach().requires_grad_(not first)
            output = module(features)
            wanted = [*module.parameters(), *([] if first else [features])]
            flops = forward_flops(module, output)
            yield {
                "layer": layer_name,
                "module": type(module).__name__,
                "forward_ms": 1e3 * seconds_of(lambda: module(features)),  # noqa: B023
                "backward_ms": 1e3 * seconds_of(lambda: gradients(output, wanted)),  # noqa: B023
                "mflops": flops * (2 if first else 3) / 1e6,
            }
            features, first = output, False
    optimizer, rate = CaffeSGD(network, default_settings()), torch.zeros((), device=DEVICE)
    held = tuple(optimizer.buffers.values())
    update = seconds_of(lambda: optimizer.apply(held, rate))
    yield {"layer": "all", "module": "update", "forward_ms": 0.0, "backward_ms": 1e3 * update, "mflops": 0.0}


def gradients(output: torch.Tensor, wanted: list[torch.Tensor]) -> None:
    torch.autograd.grad(output, wanted, torch.ones_like(output), retain_graph=True)


def summarized(row: Row, total: float, peak: float) -> Row:
    spent = row["forward_ms"] + row["backward_ms"]
    rate = row["mflops"] / 1e3 / (spent / 1e3) if row["mflops"] else None
    return {
        **{key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()},
        "share_of_time": round(spent / total, 3),
        "gflops": round(rate, 1) if rate else "",
        "share_of_peak": round(rate * 1e9 / peak, 3) if rate else "",
    }


if __name__ == "__main__":
    main()
