"""The interface of replay: episodes go in, batches of transitions come out."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError
from trailkit.replay.episode import Episode
from trailkit.replay.transition import Transition


class Table(StrEnum):
    """The tables that every replay holds."""

    MAIN = "main"
    EARLY = "early"  # only transitions with age < early_steps, 1-step windows: TRAIL's constraining sets


class ReplayTimeout(UserError):
    """A replay was empty, or did not answer, within its deadline."""


class Sampler(Protocol):
    """A source of batches."""

    def batches(self, table: Table, batch_size: int) -> Iterator[Transition]:
        """Yields batches without end, as NumPy arrays.

        Raises `ReplayTimeout` when the table stays empty or unreachable past the deadline.
        """


@runtime_checkable
class Replay(Sampler, Protocol):
    """A store of episodes, sampled as n-step transitions.

    Implementations: `MemoryReplay` (NumPy, in this process, everywhere; seeded) and `ReverbReplay` (dm-reverb,
    embedded in this process).
    """

    def add(self, episode: Episode) -> None:
        """Inserts a finished episode; evicts what is oldest beyond the capacity, transitions or whole episodes."""

    def update_priorities(self, keys: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        """Sets the priorities of items of the main table; keys of evicted items are ignored."""

    def size(self, table: Table) -> int:
        """How many transitions the table holds."""

    def samples(self) -> int:
        """How many transitions of the main table were ever sampled."""

    def close(self) -> None:
        """Frees what the replay holds. A second call does nothing."""


def check_settings(capacity: int, n_step: int, early_steps: int, priority_exponent: float, frame_stack: int) -> None:
    """Checks the settings that every replay is built from.

    Raises:
      UserError: Names the setting that is out of its range.
    """
    counts = {"capacity": capacity, "n_step": n_step, "early_steps": early_steps, "frame_stack": frame_stack}
    for name, value in counts.items():
        if value < 1:
            raise UserError(f"the replay's {name} is {value}: it must be at least 1")
    if not 0 <= priority_exponent <= 1:
        raise UserError(f"the replay's priority_exponent is {priority_exponent}: it must lie in [0, 1]")


def check_priorities(prioritized: bool, keys: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
    """Checks an update of priorities.

    Raises:
      UserError: If the replay samples uniformly, the sizes differ or a priority is not positive and finite.
    """
    if not prioritized:
        raise UserError("this replay samples uniformly and has no priorities: make it with prioritized=True")
    if keys.shape != priorities.shape or keys.ndim != 1:
        raise UserError(f"got {keys.shape} keys and {priorities.shape} priorities: give one priority for each key")
    if not (np.isfinite(priorities).all() and (priorities > 0).all()):
        raise UserError(f"priorities must be positive and finite: the smallest is {priorities.min()}")
