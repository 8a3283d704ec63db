"""Two replays sampled as if they were one, by priority: DDPGfD, whose demonstrations are never evicted."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trailkit.replay.base import Replay, Table
from trailkit.replay.mix import concatenate
from trailkit.replay.transition import PrioritizedBatch, Transition, select

_CHUNK = 8  # rows sampled at once: those that wait keep the priorities that they were sampled by


class JointReplay:
    """Samples each transition in proportion to its weight, whichever of two prioritised replays holds it."""

    def __init__(self, agent: Replay, expert: Replay, importance_exponent: float, seed: int) -> None:
        """Joins the two.

        Args:
            agent: The agent's transitions.
            expert: The expert's.
            importance_exponent: Beta of the importance weights (1 / (N P))^beta; with 1 they make up for all of the
                sampling (Schaul et al. 2016, sec. 3.4). They are not scaled to at most 1, as they are there.
            seed: Of how many transitions of a batch each replay gives.
        """
        self._agent, self._expert = agent, expert
        self._exponent = importance_exponent
        self._generator = np.random.default_rng(seed)

    def batches(self, batch_size: int) -> Iterator[PrioritizedBatch]:
        """Yields batches without end, each with as many of the expert's transitions as their weights bring.

        Raises:
            ReplayTimeout: One of the replays is empty.
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
    """The rows of a stream of batches, any number at a time, so that none is sampled in vain."""

    def __init__(self, batches: Iterator[Transition]) -> None:
        self._batches = batches
        self._rest: Transition | None = None

    def total_weight(self) -> float:
        """The sum of all weights, as it was when the next row was sampled."""
        rest = self._filled()
        return float(rest.weight[0] / rest.probability[0])

    def take(self, count: int) -> Transition:
        """The next rows."""
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
