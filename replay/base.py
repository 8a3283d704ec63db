"""The interface of replay: episodes go in, batches of transitions come out."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trailkit.replay.episode import Episode
from trailkit.replay.transition import Transition


class Table(StrEnum):
    """The tables that every replay holds."""

    MAIN = "main"
    EARLY = "early"  # only transitions with age < early_steps: TRAIL's constraining sets


@runtime_checkable
class Replay(Protocol):
    """A store of episodes, sampled as n-step transitions.

    Implementations: `MemoryReplay` (NumPy, in this process, everywhere; seeded) and `ReverbReplay` (dm-reverb,
    embedded in this process).
    """

    def add(self, episode: Episode) -> None:
        """Inserts a finished episode; evicts the oldest transitions beyond the capacity."""

    def batches(self, table: Table, batch_size: int) -> Iterator[Transition]:
        """Yields batches without end, as NumPy arrays.

        Raises `ReplayTimeout` when the table stays empty or out of reach past the deadline.
        """

    def update_priorities(self, keys: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        """Sets the priorities of items of the main table; keys of evicted items are ignored."""

    def size(self, table: Table) -> int:
        """How many transitions the table holds."""

    def close(self) -> None:
        """Frees what the replay holds. A second call does nothing."""
