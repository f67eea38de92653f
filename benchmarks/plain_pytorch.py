"""What one would write today to train one such network: torchvision's image folder, a DataLoader, torch's SGD.

    python benchmarks/plain_pytorch.py SETUP FOLDER FROZEN WORKERS LAYOUT SECONDS

Trains the network of a setup (setups.py), with its lowest layers frozen, on the images of a folder for some seconds,
and prints the images per second as JSON. On a GPU it computes in bfloat16 from page-locked memory. LAYOUT is the memory
layout of images and weights, contiguous_format or channels_last.
"""

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import torch
from memory import peak_memory
from setups import SETUPS, Setup
from torch import nn
from torch.utils.data import DataLoader, RandomSampler
from torchvision import transforms
from torchvision.datasets import ImageFolder

from transferability.networks.architecture import CrossChannelNormalization
from transferability.networks.build import build_network

WARM_UP = 5


def training_rate(setup: Setup, folder: Path, frozen: int, workers: int, layout: str, *, seconds: float) -> float:
    """The images per second of the plain loop."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    images = ImageFolder(str(folder / "train"), transform(setup))
    loader = DataLoader(
        images,
        batch_size=setup.batch_on(device),
        # An epoch that does not end during the measurement, because workers run out of work at the end of one.
        sampler=RandomSampler(images, replacement=True, num_samples=10**9),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device == "cuda",
    )
    memory_format = getattr(torch, layout)
    network = with_torchs_normalization(build_network(setup.architecture, setup.seen_shape, setup.classes, 0))
    network.to(device).to(memory_format=memory_format)
    for layer in network[:frozen]:
        layer.requires_grad_(False)
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.001, momentum=0.9, weight_decay=0.0005)
    batches = iter(loader)

    def update() -> None:
        images, targets = next(batches)
        images = images.to(device, non_blocking=True, memory_format=memory_format)
        targets = targets.to(device, non_blocking=True)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = nn.functional.cross_entropy(network(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(WARM_UP):
        update()
    wait_for(device)
    started, updates = time.perf_counter(), 0
    while updates < 3 or time.perf_counter() - started < seconds:
        update()
        updates += 1
    wait_for(device)
    return updates * setup.batch_on(device) / (time.perf_counter() - started)


def transform(setup: Setup) -> transforms.Compose:
    steps: list[object] = [transforms.Grayscale()] if setup.channels == 1 else []
    if setup.crop:
        steps += [transforms.RandomCrop(setup.crop), transforms.RandomHorizontalFlip()]
    half = [0.5] * setup.channels
    return transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(half, half)])


def with_torchs_normalization(network: nn.Sequential) -> nn.Sequential:
    for layer in network:
        for name, module in layer.named_children():
            if isinstance(module, CrossChannelNormalization):
                setattr(layer, name, nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75))
    return network


def wait_for(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    _, setup, folder, frozen, workers, layout, seconds = sys.argv
    about = (SETUPS[setup], Path(folder), int(frozen), int(workers), layout)
    rate = training_rate(*about, seconds=float(seconds))
    print(json.dumps({"images_per_second": rate, **peak_memory()}))
