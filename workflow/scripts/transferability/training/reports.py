"""What a job reports of its training while it runs."""

import time
from collections.abc import Sequence

from transferability.process.provenance import device_name
from transferability.records.progress import Progress
from transferability.study.settings import Hyperparameters
from transferability.training.learner import Learner
from transferability.training.recipe import Running


class Reports:
    """Regular progress reports for the log and for watchers: how far, how fast, how much longer, how accurate."""

    def __init__(self, settings: Hyperparameters, learners: Sequence[Learner], first: int, running: Running) -> None:
        self._settings, self._learners, self._first, self._running = settings, learners, first, running
        self._device = device_name(running.device)
        self._started = self._last = time.monotonic()
        self._network_iterations = 0
        self._tell(self._progress(first, 0.0))

    def made(self, iteration: int, networks: int) -> None:
        """Note that this many iterations are done, the last one by this many networks."""
        self._network_iterations += networks
        now = time.monotonic()
        if iteration == self._settings.iterations or now - self._last >= self._running.log_every_seconds:
            self._last = now
            progress = self._progress(iteration, now - self._started)
            self._running.say(_line(progress))
            self._tell(progress)

    def _tell(self, progress: Progress) -> None:
        for watcher in self._running.watchers:
            watcher(progress)

    def _progress(self, iteration: int, seconds: float) -> Progress:
        done = iteration - self._first
        return Progress(
            iteration=iteration,
            iterations=self._settings.iterations,
            images_per_second=self._network_iterations * self._settings.batch_size / seconds if done else None,
            seconds_left=seconds / done * (self._settings.iterations - iteration) if done else None,
            seconds={learner.network.name: learner.seconds for learner in self._learners},
            device=self._device,
            histories={learner.network.name: learner.history for learner in self._learners},
        )


def _line(progress: Progress) -> str:
    accuracies = ", ".join(f"{name} {top1:.3f}" for name, top1 in progress.top1.items() if top1 is not None)
    return (
        f"iteration {progress.iteration} of {progress.iterations}, {progress.images_per_second:,.0f} images/s, "
        f"{progress.seconds_left:.0f} s left, top-1 {accuracies or 'not yet known'}"
    )
