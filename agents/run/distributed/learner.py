"""Who learns."""

import collections
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import ray

from trailkit.agents.base import Metrics
from trailkit.agents.run import build
from trailkit.agents.run.distributed.replay import KeepsEpisodes
from trailkit.agents.run.distributed.role import Stopped, answer
from trailkit.agents.run.evaluate import Evaluation
from trailkit.agents.run.learning import LOG_EVERY, Learning, record_evaluation
from trailkit.agents.run.metrics import MetricsLog
from trailkit.configs.schema import LearnerKind, TrainConfig
from trailkit.replay.base import ReplayTimeout, Sampler, Table
from trailkit.replay.transition import Transition

_log = logging.getLogger(__name__)


class LearnerRole(KeepsEpisodes):
    """Learns, checkpoints, logs and publishes; without Reverb it holds the replay, too."""

    def __init__(self, config: TrainConfig, folder: str, name: str, replay: str | None) -> None:
        super().__init__(config, folder, name)
        self._remote = None if replay is None else ray.get_actor(replay)
        self._stop = threading.Event()
        self._due: dict[int, Any] = {}  # weights to evaluate, by their step
        self._results: collections.deque[tuple[int, Evaluation]] = collections.deque()
        self._notes: dict[str, float] = {}
        self._published: tuple[int, Any] = (-1, None)
        self._actor_steps = 0

    def _run(self) -> bool:
        """Learns from the newest checkpoint on to the last step; returns whether it came to it."""
        config = self.config
        learning = Learning(config, self.folder, build.env_settings(config.env))
        learning.restore()
        _log.info("going on from step %d", learning.steps)
        if self._remote is None and config.learner is not LearnerKind.bc:
            self._fill(lambda _: build.make_replay(config))
        self._publish(learning)
        with MetricsLog(self.folder) as log:
            log.resume(learning.steps)
            if learning.steps == 0:
                learning.checkpoint({})
            elif learning.owes_evaluation():
                self._wants_evaluation(learning)
            try:
                self._learn(learning, log)
            except Stopped:
                pass
            learning.checkpoint({})
            self._finish(learning, log)
        return learning.steps >= config.steps

    def stop(self) -> None:
        """Makes `run` leave a checkpoint and return."""
        self._stop.set()

    def note(self, metrics: Metrics) -> None:
        """Takes metrics of the whole program into the log."""
        self._notes.update(metrics)

    def latest(self, version: int) -> tuple[int, Any] | None:
        """The newest weights, unless they are of a version that is there: their version, and a reference to them."""
        newest, weights = self._published
        return (newest, [weights]) if newest != version else None

    def next_evaluation(self) -> tuple[int, Any] | None:
        """The oldest policy that is to be evaluated: its step, and a reference to its weights."""
        step = min(self._due, default=None)
        return None if step is None else (step, [self._due[step]])

    def evaluated(self, step: int, result: Evaluation) -> None:
        """Takes the result of an evaluation; a second one of the same step is dropped."""
        if self._due.pop(step, None) is not None:
            self._results.append((step, result))

    def batches(self, table: Table, batch_size: int) -> Iterator[Transition]:
        """Batches of the replay, however slow it is, and of those that take its place when it dies."""
        while not self._stop.is_set():
            self.waits()
            try:
                for batch in self._replay().batches(table, batch_size):
                    self.moves()
                    yield batch
                    self.waits()
            except ReplayTimeout as error:
                _log.warning("%s", error)
        raise Stopped

    def _replay(self) -> Sampler:
        """The replay of now, wherever it is."""
        if self._remote is None:
            return self.service
        while (sampler := answer(self._remote.sampler, stop=self._stop)) is None:
            time.sleep(0.1)
        connected: Sampler = sampler
        return connected

    def _learn(self, learning: Learning, log: MetricsLog) -> None:
        config, began, before = self.config, time.monotonic(), learning.seconds
        updates = learning.updates(None if config.learner is LearnerKind.bc else self)
        self._log_actors(log)
        logged, at = self._actor_steps, time.monotonic()
        while learning.steps < config.steps and not self._stop.is_set():
            log.add(next(updates))
            self.moves()
            learning.seconds = before + time.monotonic() - began
            if config.minutes is not None and learning.seconds > 60 * config.minutes:
                return
            if learning.steps % config.launch.publish_every == 0:
                self._publish(learning)
            if learning.steps % LOG_EVERY == 0:
                self._log_actors(log)
                now = time.monotonic()
                log.add({"learner_steps_per_second": LOG_EVERY / (now - at), **learning.holdout_score()})
                log.add({"actor_steps_per_second": (self._actor_steps - logged) / (now - at), **self._notes})
                log.write(learning.steps, self._actor_steps, learning.seconds)
                logged, at = self._actor_steps, now
            if learning.steps % config.evaluation.every == 0:
                self._publish(learning)
                self._wants_evaluation(learning)
            self._log_evaluations(learning, log)
            if learning.steps % config.checkpoint_every == 0:
                learning.checkpoint({})
            self._progress = {"steps": learning.steps, "actor_steps": self._actor_steps, **log.latest}

    def _wants_evaluation(self, learning: Learning) -> None:
        if self.config.launch.evaluators:
            self._due[learning.steps] = self._published[1]

    def _publish(self, learning: Learning) -> None:
        self._published = learning.steps, ray.put(learning.snapshot().parameters)

    def _log_actors(self, log: MetricsLog) -> None:
        """Takes what the actors reported into the log."""
        if self.config.learner is LearnerKind.bc:
            return
        reported: list[Metrics]
        self.waits()
        reported, self._actor_steps, state = (
            self.report() if self._remote is None else answer(self._remote.report, stop=self._stop)
        )
        self.moves()
        for metrics in reported:
            age = self._published[0] - metrics["weights_version"]
            log.add({name: value for name, value in metrics.items() if name != "weights_version"})
            log.add({"weights_age": max(0.0, age)})
        log.add(state)

    def _log_evaluations(self, learning: Learning, log: MetricsLog) -> None:
        while self._results:
            step, result = self._results.popleft()
            record_evaluation(learning, log, step, self._actor_steps, result)

    def _finish(self, learning: Learning, log: MetricsLog) -> None:
        """Waits for the evaluations that are still to come, unless the program is being stopped."""
        self.waits()
        while self._due and not self._stop.is_set():
            time.sleep(0.1)
        self._log_evaluations(learning, log)
