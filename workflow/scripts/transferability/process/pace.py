"""How fast images are read, reported as they are."""

import time

from transferability.process.log import Say
from transferability.words import counted, duration


class Pace:
    """Logs the number of images done, the rate and the time left, every so often."""

    def __init__(self, say: Say, total: int, log_every_seconds: float) -> None:
        self._say, self._total, self._log_every_seconds = say, total, log_every_seconds
        self._done = 0
        self._started = self._last = time.monotonic()

    def made(self, images: int) -> None:
        self._done += images
        now = time.monotonic()
        if now - self._last >= self._log_every_seconds:
            self._last = now
            rate = self._done / (now - self._started)
            left = (self._total - self._done) / rate
            self._say(f"{self._done:,} of {counted(self._total, 'image')}, {rate:,.0f} images/s, {duration(left)} left")
