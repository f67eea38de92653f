"""Alternative ways to do part of training, not yet measured: each replaces a function of the engine within a block.

docs/gpu.md says what each should gain, and which measurement decides whether it is kept or deleted. None affects
results, except by rounding.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray

from transferability.data import stream
from transferability.data.stream import Crops, ImageLoader, TrainingStream
from transferability.seeding import seed_for
from transferability.training import lock_step
from transferability.training.graphs import Function, Replayed
from transferability.training.learner import Learner
from transferability.training.optimizer import CaffeSGD

Promise = Callable[[], torch.Tensor]


@contextmanager
def copy_stream() -> Iterator[None]:
    """Copy streamed images to a GPU on a stream of their own, as soon as they are read."""
    thread = ThreadPoolExecutor(1)
    side = torch.cuda.Stream() if torch.cuda.is_available() else None  # type: ignore[no-untyped-call]
    usual = ImageLoader.start

    def copied(pixels: Promise) -> tuple[torch.Tensor, Any]:
        if side is None:
            return pixels(), None
        with torch.cuda.stream(side):
            return pixels(), side.record_event()

    def start(loader: ImageLoader, crops: Crops) -> Promise:
        if not isinstance(loader._images, stream.HostImages):
            return usual(loader, crops)
        copying = thread.submit(copied, loader._images.start(crops))

        def batch() -> torch.Tensor:
            pixels, event = copying.result()
            if event is not None:
                torch.cuda.current_stream().wait_event(event)
                # Otherwise, its memory would be given to the next copy while this one is still in use.
                pixels.record_stream(torch.cuda.current_stream())
            return loader._normalized(crops, pixels).permute(0, 3, 1, 2)

        return batch

    with thread, patch.object(ImageLoader, "start", start):
        yield


@contextmanager
def fused_sgd() -> Iterator[None]:
    """Use torch's fused SGD for updates that are not captured.

    Its update is v <- momentum v + (1 - dampening) (g + decay w); w <- w - lr v. With lr 1 and a dampening of
    1 - rate, this is Caffe's. The dampening is a number on the host, which a captured update could not change.
    """
    update = Learner.update

    def update_with_number(
        learner: Any, features: torch.Tensor, targets: torch.Tensor, _rate: torch.Tensor
    ) -> torch.Tensor:
        rate: Any = learner.hyperparameters.rate_at(learner.iteration)
        return update(learner, features, targets, rate)

    with patch.object(Learner, "update", update_with_number), patch.object(CaffeSGD, "apply", apply_fused):
        yield


def apply_fused(optimizer: CaffeSGD, gradients: tuple[torch.Tensor, ...], rate: float) -> None:
    """Like `CaffeSGD.apply`, with a rate that is a number."""
    momentum, buffers = optimizer._settings.momentum, dict(optimizer.buffers)
    unused = iter(gradients)
    with torch.no_grad():
        for group in optimizer.groups:
            torch._fused_sgd_(
                group.parameters,
                [as_laid_out(next(unused), parameter) for parameter in group.parameters],
                [buffers[name] for name in group.names],
                weight_decay=group.decay,
                momentum=momentum,
                lr=1.0,
                dampening=1.0 - rate * group.rate,
                nesterov=False,
                maximize=False,
                is_first_step=False,
            )


def as_laid_out(gradient: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """The gradient in its parameter's memory layout: the kernel goes through all tensors in the order of memory."""
    same = gradient.stride() == parameter.stride()
    return gradient if same else torch.empty_like(parameter).copy_(gradient)


