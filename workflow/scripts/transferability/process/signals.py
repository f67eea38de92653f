"""Stopping cleanly when asked to."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

# SIGTERM: the time limit, a preemption or a shutdown; SIGUSR1: SLURM's warning ahead of them; SIGINT: Ctrl-C;
# SIGHUP: the terminal is gone.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818 - not an error of the program
    """The job was asked to stop; its state is written."""


class StopRequest:
    """Within its block, remembers the first of `SIGNALS` instead of dying from it.

    Signals that were ignored before, as SIGHUP is under nohup, stay ignored.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._remember) for number in heeded}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return self.signal_name is not None

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.signal_name = self.signal_name or signal.Signals(number).name
