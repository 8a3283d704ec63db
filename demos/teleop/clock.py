"""The control clock: ticks at a fixed rate, however long the work in between takes."""

import time

import numpy as np


class Clock:
    """Ticks with a fixed period, and records how late each tick was."""

    def __init__(self, period: float) -> None:
        """The first `wait` starts the ticks.

        Args:
            period: The time between two ticks, in s.
        """
        self._period = period
        self._next: float | None = None
        self._late: list[float] = []

    def wait(self) -> None:
        """Sleeps until the next tick. Ticks that are late by more than a period are not caught up on."""
        now = time.perf_counter()
        if self._next is None or now - self._next > self._period:
            self._next = now  # a reset takes longer than a period: the arm must not race to catch up
        elif now < self._next:
            time.sleep(self._next - now)
            now = time.perf_counter()
        self._late.append(now - self._next)
        self._next += self._period

    def lateness(self, percentile: float) -> float:
        """A percentile, in [0, 100], of how late the ticks were: the jitter, s."""
        return float(np.percentile(self._late, percentile)) if self._late else 0.0
