"""CUDA graphs: what a GPU does at every iteration is captured once and then replayed.

A small network's update is hundreds of kernels of microseconds each, and Python takes longer to ask for them than the
GPU to run them; a replayed graph is one call.
"""

from collections.abc import Callable, Sequence
from functools import cache

import torch

CALLS_BEFORE_CAPTURE = 3  # libraries choose their kernels and take their memory in the first

Function = Callable[..., torch.Tensor]
Capture = Callable[[Function, Sequence[torch.Tensor]], tuple[Callable[[], None], torch.Tensor]]


def capture_on_gpu(function: Function, inputs: Sequence[torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
    """What replays the function on whatever is in its inputs then, and where its result appears each time."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function(*inputs)
    return graph.replay, result


class Replayed:
    """A function of tensors that is called a few times, then captured, then replayed.

    It must do the same on every call, read what changes from its arguments, of the same shapes each time, and never
    wait for the device. Its result is overwritten by the next call.
    """

    def __init__(self, function: Function, capture: Capture = capture_on_gpu) -> None:
        self._function = function
        self._capture = capture
        self._calls = 0
        self._inputs: list[torch.Tensor] = []
        self._replay: Callable[[], None] | None = None
        self._result = torch.empty(0)

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        self._calls += 1
        if self._calls <= CALLS_BEFORE_CAPTURE:
            return _beside_main_stream(self._function, inputs)
        if self._replay is None:
            self._inputs = [tensor.clone() for tensor in inputs]
            self._replay, self._result = self._capture(self._function, self._inputs)
        for held, given in zip(self._inputs, inputs, strict=True):
            held.copy_(given)
        self._replay()
        return self._result


def side_by_side(calls: Sequence[Callable[[], torch.Tensor]]) -> list[torch.Tensor]:
    """The results of independent calls: branches of a graph that is being captured, else one after the other.

    What the calls read must live until all have returned.
    """
    if not (torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()):
        return [call() for call in calls]
    main = torch.cuda.current_stream()
    branches = [_stream(number) for number in range(len(calls))]
    results = []
    for branch, call in zip(branches, calls, strict=True):
        branch.wait_stream(main)
        with torch.cuda.stream(branch):
            results.append(call())
    for branch in branches:
        main.wait_stream(branch)
    return results


@cache
def _stream(number: int) -> torch.cuda.Stream:
    """The same ones for the life of the process: torch has 32, and gives out the one that captures among them again."""
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]


def _beside_main_stream(function: Function, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Capturing asks that nothing of the function is tied to the main stream."""
    if not inputs[0].is_cuda:
        return function(*inputs)
    side = _stream(0)
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        result = function(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    return result
