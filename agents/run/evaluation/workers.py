"""Episodes of a run's policies, played by several processes; the result does not depend on which one plays it.

This module imports little, so that processes can start before the command that uses them has imported the rest.
"""

# ruff: noqa: PLC0415

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Self

from trailkit.agents.run.evaluation.elsewhere import HERE, Elsewhere
from trailkit.configs.schema import EvaluateConfig
from trailkit.envs.errors import UserError

if TYPE_CHECKING:
    from trailkit.agents.run.evaluation.episodes import EpisodeResult
    from trailkit.agents.run.evaluation.saved import SavedAgents

_MOST = 8  # processes, unless more are requested: each takes about 450 MB
_AHEAD = 2  # episodes submitted per process: the one that it plays, and the next


class _Process(SpawnProcess):
    """Does not run the program's main file again: short scripts need no guard, and workers nothing from them."""

    def start(self) -> None:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main


class _Context(SpawnContext):
    Process = _Process


class Workers:
    """Plays episodes in this process and in others besides it. A context manager."""

    def __init__(self, folder: Path, count: int) -> None:
        """Starts the other processes, each of which takes some seconds to be ready.

        Args:
            folder: The folder of the run.
            count: The number of processes, including this one.
        """
        self._play = partial(_play, folder)
        self._others = count - 1
        self._pool = None
        if self._others:
            # Spawned: a fork would share the state of threads and OpenGL.
            self._pool = ProcessPoolExecutor(self._others, _Context(), _begin)
            for _ in range(self._others):
                self._pool.submit(_import)

    def play(self, checkpoint: str, episodes: int, seed: int, elsewhere: Elsewhere = HERE) -> Iterator["EpisodeResult"]:
        """Plays the episodes of an evaluation, and yields each when it is finished.

        Raises:
            UserError: If there is no such run, task or appearance, the checkpoint is damaged, or a process dies.
        """
        play = partial(self._play, elsewhere, checkpoint, seed)
        if self._pool is None:
            yield from map(play, range(episodes))
            return
        try:
            yield from self._share(self._pool, play, episodes)
        except BrokenProcessPool as error:
            raise UserError(
                "a worker of the evaluation died, perhaps for want of memory: give fewer workers="
            ) from error

    def _share(
        self, pool: ProcessPoolExecutor, play: Callable[[int], "EpisodeResult"], episodes: int
    ) -> Iterator["EpisodeResult"]:
        """Plays episodes in the pool, from the first on, and meanwhile in this process, from the last backwards."""
        first, last = 0, episodes  # of the episodes that nobody has started
        given: set[Future[EpisodeResult]] = set()
        while first < last or given:
            # Few at a time: what was submitted to the pool cannot be withdrawn.
            more = min(_AHEAD * self._others - len(given), last - first)
            given |= {pool.submit(play, index) for index in range(first, first + more)}
            first += more
            if first < last:
                last -= 1
                yield play(last)
            done, given = wait(given, timeout=0 if first < last else None, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _agents.cache_clear()
        if self._pool is None:
            return
        if error is not None:  # their current work is no longer needed
            for process in multiprocessing.active_children():
                if isinstance(process, _Process):
                    process.terminate()
        self._pool.shutdown(cancel_futures=True)


def workers_for(config: EvaluateConfig) -> Workers:
    """The workers for an evaluation: as many as configured, or as are useful."""
    return Workers(Path(config.run), config.workers or workers_here(config.episodes))


def workers_here(episodes: int) -> int:
    """How many workers are useful on this machine."""
    return min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, _MOST, episodes
    )


def _begin() -> None:
    """Initialises a process: interrupts are left to its parent, and it ends when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _import() -> None:
    from trailkit.agents.run.evaluation import episodes, saved  # noqa: F401


def _play(folder: Path, elsewhere: Elsewhere, checkpoint: str, seed: int, index: int) -> "EpisodeResult":
    from trailkit.agents.run.evaluation.episodes import play_episode

    saved = _agents(folder, elsewhere)
    return play_episode(saved.env, saved.policy_at(checkpoint), seed, index)


@cache
def _agents(folder: Path, elsewhere: Elsewhere) -> "SavedAgents":
    """What a process plays with; made by the first call."""
    from trailkit.agents.run.evaluation.saved import SavedAgents

    return SavedAgents(folder, elsewhere)
