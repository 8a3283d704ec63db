"""The role that learns."""

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import ray

from trailkit.agents.base import Metrics, Parameters
from trailkit.agents.run import build_data
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.distributed.backlog import Backlog, Due
from trailkit.agents.run.distributed.replay import KeepsEpisodes
from trailkit.agents.run.distributed.role import Stopped, answer
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.learning import LOG_EVERY, Learning, make_wandb, record_evaluation, record_update
from trailkit.agents.run.lock import locked
from trailkit.agents.run.metrics import Clocks, MetricsLog
from trailkit.configs.choices import LearnerKind
from trailkit.configs.schema import TrainConfig
from trailkit.replay.base import ReplayTimeout, Table
from trailkit.replay.reverb import ReverbSampler
from trailkit.replay.transition import Transition

_UNLOCKED_WITHIN_S = 60.0  # by the previous process, which may be ending on a machine that was disconnected
_BACKLOG = 2  # policies that may await evaluation
_log = logging.getLogger(__name__)


class LearnerRole(KeepsEpisodes):
    """Learns, saves checkpoints, logs and publishes weights; without Reverb it also holds the replay."""

    def __init__(self, config: TrainConfig, folder: str, name: str, replay: str | None) -> None:
        super().__init__(config, folder, name)
        self._remote = None if replay is None else ray.get_actor(replay)
        self._stop, self._restored = threading.Event(), threading.Event()
        self._backlog = Backlog()
        self._notes: dict[str, float] = {}
        self._published: tuple[int, Parameters, Any] = (-1, {}, None)
        self._actor_steps = 0
        self._learning: Learning

    def _run(self) -> bool:
        with locked(self.folder, _UNLOCKED_WITHIN_S):
            return self._train()

    def _train(self) -> bool:
        """Learns from the newest checkpoint to the last step; returns whether that and all evaluations are done."""
        config = self.config
        self._learning = learning = Learning(config, self.folder, env_settings(config.env))
        self._restore(learning)
        self._restored.set()
        _log.info("going on from step %d", learning.steps)
        if self._remote is None and config.learner is not LearnerKind.bc:
            self._fill(lambda _: build_data.make_replay(config), self.samples())
        self._publish(learning)
        with MetricsLog(self.folder, make_wandb(config, self.folder)) as log:
            log.resume(learning.steps)
            if learning.steps == 0:
                self._checkpoint(learning)
            try:
                self._learn(learning, log)
            except Stopped:
                pass
            self._log_evaluations(learning, log)
            self._checkpoint(learning)
            self._finish(learning, log)
        return learning.steps >= config.steps and not self._backlog

    def stop(self) -> None:
        """Makes `run` save a checkpoint and return."""
        self._stop.set()

    def note(self, metrics: Metrics) -> None:
        """Adds metrics of the whole program to the log."""
        self._notes.update(metrics)

    def samples(self) -> int:
        """How many of the agent's transitions its steps have learned from; waits until the checkpoint is restored."""
        self._restored.wait()
        return self._learning.steps * self.config.agent.batch_size

    def latest(self, version: int) -> tuple[int, Any] | None:
        """The newest weights, unless the caller already has that version: their version, and a reference to them.

        There are none until this process, perhaps not the run's first, has read its checkpoint.
        """
        newest, _, weights = self._published
        return None if weights is None or newest == version else (newest, [weights])

    def next_evaluation(self) -> tuple[int, str, Any] | None:
        """The oldest policy to evaluate: its step, its token, and a reference to its weights."""
        due = self._backlog.oldest()
        return None if due is None else (due.clocks.step, due.token, [due.reference])

    def evaluated(self, step: int, token: str, result: Evaluation) -> None:
        """Receives the result of an evaluation; a second one of the same policy is dropped."""
        self._backlog.finish(step, token, result)

    def batches(self, table: Table, batch_size: int) -> Iterator[Transition]:
        """Batches of the replay, however slow it is; if it dies, of the one that replaces it."""
        while not self._stop.is_set():
            self.waits()
            try:
                for batch in self._batches_of_one(table, batch_size):
                    self.moves()
                    yield batch
                    self.waits()
            except ReplayTimeout as error:
                _log.warning("%s", error)
        raise Stopped

    def _batches_of_one(self, table: Table, batch_size: int) -> Iterator[Transition]:
        """Batches of the current replay, wherever it is, until it is gone."""
        if self._remote is None:
            return self.service.batches(table, batch_size)
        sampler = self._sampler()
        return sampler.batches(table, batch_size, lambda: self._waits_on(sampler))

    def _waits_on(self, sampler: ReverbSampler) -> bool:
        """Whether the server of a sampler that has received nothing for some time is still the current one."""
        self.waits()  # called before, but perhaps from a thread other than the one that has learned meanwhile
        return self._sampler().server == sampler.server

    def _sampler(self) -> ReverbSampler:
        """A sampler of the current server, as soon as there is something to sample."""
        assert self._remote is not None
        while (sampler := answer(self._remote.sampler, stop=self._stop)) is None:
            time.sleep(0.1)
        connected: ReverbSampler = sampler
        return connected

    def _restore(self, learning: Learning) -> None:
        """Restores the newest checkpoint, and the policies that were not evaluated when the previous process ended."""
        state = learning.restore() or {}
        for due in state.get("due", []):  # early versions wrote none, and then only steps
            if not learning.evaluated(due["step"]):
                clocks = Clocks(due["step"], due.get("actor_steps", 0), due.get("seconds", learning.seconds))
                self._backlog.add(Due(clocks, due["token"], due["parameters"], ray.put(due["parameters"])))

    def _checkpoint(self, learning: Learning) -> None:
        learning.checkpoint({"due": self._backlog.state()}, self._backlog.steps())

    def _learn(self, learning: Learning, log: MetricsLog) -> None:
        config, began, before = self.config, time.monotonic(), learning.seconds
        updates = learning.updates(None if config.learner is LearnerKind.bc else self)
        self._log_actors(log)
        if learning.owes_evaluation():
            self._wants_evaluation(learning)
        learned, logged, waited, at = learning.steps, self._actor_steps, learning.waited, time.monotonic()
        while learning.steps < config.steps and not self._stop.is_set():
            record_update(learning, log, next(updates), self._actor_steps)
            self.moves()
            learning.seconds = before + time.monotonic() - began
            if config.minutes is not None and learning.seconds > 60 * config.minutes:
                return
            if learning.steps % config.launch.publish_every == 0:
                self._publish(learning)
            if learning.steps % LOG_EVERY == 0 or learning.steps == config.steps:
                log.add(self._log_actors(log))
                took = time.monotonic() - at
                log.add({"learner_steps_per_second": (learning.steps - learned) / took, **learning.holdout_metrics()})
                log.add({"actor_steps_per_second": (self._actor_steps - logged) / took, **self._notes})
                log.add({"batch_wait_share": (learning.waited - waited) / took})
                log.write(learning.steps, self._actor_steps, learning.seconds)
                learned, logged, waited, at = learning.steps, self._actor_steps, learning.waited, at + took
            self._log_evaluations(learning, log)
            if evaluated := learning.steps % config.evaluation.every == 0:
                self._publish(learning)
                self._wants_evaluation(learning)
            if evaluated or learning.steps % config.checkpoint_every == 0:
                self._checkpoint(learning)
            clocks = {"steps": learning.steps, "actor_steps": self._actor_steps, "seconds": learning.seconds}
            self._progress = {**clocks, **log.latest}

    def _wants_evaluation(self, learning: Learning) -> None:
        """Queues the published policy for evaluation, unless too many are waiting; the last one always."""
        step, parameters, reference = self._published
        if not self.config.launch.evaluators or step in self._backlog:
            return
        if len(self._backlog) >= _BACKLOG and step < self.config.steps:
            _log.warning(
                "step %d is not evaluated, since %d wait for it already: raise evaluation.every", step, _BACKLOG
            )
            return
        clocks = Clocks(step, self._actor_steps, learning.seconds)
        self._backlog.add(Due(clocks, uuid.uuid4().hex, parameters, reference))

    def _publish(self, learning: Learning) -> None:
        parameters = on_cpu(learning.snapshot().parameters)
        self._published = learning.steps, parameters, ray.put(parameters)

    def _log_actors(self, log: MetricsLog) -> Metrics:
        """Adds the actors' metrics to the log; returns the current state of the replay, which must not be averaged."""
        if self.config.learner is LearnerKind.bc:
            return {}
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
        return state

    def _log_evaluations(self, learning: Learning, log: MetricsLog) -> None:
        for due, result in self._backlog.results():
            record_evaluation(learning.folder, log, due.clocks, result)
            self._backlog.remove(due.clocks.step)

    def _finish(self, learning: Learning, log: MetricsLog) -> None:
        """Waits for pending evaluations, unless the program is being stopped."""
        self.waits()
        while self._backlog and not self._stop.is_set():
            time.sleep(0.1)
            self._log_evaluations(learning, log)


def on_cpu(parameters: Parameters) -> Parameters:
    """Parameters for processes without a GPU."""
    return {group: {name: weight.cpu() for name, weight in weights.items()} for group, weights in parameters.items()}