@contextmanager
def one_copy() -> Iterator[None]:
    """Copy the small numbers that an iteration needs to a GPU at once, not in three parts."""
    packs: deque[tuple[NDArray[np.int64], torch.Tensor]] = deque(maxlen=8)
    drawn: deque[Crops] = deque(maxlen=1)
    begin, random_crops, to_device = TrainingStream._start, ImageLoader.random_crops, stream.to_device

    def crops_drawn(loader: ImageLoader, *about: Any) -> Crops:
        drawn.append(random_crops(loader, *about))
        return drawn[0]

    def start(batches: TrainingStream, iteration: int) -> Any:
        started = begin(batches, iteration)
        crops = drawn.pop()
        targets = batches._targets[crops.chosen]
        rows = np.stack([crops.chosen, crops.top, crops.left, crops.mirrored, targets])
        packs.append((rows, to_device(rows, batches._loader.device)))
        return started

    def looked_up(numbers: NDArray[np.int64], device: torch.device) -> torch.Tensor:
        """The rows of a pack with these numbers, so that the engine need not know about packs."""
        places = (slice(0, 3), slice(1, 4)) if numbers.ndim == 2 else (4,)
        for rows, copied in packs:
            for place in places:
                if np.array_equal(rows[place], numbers):
                    return copied[place]
        return to_device(numbers, device)

    with (
        patch.object(ImageLoader, "random_crops", crops_drawn),
        patch.object(TrainingStream, "_start", start),
        patch.object(stream, "to_device", looked_up),
    ):
        yield


@contextmanager
def contiguous() -> Iterator[None]:
    """Keep images and weights contiguous in memory, not with channels last."""
    start = ImageLoader.start

    def started(loader: ImageLoader, crops: Crops) -> Promise:
        images = start(loader, crops)
        return lambda: images().contiguous()

    with patch.object(torch, "channels_last", torch.contiguous_format), patch.object(ImageLoader, "start", started):
        yield


@contextmanager
def recorded_dropout() -> Iterator[None]:
    """Capture updates of networks with dropout too.

    Each network draws from a generator of its own that is registered with the graph, whose kernels read seed and offset
    from memory at every replay: the seed is that of the network and iteration, and the offset 0, as without a graph.
    """
    update = Learner.update
    generators: dict[str, torch.Generator] = {}

    def update_of(learner: Any, features: torch.Tensor, targets: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
        if not capturing():
            return update(learner, features, targets, rate)
        torch.cuda.default_generators[torch.cuda.current_device()].graphsafe_set_state(generators[learner.network.name])
        loss = torch.nn.functional.cross_entropy(learner.logits(features), targets)
        learner._optimizer.step(loss, rate)
        return loss.detach()

    def replays(_learning: Sequence[Any], running: Any) -> bool:
        return bool(running.cuda_graphs and running.device == "cuda")

    record = partial(record_with_generators, generators=generators)
    with (
        patch.object(Learner, "update", update_of),
        patch.object(lock_step, "replays", replays),
        patch.object(lock_step, "Replayed", partial(Replayed, capture=record)),
    ):
        yield


def capturing() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


def record_with_generators(
    function: Function, inputs: Sequence[torch.Tensor], generators: dict[str, torch.Generator]
) -> tuple[Callable[[], None], torch.Tensor]:
    """Like `graphs.capture_on_gpu`, with a generator per network that is seeded before each replay."""
    learners: Sequence[Any] = function.args[1]  # type: ignore[attr-defined]  # partial(_update_all, shared, learners)
    device = torch.cuda.current_device()
    generators.clear()
    generators.update({learner.network.name: torch.Generator(f"cuda:{device}") for learner in learners})
    graph = torch.cuda.CUDAGraph()
    for generator in generators.values():
        graph.register_generator_state(generator)
    default = torch.cuda.default_generators[device]
    usual = default.graphsafe_get_state()
    try:
        with torch.cuda.graph(graph):
            result = function(*inputs)
    finally:
        default.graphsafe_set_state(usual)
    seeded = [(learner, generators[learner.network.name]) for learner in learners]

    def replay() -> None:
        for learner, generator in seeded:
            generator.manual_seed(dropout_seed(learner))
        graph.replay()

    return replay, result


def dropout_seed(learner: Any) -> int:
    """The seed that `Learner.update` uses for this network at this iteration."""
    return seed_for(*learner.key, "dropout", learner.iteration)


VARIANTS: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
    "copy_stream": copy_stream,
    "fused_sgd": fused_sgd,
    "one_copy": one_copy,
    "contiguous": contiguous,
    "recorded_dropout": recorded_dropout,
}
