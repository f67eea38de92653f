"""CUDA graphs: what a GPU does at every iteration is captured once and then replayed.

A small network's update is hundreds of kernels that take microseconds each, and Python needs longer to launch them than
the GPU to run them; a replayed graph is one call.
"""

from collections.abc import Callable, Sequence
from functools import cache

import torch

CALLS_BEFORE_CAPTURE = 3  # in the first, libraries choose kernels and allocate memory

Function = Callable[..., torch.Tensor]
Capture = Callable[[Function, Sequence[torch.Tensor]], tuple[Callable[[], None], torch.Tensor]]


def capture_on_gpu(function: Function, inputs: Sequence[torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
    """Capture a function; return what replays it on its inputs' current values, and the tensor for its result."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function(*inputs)
    return graph.replay, result


class Replayed:
    """A function of tensors that is called a few times, then captured, then replayed.

    It must do the same on every call, read whatever changes from its arguments, whose shapes stay the same, and never
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
    """The results of independent calls, run as branches of a graph during capture, otherwise one after the other.

    The tensors that the calls read must stay alive until all calls have returned.
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
    """The same stream for the life of the process: torch cycles through 32, including the one that is capturing."""
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]


def _beside_main_stream(function: Function, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Run the function on another stream: capture requires that nothing in it is tied to the main stream."""
    if not inputs[0].is_cuda:
        return function(*inputs)
    side = _stream(0)
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        result = function(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    return result
