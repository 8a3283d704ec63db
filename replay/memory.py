"""Replay in this process: a ring buffer of uint8 frames in NumPy, sampled one batch at a time."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError
from trailkit.replay.base import ReplayTimeout, Table, check_priorities, check_settings
from trailkit.replay.episode import Episode, check_episode
from trailkit.replay.fifo import FifoArray
from trailkit.replay.nstep import window_rows
from trailkit.replay.rows import Rows, pack, row_dtype, unpack
from trailkit.replay.sumtree import SumTree
from trailkit.replay.transition import Transition


class MemoryReplay:
    """Stores whole episodes and samples them with a seeded generator: the same insertions give the same batches.

    An episode of T steps takes T + 1 rows (see `rows`), each frame once. The buffer grows with what is stored, by an
    eighth at a time, up to `capacity` rows and one more for each stored episode; evicted rows are reused.
    Not thread-safe.
    """

    def __init__(
        self,
        capacity: int,
        n_step: int,
        early_steps: int,
        seed: int,
        prioritized: bool = False,
        priority_exponent: float = 0.6,
        frame_stack: int = 1,
    ) -> None:
        """Makes an empty replay, which takes almost no memory.

        Args:
          capacity: How many steps to store; beyond that the oldest episodes are evicted as a whole.
          n_step: The length of the main table's windows. The early table's windows are 1 step long.
          early_steps: The early table holds the transitions with age < early_steps.
          seed: Seeds the sampling.
          prioritized: Sample the main table in proportion to priority ** priority_exponent. New transitions get the
            largest priority seen so far, initially 1.
          priority_exponent: In [0, 1]; 0 is uniform (Schaul et al. 2016, eq. 1).
          frame_stack: How many consecutive frames make a sampled image; see `frames`.
        """
        check_settings(capacity, n_step, early_steps, priority_exponent, frame_stack)
        self._capacity = capacity
        self._n_step = n_step
        self._early_steps = early_steps
        self._frame_stack = frame_stack
        self._generator = np.random.default_rng(seed)
        self._store = _RowStore(self._capacity)
        # One entry for each stored episode: its length, and the key of its first transition in either table.
        # Keys count all transitions ever added, so the stored transitions of a table have consecutive keys.
        self._lengths = FifoArray()
        self._first_keys = {table: FifoArray() for table in Table}
        self._next_key = dict.fromkeys(Table, 0)
        self._sampled = 0
        self._slots = FifoArray()  # one entry for each stored row: its slot in the store
        self._priorities = _Priorities(priority_exponent) if prioritized else None

    def add(self, episode: Episode) -> None:
        """Inserts a finished episode; evicts the oldest episodes beyond the capacity.

        Raises:
          UserError: If the episode is malformed, differs from those before it, or is longer than the capacity.
        """
        check_episode(episode)
        length = episode.length
        if length > self._capacity:
            raise UserError(f"an episode of {length} steps does not fit in a replay with capacity {self._capacity}")
        rows = pack(episode, row_dtype(episode) if self._store.dtype is None else self._store.dtype)
        while self.size(Table.MAIN) + length > self._capacity:
            self._evict_oldest()
        self._slots.extend(self._store.put(rows))
        self._lengths.extend(np.array([length]))
        for table, count in self._counts(length).items():
            self._first_keys[table].extend(np.array([self._next_key[table]]))
            self._next_key[table] += count
        if self._priorities is not None:
            last = self._next_key[Table.MAIN]
            self._priorities.append(last - self.size(Table.MAIN), last - length, last)

    def batches(self, table: Table, batch_size: int) -> Iterator[Transition]:
        """Yields batches without end, each drawn with replacement when it is requested.

        Raises:
          ReplayTimeout: If the table is empty. Raised at once, since nothing else can fill it while this process waits.
        """
        n = self._n_step if table is Table.MAIN else 1
        while True:
            if self.size(table) == 0:
                raise ReplayTimeout(f"the replay's {table} table is empty: add episodes before sampling")
            keys, weight, probability = self._draw(table, batch_size)
            self._sampled += batch_size if table is Table.MAIN else 0
            rows = self._store.get(self._locate(table, keys, n))
            yield unpack(rows, self._frame_stack, keys, weight, probability)

    def update_priorities(self, keys: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        """Sets the priorities of items of the main table; keys of evicted items are ignored.

        Raises:
          UserError: If the replay is not prioritised, or a priority is not positive.
        """
        check_priorities(self._priorities is not None, keys, priorities)
        assert self._priorities is not None
        last = self._next_key[Table.MAIN]
        stored = (keys >= last - self.size(Table.MAIN)) & (keys < last)
        self._priorities.update(keys[stored], priorities[stored])

    def size(self, table: Table) -> int:
        """How many transitions the table holds."""
        first = self._first_keys[table].values
        return self._next_key[table] - int(first[0]) if len(first) else 0

    def samples(self) -> int:
        """How many transitions of the main table were ever sampled."""
        return self._sampled

    @property
    def nbytes(self) -> int:
        """The size of the row buffer in bytes, unused rows included."""
        return self._store.nbytes

    def state_dict(self) -> dict[str, Any]:
        """The generator's state (JSON). The contents are not included: a `Spill` restores them."""
        return {"generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._generator.bit_generator.state = state["generator"]

    def close(self) -> None:
        """Frees the stored episodes. A second call does nothing."""
        while len(self._lengths):
            self._evict_oldest()
        self._store = _RowStore(self._capacity)

    def _counts(self, length: int) -> dict[Table, int]:
        """How many transitions an episode has in each table."""
        return {Table.MAIN: length, Table.EARLY: min(length, self._early_steps)}

    def _evict_oldest(self) -> None:
        (length,) = self._lengths.take(1)
        self._store.free(self._slots.take(int(length) + 1))
        for first_keys in self._first_keys.values():
            (first,) = first_keys.take(1)
            if self._priorities is not None and first_keys is self._first_keys[Table.MAIN]:
                self._priorities.drop(int(first), int(first + length))

    def _draw(
        self, table: Table, batch_size: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Draws keys, and returns them with their weights and probabilities."""
        size, last = self.size(table), self._next_key[table]
        if table is Table.MAIN and self._priorities is not None:
            return self._priorities.draw(last - size, self._generator.random(batch_size))
        keys = self._generator.integers(last - size, last, batch_size)
        return keys, np.ones(batch_size), np.full(batch_size, 1 / size)

    def _locate(self, table: Table, keys: NDArray[np.int64], n: int) -> NDArray[np.int64]:
        """Finds the store slots of the windows: int64 [B, frame_stack - 1 + n + 1]."""
        first_keys = self._first_keys[table].values
        episode = np.searchsorted(first_keys, keys, side="right") - 1
        start = keys - first_keys[episode]
        # Each earlier stored episode has one row for each of its main-table transitions, and one more.
        main = self._first_keys[Table.MAIN].values
        first_row = main[episode] - main[0] + episode
        window = window_rows(start, self._lengths.values[episode], n, self._frame_stack - 1)
        slots: NDArray[np.int64] = self._slots.values[first_row[:, None] + window]
        return slots


class _RowStore:
    """Rows in slots that are reused once freed."""

    def __init__(self, most: int) -> None:
        """Makes an empty store; spare room is never allocated beyond `most` rows."""
        self._most = most
        self._rows: Rows | None = None
        self._used = 0
        self._free = FifoArray()

    @property
    def dtype(self) -> "np.dtype[np.void] | None":
        return None if self._rows is None else self._rows.dtype

    @property
    def nbytes(self) -> int:
        return 0 if self._rows is None else self._rows.nbytes

    def put(self, rows: Rows) -> NDArray[np.int64]:
        """Stores rows and returns their slots."""
        reused = self._free.take(len(rows))
        fresh = np.arange(self._used, self._used + len(rows) - len(reused))
        slots: NDArray[np.int64] = np.concatenate([reused, fresh])
        self._used += len(fresh)
        if self._rows is None:
            self._rows = np.empty(self._used, rows.dtype)
        elif self._used > len(self._rows):
            # In place: the allocator moves pages instead of copying them. No view of the store ever leaves this class.
            self._rows.resize(max(self._used, min(len(self._rows) * 9 // 8, self._most)), refcheck=False)
        self._rows[slots] = rows
        return slots

    def get(self, slots: NDArray[np.int64]) -> Rows:
        """Returns copies of the rows in these slots."""
        assert self._rows is not None
        rows: Rows = self._rows[slots]
        return rows

    def free(self, slots: NDArray[np.int64]) -> None:
        """Marks slots as free."""
        self._free.extend(slots)


class _Priorities:
    """The weights of the stored transitions: key k is at index k modulo the tree's size, so stored keys never clash."""

    def __init__(self, exponent: float) -> None:
        self._exponent = exponent
        self._tree = SumTree(1024)
        self._largest = 1.0

    def append(self, oldest: int, first: int, last: int) -> None:
        """Gives the new keys first … last - 1 the largest priority so far; `oldest` is the oldest stored key."""
        if last - oldest > self._tree.size:
            stored = np.arange(oldest, first)
            weights = self._tree[stored % self._tree.size]
            self._tree = SumTree(2 * (last - oldest))
            self._tree[stored % self._tree.size] = weights
        self._tree[np.arange(first, last) % self._tree.size] = self._largest**self._exponent

    def drop(self, first: int, last: int) -> None:
        """Removes the keys first … last - 1."""
        self._tree[np.arange(first, last) % self._tree.size] = 0.0

    def update(self, keys: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        """Sets the priorities of stored keys."""
        self._largest = max(self._largest, float(priorities.max(initial=0.0)))
        self._tree[keys % self._tree.size] = priorities**self._exponent

    def draw(
        self, oldest: int, uniform: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Returns the keys at these fractions of the total weight, their weights and their probabilities."""
        place = self._tree.sample(uniform)
        keys = oldest + (place - oldest) % self._tree.size
        weight = self._tree[place]
        return keys, weight, weight / self._tree.total
