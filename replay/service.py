"""Replay that several actors feed at once: paced by what the learner samples, and kept on disk as it arrives."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from trailkit.replay.base import Replay, ReplayTimeout, Table
from trailkit.replay.episode import Episode
from trailkit.replay.spill import Spill
from trailkit.replay.transition import Transition

_POLL_S = 0.005
ACTOR, INDEX = "actor", "index"  # in an episode's metadata: who played it, and how many that one had played before


class ReplayService:
    """Holds samples and inserts at a ratio, from both sides: who is ahead waits for the other.

    An episode is on the disk before it can be sampled, so a new service, made on the same folder, holds what the one
    before it held. An episode that is sent twice, because the answer to the first was lost, is taken once.
    For several threads at once.
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
        """Makes the replay, empty: `fill` comes first.

        Args:
            make_replay: Makes it, given how many inserts are to allow no samples.
            folder: Of the spill.
            capacity: How many steps the folder keeps.
            samples_per_insert: Samples of the main table for each step that is inserted.
            free_steps: How many steps to insert before the first sample; they allow none.
            slack: How many samples may be left untaken before inserts wait.
            taken: How many samples were taken of the steps that are in the folder, and of those before them.
        """
        self._spill = Spill(folder, capacity)
        self._ratio, self._slack, self._free_steps = samples_per_insert, slack, free_steps
        # Files may have been lost: then what they allowed was taken, and those to come allow what they always do.
        beyond = self._spill.total_steps - free_steps
        surplus = max(samples_per_insert * beyond - taken, samples_per_insert * min(0, beyond))
        self._free = self._spill.steps - surplus / samples_per_insert
        self.replay = make_replay(self._free)
        self._inserted = 0
        self._next: dict[int, int] = {}  # each actor's next episode
        self._inserting, self._using = threading.Lock(), threading.Lock()

    def fill(self) -> Iterator[Episode]:
        """Adds the episodes of the folder to the replay, one for each `next`."""
        for episode in self._spill.load():
            self._add(episode)
            yield episode

    def insert(self, episode: Episode) -> int:
        """Takes an episode when the learner has had its samples of those before.

        Returns:
            How many steps were ever inserted.

        Raises:
            UserError: If the disk is full, or the episode unlike those before it.
            ReplayTimeout: If the replay did not take it. It is on the disk, and counts: only a new service holds it.
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
        """How many samples the inserts allow beyond those that were taken."""
        return self._ratio * (self._inserted - self._free) - self.replay.samples()

    def samples_per_insert(self) -> float:
        """The ratio since the very first insert."""
        allowed = max(0, self._spill.total_steps - self._free_steps)
        return self._ratio - self.surplus() / allowed if allowed else 0.0

    @property
    def total_steps(self) -> int:
        """How many steps were ever inserted."""
        return self._spill.total_steps

    def batches(self, table: Table, batch_size: int, timeout_s: float = 10.0) -> Iterator[Transition]:
        """Yields batches of a replay in this process, those of the main table each when the inserts allow it.

        Raises:
            ReplayTimeout: If they do not for `timeout_s` seconds.
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
        """Adds an episode that is on the disk; it counts even if the replay does not take it."""
        with self._using:
            self._inserted += episode.length
            actor = episode.metadata.get(ACTOR, 0)
            self._next[actor] = max(self.episodes_of(actor), episode.metadata.get(INDEX, -1) + 1)
            self.replay.add(episode)
