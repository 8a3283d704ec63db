"""The role that stores episodes."""

import collections
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import ray

from trailkit.agents.base import Metrics
from trailkit.agents.run.distributed.role import INSERT, LEARNER, Role, answer, node_address
from trailkit.configs.schema import TrainConfig
from trailkit.replay.base import Replay, ReplayTimeout, Table
from trailkit.replay.episode import Episode
from trailkit.replay.reverb import ReverbReplay, ReverbSampler
from trailkit.replay.service import ReplayService

_SAMPLE_WITHIN_S = 1.0  # after which the learner asks whether there is another server
_BATCHES_AHEAD = 4  # of the learner: Reverb samples three in advance
_log = logging.getLogger(__name__)


class KeepsEpisodes(Role):
    """A role that holds the replay. Calls that arrive before the replay is filled wait until then."""

    def __init__(self, config: TrainConfig, folder: str, name: str) -> None:
        super().__init__(config, folder, name)
        self._filled = threading.Event()
        self._reported: collections.deque[Metrics] = collections.deque(maxlen=1000)

    @ray.method(concurrency_group=INSERT)
    def insert(self, episode: Episode, metrics: Metrics) -> int:
        """Inserts an episode when its turn comes; returns how many steps were ever inserted.

        If the replay does not accept it, the process ends: the next one is filled from disk, where the episode is.
        """
        try:
            total = self.service.insert(episode)
        except ReplayTimeout:
            _log.exception("ending this process: its replay lacks an episode")
            os._exit(1)  # an exception would count as the fault of the calling actor
        self._reported.append(metrics)
        return total

    def episodes_of(self, actor: int) -> tuple[int, int]:
        """How many episodes of an actor were ever inserted, and how many steps of all actors."""
        return self.service.episodes_of(actor), self.service.total_steps

    def report(self) -> tuple[list[Metrics], int, dict[str, float]]:
        """The metrics that came with episodes since the last report, all steps ever played, and the replay's own."""
        reported = [self._reported.popleft() for _ in range(len(self._reported))]
        service = self.service
        return (
            reported,
            service.total_steps,
            {
                "replay_size": service.replay.size(Table.MAIN),
                "replay_process_mb": psutil.Process().memory_info().rss / 1e6,
                "samples_per_insert": service.samples_per_insert(),
            },
        )

    @property
    def service(self) -> ReplayService:
        """The replay, once it is filled."""
        self._filled.wait()
        return self._service

    def _fill(self, make_replay: Callable[[float], Replay], taken: int) -> None:
        """Makes a replay and fills it with the episodes played before.

        Args:
            make_replay: Makes it, given how many inserts allow no samples.
            taken: How many samples the learner has learned from so far.
        """
        config, began = self.config, time.monotonic()
        self._service = ReplayService(
            make_replay,
            self.folder / "replay",
            config.replay.capacity,
            config.replay.samples_per_insert,
            config.actor.random_steps,
            slack=_BATCHES_AHEAD * config.agent.batch_size,
            taken=taken,
        )
        for _ in self._service.fill():
            self.moves()
        held = self._service.replay.size(Table.MAIN)
        _log.info("filled with %d steps played before in %.1f s", held, time.monotonic() - began)
        self._filled.set()


class ReplayRole(KeepsEpisodes):
    """A Reverb server."""

    def _run(self) -> None:
        config = self.config

        def make(free_inserts: float) -> Replay:
            return ReverbReplay(
                config.replay.capacity,
                config.agent.n_step,
                config.env.early_steps,
                samples_per_insert=config.replay.samples_per_insert,
                free_inserts=free_inserts,
                port=config.launch.replay_port,
                frame_stack=config.agent.frame_stack,
            )

        self.waits()
        taken: int = answer(_learner().samples)
        self.moves()
        self._fill(make, taken)
        self.waits()
        threading.Event().wait()  # everything else happens in the other methods

    def sampler(self) -> ReverbSampler | None:
        """A sampler of the server for other processes; None before the first episode."""
        replay = self.service.replay
        assert isinstance(replay, ReverbReplay)
        return replay.sampler(node_address(), _SAMPLE_WITHIN_S) if replay.size(Table.MAIN) else None


def _learner() -> Any:
    """The learner, which is registered after the replay."""
    while True:
        try:
            return ray.get_actor(LEARNER)
        except ValueError:
            time.sleep(0.1)
