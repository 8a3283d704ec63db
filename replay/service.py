"""Replay that several actors write to at once: paced by the learner's sampling, and persisted on disk."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from trailkit.replay.base import Replay, ReplayTimeout, Table
from trailkit.replay.episode import Episode
from trailkit.replay.spill import Spill
from trailkit.replay.transition import Transition

_POLL_S = 0.005
ACTOR, INDEX = "actor", "index"  # in an episode's metadata: the actor, and how many episodes it had played before


class ReplayService:
    """Keeps samples and inserts at a fixed ratio: the side that is ahead waits for the other.

    An episode is on disk before it can be sampled, so a new service on the same folder starts with everything that
    the previous one held. An episode that is sent twice, because the answer to the first was lost, is stored once.
    Thread-safe.
    """

    def __init__(
        self,
        make_replay: Callable[[float], Replay],
        folder: Path,
        capacity: int,
        samples_per_insert: float,
        free_steps: int,
        slack: int,
        taken: int,
    ) -> None:
        """Makes the replay, still empty: call `fill` first.

        Args:
            make_replay: Makes the replay, given how many inserts allow no samples.
            folder: The folder of the spill.
            capacity: How many steps the folder keeps.
            samples_per_insert: Samples of the main table for each inserted step.
            free_steps: How many steps to insert before the first sample; they allow none.
            slack: How many allowed samples may remain unused before inserts wait.
            taken: How many samples were taken so far, in all runs of the service.
        """
        self._spill = Spill(folder, capacity)
        self._ratio, self._slack, self._free_steps = samples_per_insert, slack, free_steps
        # If episode files are missing, count their samples as used; new inserts allow the usual number of samples.
        beyond = self._spill.total_steps - free_steps
        surplus = max(samples_per_insert * beyond - taken, samples_per_insert * min(0, beyond))
        self._free = self._spill.steps - surplus / samples_per_insert
        self.replay = make_replay(self._free)
        self._inserted = 0
        self._next: dict[int, int] = {}  # each actor's next episode
        self._inserting, self._using = threading.Lock(), threading.Lock()

    def fill(self) -> Iterator[Episode]:
        """Adds the episodes of the folder to the replay, one per `next`."""
        for episode in self._spill.load():
            self._add(episode)
            yield episode

    def insert(self, episode: Episode) -> int:
        """Inserts an episode once the learner has used the samples that earlier ones allow.

        Returns:
            How many steps were ever inserted.

        Raises:
            UserError: If the disk is full, or the episode differs from those before it.
            ReplayTimeout: If the replay did not accept it. It is on disk and counts, but only a new service holds it.
        """
        with self._inserting:
            if episode.metadata[INDEX] >= self.episodes_of(episode.metadata[ACTOR]):
                while self.surplus() > self._slack:
                    time.sleep(_POLL_S)
                self._spill.write(episode)
                self._add(episode)
        return self._spill.total_steps

    def episodes_of(self, actor: int) -> int:
        """How many episodes of an actor were ever inserted."""
        return self._next.get(actor, 0)

    def surplus(self) -> float:
        """How many samples the inserts allow beyond those already taken."""
        return self._ratio * (self._inserted - self._free) - self.replay.samples()

    def samples_per_insert(self) -> float:
        """The ratio since the first insert."""
        allowed = max(0, self._spill.total_steps - self._free_steps)
        return self._ratio - self.surplus() / allowed if allowed else 0.0

    @property
    def total_steps(self) -> int:
        """How many steps were ever inserted."""
        return self._spill.total_steps

    def batches(self, table: Table, batch_size: int, timeout_s: float = 10.0) -> Iterator[Transition]:
        """Yields batches of a replay in this process; those of the main table wait until inserts allow them.

        Raises:
            ReplayTimeout: If inserts do not allow it for `timeout_s` seconds.
        """
        batches = self.replay.batches(table, batch_size)
        while True:
            deadline = time.monotonic() + timeout_s
            while table is Table.MAIN and self.surplus() <= 0:
                if time.monotonic() > deadline:
                    raise ReplayTimeout(f"nothing was inserted for {timeout_s:g} s: do the actors still run?")
                time.sleep(_POLL_S)
            with self._using:
                batch = next(batches)
            yield batch

    def _add(self, episode: Episode) -> None:
        """Adds an episode that is on disk; it counts even if the replay does not accept it."""
        with self._using:
            self._inserted += episode.length
            actor = episode.metadata.get(ACTOR, 0)
            self._next[actor] = max(self.episodes_of(actor), episode.metadata.get(INDEX, -1) + 1)
            self.replay.add(episode)
