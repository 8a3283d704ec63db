"""Replay on dm-reverb: a server embedded in this process, and a sampler for this process or another.

TensorFlow, on which Reverb is built, is imported only when the first `ReverbReplay` is made: it takes seconds and
hundreds of megabytes, which other processes should not have to pay for.
"""

import contextlib
import functools
import importlib
import importlib.util
import os
import socket
import sys
import threading
import uuid
import warnings
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError
from trailkit.replay.base import ReplayTimeout, Table, check_priorities, check_settings
from trailkit.replay.deadline import DeadlineRunner
from trailkit.replay.episode import Episode, check_episode
from trailkit.replay.nstep import window_rows
from trailkit.replay.rows import pack, row_dtype, unpack
from trailkit.replay.transition import Transition

_FLUSH_EVERY = 32  # items: Reverb warns about running out of memory when many more are in flight
_GRACE_S = 5.0  # extra time for an answer to arrive after Reverb's own deadline


class ReverbReplay:
    """Stores transitions in Reverb tables: a main one, uniform or prioritised, and one of early transitions.

    An item is n + 1 references to rows (see `rows`), or more if frames are stacked, so each frame is stored once
    however many items refer to it.
    Selectors cannot be seeded. Up to three batches are sampled ahead. The tables evict single transitions, oldest
    first; the early table holds at most a sixteenth of `capacity` (or 64 episodes' worth), because the rows that it
    refers to stay stored even after the main table has evicted them.

    Without `samples_per_insert` the tables can be sampled from their first item on; the caller enforces the ratio.
    """

    def __init__(
        self,
        capacity: int,
        n_step: int,
        early_steps: int,
        prioritized: bool = False,
        priority_exponent: float = 0.6,
        timeout_s: float = 30.0,
        samples_per_insert: float | None = None,
        free_inserts: float = 0,
        port: int | None = None,
        frame_stack: int = 1,
    ) -> None:
        """Starts the server.

        Args:
          capacity: How many transitions the main table stores.
          n_step: The length of the main table's windows. The early table's windows are 1 step long.
          early_steps: The early table holds transitions with age < early_steps.
          prioritized: Sample the main table in proportion to priority ** priority_exponent. New transitions get the
            largest priority seen so far, initially 1.
          priority_exponent: In [0, 1]; 0 is uniform (Schaul et al. 2016, eq. 1).
          timeout_s: The deadline of every call, in seconds.
          samples_per_insert: How many samples of the main table each insert allows; samples beyond that block. Inserts
            never block: the caller compares `samples` with the number of inserts.
          free_inserts: How many inserts allow no samples: those of a random policy, or those already sampled from an
            earlier server. If negative, extra samples are allowed.
          port: The port that the server listens on; by default a free one.
          frame_stack: How many consecutive frames make a sampled image; see `frames`.

        Raises:
          UserError: If a setting is out of range, the port is in use, or Reverb is not installed.
        """
        check_settings(capacity, n_step, early_steps, priority_exponent, frame_stack)
        self._libraries = _import_reverb()
        reverb = self._libraries.reverb
        self._steps = {Table.MAIN: n_step, Table.EARLY: 1}
        self._early_steps = early_steps
        self._frame_stack = frame_stack
        self._prioritized = prioritized
        self._exponent = priority_exponent if prioritized else 0.0
        self._timeout_s = timeout_s
        self._largest_priority = 1.0
        self._name = uuid.uuid4().hex
        self._run = DeadlineRunner(timeout_s + _GRACE_S)
        self._column = reverb.TrajectoryColumn
        self._writer: Any = None
        self._writer_rows = 0
        self._dtype: np.dtype[np.void] | None = None
        self._dtype_known = threading.Event()
        early_size = min(capacity, max(64 * early_steps, capacity // 16))
        # A selector belongs to one table: two tables that share one corrupt each other's memory.
        selector = reverb.selectors.Prioritized(priority_exponent) if prioritized else reverb.selectors.Uniform()
        self._tables = {
            Table.MAIN: _table(reverb, Table.MAIN, selector, capacity, samples_per_insert, free_inserts),
            Table.EARLY: _table(reverb, Table.EARLY, reverb.selectors.Uniform(), early_size),
        }
        if port is not None:
            _check_free(port)
        with _without_native_log():
            server = reverb.Server(list(self._tables.values()), port)
            self._port: int = server.port
            self._client = reverb.Client(f"localhost:{self._port}")
        # Only the finalizer holds the server, which must stop before the interpreter unloads its modules.
        self._stop = weakref.finalize(self, _stop, server)

    def add(self, episode: Episode) -> None:
        """Inserts a finished episode; the tables evict their oldest transitions beyond the capacity.

        Raises:
          UserError: If the episode is malformed or differs from those before it.
          ReplayTimeout: If the server did not accept it in time. Part of the episode may be in the tables.
        """
        self._check_open()
        check_episode(episode)
        if self._dtype is None:
            self._dtype = row_dtype(episode)
            self._dtype_known.set()
        rows = pack(episode, self._dtype)
        self._within_deadline(lambda: self._write(rows.view(np.uint8).reshape(len(rows), -1)), "inserting")

    def batches(self, table: Table, batch_size: int) -> Iterator[Transition]:
        """Yields batches without end, drawn with replacement.

        Raises:
          ReplayTimeout: If the table stayed empty until the deadline.
        """
        self._check_open()
        if not self._dtype_known.wait(self._timeout_s):
            raise _empty(table, self._timeout_s)
        yield from self.sampler().batches(table, batch_size)

    def sampler(self, host: str = "localhost", timeout_s: float | None = None) -> "ReverbSampler":
        """A sampler of this server, which may be sent to another process. Needs an episode to have been added.

        Args:
          host: The name of this machine as that process knows it.
          timeout_s: A deadline other than the server's own, in seconds.
        """
        assert self._dtype is not None
        address, timeout_s = f"{host}:{self._port}", timeout_s or self._timeout_s
        return ReverbSampler(
            address, self._steps[Table.MAIN], self._dtype, timeout_s, self._name, self._exponent, self._frame_stack
        )

    def update_priorities(self, keys: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        """Sets the priorities of items of the main table; keys of evicted items are ignored.

        Raises:
          UserError: If the replay is not prioritised, or a priority is not positive.
          ReplayTimeout: If the server did not answer in time.
        """
        self._check_open()
        check_priorities(self._prioritized, keys, priorities)
        self._largest_priority = max(self._largest_priority, float(priorities.max(initial=0.0)))
        updates = dict(zip(keys.astype(np.uint64).tolist(), priorities.tolist(), strict=True))
        self._within_deadline(lambda: self._client.mutate_priorities(Table.MAIN.value, updates), "updating priorities")

    def size(self, table: Table) -> int:
        """How many transitions the table holds."""
        self._check_open()
        return int(self._tables[table].info.current_size)

    def samples(self) -> int:
        """How many transitions of the main table were ever sampled, including those sampled ahead."""
        self._check_open()
        return int(self._tables[Table.MAIN].info.rate_limiter_info.sample_stats.completed)

    def close(self) -> None:
        """Stops the server and frees its contents. A second call does nothing."""
        self._writer = None
        self._tables.clear()
        self._run.close()
        self._stop()

    def _write(self, rows: NDArray[np.uint8]) -> None:
        """Sends rows and the items that refer to them."""
        length = len(rows) - 1
        timeout_ms = int(1000 * self._timeout_s)
        writer = self._writer_for(len(rows))
        for row in rows:
            writer.append({"row": row})
        references = list(writer.history["row"][:])
        for table, count in ((Table.MAIN, length), (Table.EARLY, min(length, self._early_steps))):
            lengths, before = np.full(count, length), self._frame_stack - 1
            windows = window_rows(np.arange(count), lengths, self._steps[table], before).tolist()
            for start, window in enumerate(windows):
                # One column per row: within a column Reverb rejects the repeated row that pads a window.
                trajectory = [self._column([references[row]], squeeze=True) for row in window]
                writer.create_item(table.value, self._largest_priority, trajectory)
                if start % _FLUSH_EVERY == _FLUSH_EVERY - 1:
                    writer.flush(timeout_ms=timeout_ms)
        writer.end_episode(timeout_ms=timeout_ms)

    def _writer_for(self, rows: int) -> Any:
        """Returns a writer that can refer back to this many rows."""
        if self._writer is None or self._writer_rows < rows:
            self._writer_rows = max(rows, 2 * self._writer_rows)
            self._writer = self._client.trajectory_writer(self._writer_rows, validate_items=False)
            self._writer.configure(("row",), num_keep_alive_refs=self._writer_rows, max_chunk_length=1)
        return self._writer

    def _within_deadline(self, call: Callable[[], Any], doing: str) -> Any:
        try:
            return _within_deadline(self._run, call, doing, self._timeout_s)
        except ReplayTimeout:
            self._writer = None  # a writer that failed once stays broken
            raise

    def _check_open(self) -> None:
        if not self._tables:
            raise UserError("the replay was closed")


class ReverbSampler:
    """Samples the tables of a `ReverbReplay`, from the same process or any other."""

    def __init__(
        self,
        address: str,
        n_step: int,
        dtype: "np.dtype[np.void]",
        timeout_s: float = 30.0,
        server: str = "",
        priority_exponent: float = 0.0,
        frame_stack: int = 1,
    ) -> None:
        """Connects when the first batch is requested.

        Args:
          address: The server's address, "host:port".
          n_step: The length of the main table's windows.
          dtype: The dtype of the rows.
          timeout_s: The deadline of every call, in seconds.
          server: A name of the server, which distinguishes it from another at the same address.
          priority_exponent: The exponent of the main table's selector; 0 if that is uniform.
          frame_stack: How many consecutive frames make an image.
        """
        self.server = server
        self._address = address
        self._steps = {Table.MAIN: n_step, Table.EARLY: 1}
        self._dtype = dtype
        self._timeout_s = timeout_s
        self._exponents = {Table.MAIN: priority_exponent, Table.EARLY: 0.0}
        self._frame_stack = frame_stack

    def batches(self, table: Table, batch_size: int, wait_on: Callable[[], bool] | None = None) -> Iterator[Transition]:
        """Yields batches without end, drawn with replacement.

        Args:
          table: The table to sample.
          batch_size: How many transitions a batch has.
          wait_on: Asked at each deadline whether to keep waiting, since a stream may not notice that its server is
            gone. Without it, a batch that could not be filled by the deadline is lost, although its samples count.

        Raises:
          ReplayTimeout: If the table stayed empty, blocked by its rate limiter, or unreachable until the deadline.
        """
        samples = self._dataset(table, batch_size, self._timeout_s if wait_on is None else None)
        grace_s = _GRACE_S if wait_on is None else 0.0
        with contextlib.closing(DeadlineRunner(self._timeout_s + grace_s)) as run:
            while True:
                sample = _within_deadline(run, lambda: next(samples, None), "sampling", self._timeout_s, wait_on)
                if sample is None:
                    raise _empty(table, self._timeout_s)
                rows = np.empty((batch_size, self._columns(table)), self._dtype)
                for step, column in enumerate(sample.data):
                    rows[:, step] = column.view(self._dtype)[:, 0]
                info, exponent = sample.info, self._exponents[table]
                keys, weight = info.key.astype(np.int64), info.priority**exponent
                yield unpack(rows, self._frame_stack, keys, weight, info.probability.copy())

    def _columns(self, table: Table) -> int:
        """How many rows an item refers to."""
        return self._frame_stack + self._steps[table]

    def _dataset(self, table: Table, batch_size: int, timeout_s: float | None) -> Iterator[Any]:
        """Opens a stream of batches: for each item, one row of bytes per reference.

        It ends when the rate limiter has blocked for `timeout_s` seconds; never, if that is None.
        """
        reverb, tf = _import_reverb()
        columns = self._columns(table)
        dataset = reverb.TrajectoryDataset(
            server_address=self._address,
            table=table.value,
            dtypes=(tf.uint8,) * columns,
            shapes=(tf.TensorShape([self._dtype.itemsize]),) * columns,
            max_in_flight_samples_per_worker=2 * batch_size,
            num_workers_per_iterator=1,
            rate_limiter_timeout_ms=-1 if timeout_s is None else int(1000 * timeout_s),
        )
        options = tf.data.Options()
        options.autotune.enabled = False
        options.threading.private_threadpool_size = 1  # the learner needs the cores
        dataset = dataset.batch(batch_size, drop_remainder=True).prefetch(1).with_options(options)
        with _without_native_log():
            stream: Iterator[Any] = dataset.as_numpy_iterator()
        return stream


def _within_deadline(
    run: DeadlineRunner,
    call: Callable[[], Any],
    doing: str,
    timeout_s: float,
    wait_on: Callable[[], bool] | None = None,
) -> Any:
    """Runs a call into Reverb that may never return."""
    reverb, tf = _import_reverb()
    gone = (TimeoutError, reverb.DeadlineExceededError, tf.errors.UnavailableError, tf.errors.DeadlineExceededError)
    try:
        return run(call, wait_on or (lambda: False))
    except gone as error:
        raise ReplayTimeout(f"Reverb did not answer within {timeout_s:g} s when {doing}") from error


def _empty(table: Table, timeout_s: float) -> ReplayTimeout:
    return ReplayTimeout(f"the replay's {table} table stayed empty for {timeout_s:g} s: do the actors still run?")


class _Libraries(NamedTuple):
    """The modules that are imported lazily."""

    reverb: ModuleType
    tensorflow: ModuleType


@functools.cache
def _import_reverb() -> _Libraries:
    """Imports Reverb and TensorFlow, quietly and without a GPU.

    Raises:
      UserError: If they are not installed, or fail to import.
    """
    if importlib.util.find_spec("reverb") is None:
        raise UserError(
            "replay=reverb needs dm-reverb, which exists for Linux with Python 3.11 only and is not installed "
            f"(this is Python {sys.version_info.major}.{sys.version_info.minor} on {sys.platform}): use replay=memory"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations in their own dependencies
            reverb, tensorflow = importlib.import_module("reverb"), importlib.import_module("tensorflow")
    except ImportError as error:
        raise UserError(f"replay=reverb does not load ({error}): use replay=memory") from error
    tensorflow.config.set_visible_devices([], "GPU")  # otherwise TensorFlow takes all GPU memory
    return _Libraries(reverb, tensorflow)


def _table(
    reverb: ModuleType,
    name: Table,
    selector: Any,
    size: int,
    samples_per_insert: float | None = None,
    free_inserts: float = 0,
) -> Any:
    """Makes a table that evicts its oldest items; it can be sampled from its first item on, or as inserts allow."""
    limiter = reverb.rate_limiters.MinSize(1)
    if samples_per_insert is not None:
        limiter = reverb.rate_limiters.RateLimiter(
            samples_per_insert, 1, min_diff=samples_per_insert * free_inserts, max_diff=sys.float_info.max
        )
    return reverb.Table(name.value, selector, reverb.selectors.Fifo(), size, limiter)


def _check_free(port: int) -> None:
    """Makes sure that nothing listens on a port: Reverb would silently share it."""
    try:
        with socket.socket(socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignores leftovers of an earlier server
            probe.bind(("", port))
    except OSError as error:
        raise UserError(f"Reverb cannot listen on port {port}: {error.strerror}") from error


def _stop(server: Any) -> None:
    with _without_native_log():
        server.stop()


@contextlib.contextmanager
def _without_native_log() -> Iterator[None]:
    """Hides what Reverb's C++ code prints when a server starts or stops; it has no setting for that."""
    sys.stderr.flush()
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(nowhere)
        os.close(stderr)
