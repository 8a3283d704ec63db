"""Episodes of a run's policies, played by several processes: each episode is the same whoever plays it.

This module imports little, so that processes can begin before the command that they work for has imported the rest.
"""

# ruff: noqa: PLC0415

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from trailkit.agents.run.elsewhere import HERE, Elsewhere
from trailkit.configs.schema import EvaluateConfig
from trailkit.envs.errors import UserError

if TYPE_CHECKING:
    from trailkit.agents.run.evaluate import EpisodeResult
    from trailkit.agents.run.saved import SavedAgents

_MOST = 8  # processes, unless more are asked for: each takes some 450 MB


class Workers:
    """Plays episodes in this process and in others beside it. A context manager."""

    def __init__(self, folder: Path, count: int) -> None:
        """Begins the other processes, each of which takes some seconds to be ready.

        Args:
            folder: Of the run.
            count: How many processes there are to be, with this one.
        """
        self._play = partial(_play, folder)
        self._pool = None
        if count > 1:
            # Spawned: a fork would share what threads and OpenGL hold here.
            self._pool = ProcessPoolExecutor(count - 1, multiprocessing.get_context("spawn"), _begin)
            for _ in range(count - 1):
                self._pool.submit(_import)

    def play(self, checkpoint: str, episodes: int, seed: int, elsewhere: Elsewhere = HERE) -> Iterator["EpisodeResult"]:
        """Plays the episodes of an evaluation, in order.

        Raises:
            UserError: If there is no such run, task or appearance, the checkpoint is damaged, or a process dies.
        """
        play = partial(self._play, elsewhere, checkpoint, seed)
        if self._pool is None:
            yield from map(play, range(episodes))
            return
        mine: dict[int, EpisodeResult] = {}
        try:
            # Not `map`, which cancels the rest after a failure, while the pool's own thread tells them of it.
            futures = [self._pool.submit(play, index) for index in range(episodes)]
            for index, future in enumerate(futures):
                # While the others are at theirs, this process plays from the end what none has begun.
                while index not in mine and not future.done() and futures[last := episodes - 1 - len(mine)].cancel():
                    mine[last] = play(last)
                yield mine[index] if index in mine else future.result()
        except BrokenProcessPool as error:
            raise UserError(
                "a worker of the evaluation died, perhaps for want of memory: give fewer workers="
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _agents.cache_clear()
        if self._pool is None:
            return
        if error is not None:  # what they are at is of no use
            for process in multiprocessing.active_children():
                process.terminate()
        self._pool.shutdown(cancel_futures=True)


def workers_for(config: EvaluateConfig) -> Workers:
    """Those of an evaluation: as many as it says, or as are of use."""
    return Workers(Path(config.run), config.workers or workers_here(config.episodes))


def workers_here(episodes: int) -> int:
    """How many workers are of use on this machine."""
    return min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, _MOST, episodes
    )


def _begin() -> None:
    """Begins a process: interrupts are for its parent to hear, and it ends when that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _import() -> None:
    from trailkit.agents.run import saved  # noqa: F401


def _play(folder: Path, elsewhere: Elsewhere, checkpoint: str, seed: int, index: int) -> "EpisodeResult":
    from trailkit.agents.run.evaluate import play_episode

    saved = _agents(folder, elsewhere)
    return play_episode(saved.env, saved.at(checkpoint).evaluator, seed, index)


@cache
def _agents(folder: Path, elsewhere: Elsewhere) -> "SavedAgents":
    """What a process plays with; it is made by the first call."""
    from trailkit.agents.run.saved import SavedAgents

    return SavedAgents(folder, elsewhere)
