"""Two prioritised replays sampled as one, for DDPGfD, whose demonstrations are never evicted."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trailkit.replay.base import Replay, Table
from trailkit.replay.mix import concatenate
from trailkit.replay.transition import PrioritizedBatch, Transition, select

_CHUNK = 8  # rows sampled at a time: buffered rows keep the priorities they were sampled with


class JointReplay:
    """Samples each transition in proportion to its weight across two prioritised replays."""

    def __init__(self, agent: Replay, expert: Replay, importance_exponent: float, seed: int) -> None:
        """Joins the two.

        Args:
            agent: Holds the agent's transitions.
            expert: Holds the expert's transitions.
            importance_exponent: Beta of the importance weights (1 / (N P))^beta; 1 corrects fully for non-uniform
                sampling (Schaul et al. 2016, sec. 3.4). Unlike there, they are not scaled to at most 1.
            seed: Seeds how many transitions of each batch come from each replay.
        """
        self._agent, self._expert = agent, expert
        self._exponent = importance_exponent
        self._generator = np.random.default_rng(seed)

    def batches(self, batch_size: int) -> Iterator[PrioritizedBatch]:
        """Yields batches without end; the share of the expert's transitions follows from their weights.

        Raises:
            ReplayTimeout: If one of the replays is empty.
        """
        agent, expert = (_Stream(each.batches(Table.MAIN, _CHUNK)) for each in (self._agent, self._expert))
        while True:
            ours, theirs = agent.total_weight(), expert.total_weight()
            count = int(self._generator.binomial(batch_size, theirs / (ours + theirs)))
            transition = concatenate([agent.take(batch_size - count), expert.take(count)])
            other = np.where(np.arange(batch_size) < batch_size - count, theirs, ours)
            probability = transition.weight / (transition.weight / transition.probability + other)
            stored = self._agent.size(Table.MAIN) + self._expert.size(Table.MAIN)
            importance = (stored * probability) ** -self._exponent
            yield PrioritizedBatch(
                transition._replace(probability=probability), importance.astype(np.float32), expert_rows=count
            )

    def update_priorities(self, batch: PrioritizedBatch, priorities: NDArray[np.float64]) -> None:
        """Sets the priorities, float64 [B], of a batch's transitions."""
        split = len(priorities) - batch.expert_rows
        for replay, part in ((self._agent, slice(split)), (self._expert, slice(split, None))):
            replay.update_priorities(batch.transition.key[part], priorities[part])


class _Stream:
    """The rows of a stream of batches, taken in any number, without discarding any that were sampled."""

    def __init__(self, batches: Iterator[Transition]) -> None:
        self._batches = batches
        self._rest: Transition | None = None

    def total_weight(self) -> float:
        """The sum of all weights at the time the next row was sampled."""
        rest = self._filled()
        return float(rest.weight[0] / rest.probability[0])

    def take(self, count: int) -> Transition:
        """The next `count` rows."""
        parts = []
        while True:
            rest = self._filled()
            parts.append(select(rest, slice(count)))
            self._rest = select(rest, slice(count, None))
            count -= len(parts[-1].steps)
            if count == 0:
                return concatenate(parts)

    def _filled(self) -> Transition:
        if self._rest is None or not len(self._rest.steps):
            self._rest = next(self._batches)
        return self._rest
