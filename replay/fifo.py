"""A queue of integers that NumPy can index, for the bookkeeping of an in-process replay."""

import numpy as np
from numpy.typing import NDArray


class FifoArray:
    """int64 values in order of arrival; appending and dropping take amortised O(1) each."""

    def __init__(self) -> None:
        self._array = np.empty(256, np.int64)
        self._start = 0
        self._stop = 0

    @property
    def values(self) -> NDArray[np.int64]:
        """The values held, oldest first: a view, valid until the next change."""
        return self._array[self._start : self._stop]

    def __len__(self) -> int:
        return self._stop - self._start

    def extend(self, values: NDArray[np.int64]) -> None:
        """Appends values at the end."""
        stop = self._stop + len(values)
        if stop > len(self._array):
            held = self.values
            stop = len(held) + len(values)
            # At least half of the new array is free, so that the next reallocation is as far away as this one was.
            array = np.empty(max(len(self._array), 2 * stop), np.int64)
            array[: len(held)] = held
            self._array, self._start, self._stop = array, 0, len(held)
        self._array[self._stop : stop] = values
        self._stop = stop

    def take(self, count: int) -> NDArray[np.int64]:
        """Drops the oldest `count` values, or all if there are fewer, and returns them."""
        stop = min(self._start + count, self._stop)
        taken = self._array[self._start : stop].copy()
        self._start = stop
        return taken
