"""The processes of a distributed training: who plays, who keeps the episodes, who learns, who evaluates.

Each is a plain class that `agents.run.program` turns into a Ray actor. Its `run` goes on until its work is done or its
process dies; its other methods are called meanwhile, from other threads.
"""

import collections
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ray
import torch
from ray.exceptions import GetTimeoutError, RayError

from trailkit.agents.acting import RandomPolicy
from trailkit.agents.base import Action, Metrics, Parameters, Policy, Snapshot
from trailkit.agents.run import build
from trailkit.agents.run.evaluate import Evaluation, evaluate
from trailkit.agents.run.learning import LOG_EVERY, Learning, record_evaluation
from trailkit.agents.run.loops import RANDOM, act, episode_starts
from trailkit.agents.run.metrics import MetricsLog
from trailkit.agents.stop import Never
from trailkit.configs.schema import LearnerKind, ReplayBackend, TrainConfig
from trailkit.envs.environment import Environment
from trailkit.replay.base import Replay, ReplayTimeout, Table
from trailkit.replay.episode import Episode
from trailkit.replay.reverb import ReverbReplay, ReverbSampler
from trailkit.replay.service import ReplayService
from trailkit.replay.transition import Observation, Transition

LEARNER, REPLAY = "learner", "replay"  # the names by which the roles find each other
_ANSWER_S = 10.0  # how long to wait for another role's answer before looking again
_log = logging.getLogger(__name__)


class Status(NamedTuple):
    """How a role is doing."""

    pid: int
    node: str  # Ray's id of the machine
    idle: float  # seconds since it last got on, 0 while it waits for another role
    progress: dict[str, float]


class Stopped(Exception):
    """The program is being stopped."""


class _Role:
    """What all roles can tell."""

    def __init__(self, config: TrainConfig, folder: str) -> None:
        self.config, self.folder = config, Path(folder)
        self._moved = time.monotonic()
        self._waiting = True
        self._progress: dict[str, float] = {}

    def status(self) -> Status:
        """How it is doing: an answer at all means that the process lives."""
        idle = 0.0 if self._waiting else time.monotonic() - self._moved
        return Status(os.getpid(), ray.get_runtime_context().get_node_id(), idle, dict(self._progress))

    def _moves(self) -> None:
        self._moved, self._waiting = time.monotonic(), False

    def _waits(self) -> None:
        self._waiting = True


class _TakesEpisodes(_Role):
    """A role that holds the replay."""

    service: ReplayService

    def _open(self, make_replay: Any) -> None:
        config = self.config
        self._reported: collections.deque[Metrics] = collections.deque(maxlen=1000)
        self.service = ReplayService(
            make_replay,
            self.folder / "replay",
            config.replay.capacity,
            config.replay.samples_per_insert,
            config.actor.random_steps,
            slack=int(config.replay.samples_per_insert * config.env.episode_steps),
        )

    def insert(self, episode: Episode, metrics: Metrics) -> int:
        """Takes an episode, when its turn has come; returns how many steps were ever taken."""
        total = self.service.insert(episode)
        self._reported.append(metrics)
        return total

    def episodes_of(self, actor: int) -> tuple[int, int]:
        """How many episodes of an actor were ever taken, and how many steps of all."""
        return self.service.episodes_of(actor), self.service.total_steps

    def report(self) -> tuple[list[Metrics], dict[str, float]]:
        """The metrics that came with episodes since the last report, and how full the replay is."""
        reported = [self._reported.popleft() for _ in range(len(self._reported))]
        return reported, {
            "actor_steps": self.service.total_steps,
            "episodes": self.service.total_episodes,
            "replay_size": self.service.replay.size(Table.MAIN),
            "samples_per_insert": self.service.samples_per_insert(),
        }


class ReplayRole(_TakesEpisodes):
    """A Reverb server, filled from the spill."""

    def __init__(self, config: TrainConfig, folder: str) -> None:
        super().__init__(config, folder)

        def make(free_inserts: int) -> Replay:
            return ReverbReplay(
                config.replay.capacity,
                config.agent.n_step,
                config.env.early_steps,
                samples_per_insert=config.replay.samples_per_insert,
                free_inserts=free_inserts,
            )

        self._open(make)

    def run(self) -> None:
        """Serves until it is stopped: all is done in the other methods."""
        threading.Event().wait()

    def sampler(self) -> ReverbSampler | None:
        """What samples the server from other processes; None before the first episode."""
        replay = self.service.replay
        assert isinstance(replay, ReverbReplay)
        return replay.sampler() if replay.size(Table.MAIN) else None


class ActorRole(_Role):
    """Plays episodes with the newest weights, and sends each one to the replay."""

    def __init__(self, config: TrainConfig, folder: str, number: int, replay: str) -> None:
        super().__init__(config, folder)
        self._number = number
        self._replay, self._weights = ray.get_actor(replay), _RemoteWeights(ray.get_actor(LEARNER))

    def run(self) -> None:
        """Plays until the process ends."""
        torch.set_num_threads(1)
        settings = build.env_settings(self.config.env)
        first, total = _answer(self._replay.episodes_of, self._number)
        seed = _process_seed(self.config.seed, self._number, first)
        config = replace(self.config, seed=seed)  # of the exploration noise
        env = Environment(settings, seed)
        agent = build.make_agent(config, settings)
        starts = episode_starts(self.config.seed, first, self._number)
        random = _Watched(RandomPolicy(env.action_spec().shape[0], seed), self)
        explorer = _Watched(agent.explorer, self)
        newcomer = act(env, random, Never(), self._weights, starts, label=RANDOM, actor=self._number)
        actor = act(env, explorer, agent.stop, self._weights, starts, label=config.method, actor=self._number)
        sent: Any = None
        while True:
            self._moves()
            episode, metrics = next(newcomer if total < config.actor.random_steps else actor)
            self._waits()
            if sent is not None:
                total = ray.get(sent)
            sent = self._replay.insert.remote(episode, {**metrics, "weights_version": self._weights.version})
            self._progress["steps"] = self._progress.get("steps", 0) + episode.length


class EvaluatorRole(_Role):
    """Evaluates the policies that the learner puts down for it."""

    def __init__(self, config: TrainConfig, folder: str) -> None:
        super().__init__(config, folder)
        self._learner = ray.get_actor(LEARNER)

    def run(self) -> None:
        """Evaluates until the process ends."""
        torch.set_num_threads(1)
        settings = build.env_settings(self.config.env)
        env = Environment(settings, self.config.seed)
        evaluator = build.make_agent(self.config, settings).evaluator
        wanted = self.config.evaluation
        while True:
            self._waits()
            due = _answer(self._learner.next_evaluation)
            if due is None:
                time.sleep(0.5)
                continue
            step, (weights,) = due
            self._moves()
            evaluator.load(ray.get(weights))
            result = evaluate(env, evaluator, wanted.episodes, wanted.seed, on_episode=lambda _: self._moves())
            _answer(self._learner.evaluated, step, result)


class LearnerRole(_TakesEpisodes):
    """Learns, checkpoints, logs and publishes; without Reverb it holds the replay, too."""

    def __init__(self, config: TrainConfig, folder: str, replay: str | None) -> None:
        super().__init__(config, folder)
        self._remote = None if replay is None else ray.get_actor(replay)
        self._stop = threading.Event()
        self._due: dict[int, Any] = {}
        self._results: collections.deque[tuple[int, Evaluation]] = collections.deque()
        self._notes: dict[str, float] = {}
        self._published: tuple[int, Any] = (-1, None)
        if replay is None and config.learner is not LearnerKind.bc:
            config.replay.backend = ReplayBackend.memory
            self._open(lambda _: build.make_replay(config))

    def run(self) -> bool:
        """Learns from the newest checkpoint on to the last step; returns whether it came to it."""
        config = self.config
        learning = Learning(config, self.folder, build.env_settings(config.env))
        learning.restore()
        self._publish(learning)
        with MetricsLog(self.folder) as log:
            log.resume(learning.steps)
            if learning.steps == 0:
                learning.checkpoint({})
            elif learning.steps % config.evaluation.every == 0 and not _evaluated(self.folder, learning.steps):
                self._due[learning.steps] = self._published[1]
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
        """The newest weights, if they are newer than a version: their version, and a reference to them."""
        newest, weights = self._published
        return (newest, [weights]) if newest > version else None

    def next_evaluation(self) -> tuple[int, Any] | None:
        """The oldest policy that is to be evaluated: its step, and a reference to its weights."""
        step = min(self._due, default=None)
        return None if step is None else (step, [self._due[step]])

    def evaluated(self, step: int, result: Evaluation) -> None:
        """Takes the result of an evaluation; a second one of the same step is dropped."""
        if self._due.pop(step, None) is not None:
            self._results.append((step, result))

    def _learn(self, learning: Learning, log: MetricsLog) -> None:
        config, began, before = self.config, time.monotonic(), learning.seconds
        updates = learning.updates(self._sampler())
        logged, at = self._log_actors(log), time.monotonic()
        while learning.steps < config.steps and not self._stop.is_set():
            log.add(next(updates))
            self._moves()
            learning.seconds = before + time.monotonic() - began
            if config.minutes is not None and learning.seconds > 60 * config.minutes:
                return
            if learning.steps % config.launch.publish_every == 0:
                self._publish(learning)
            if learning.steps % LOG_EVERY == 0:
                actor_steps, now = self._log_actors(log), time.monotonic()
                log.add({"learner_steps_per_second": LOG_EVERY / (now - at), **learning.holdout_score()})
                log.add({"actor_steps_per_second": (actor_steps - logged) / (now - at), **self._notes})
                log.write(learning.steps, int(actor_steps), learning.seconds)
                logged, at = actor_steps, now
            if learning.steps % config.evaluation.every == 0:
                self._publish(learning)
                self._due[learning.steps] = self._published[1]
            self._log_evaluations(learning, log)
            if learning.steps % config.checkpoint_every == 0:
                learning.checkpoint({})
            self._progress |= {"steps": learning.steps, **log.latest}

    def _publish(self, learning: Learning) -> None:
        self._published = learning.steps, ray.put(learning.snapshot().parameters)

    def _log_actors(self, log: MetricsLog) -> float:
        """Takes what the actors reported into the log; returns how many steps they played in all."""
        if self.config.learner is LearnerKind.bc:
            return 0.0
        reported: list[Metrics]
        reported, state = self.report() if self._remote is None else _answer(self._remote.report)
        for metrics in reported:
            age = self._published[0] - metrics["weights_version"]
            log.add({name: value for name, value in metrics.items() if name != "weights_version"})
            log.add({"weights_age": max(0.0, age)})
        log.add({name: state[name] for name in ("replay_size", "samples_per_insert")})
        self._actor_steps = state["actor_steps"]
        self._progress["actor_steps"] = self._actor_steps
        return float(self._actor_steps)

    def _log_evaluations(self, learning: Learning, log: MetricsLog) -> None:
        while self._results:
            step, result = self._results.popleft()
            record_evaluation(learning, log, step, int(self._progress.get("actor_steps", 0)), result)

    def _finish(self, learning: Learning, log: MetricsLog) -> None:
        """Waits for the evaluations that are still to come, unless the program is being stopped."""
        self._waits()
        while self._due and not self._stop.is_set():
            time.sleep(0.1)
        self._log_evaluations(learning, log)

    def _sampler(self) -> Any:
        if self.config.learner is LearnerKind.bc:
            return None
        return _Patient(self)

    def batches(self, table: Table, batch_size: int) -> Iterator[Transition]:
        """Batches of the replay of now, wherever it is."""
        if self._remote is None:
            return self.service.batches(table, batch_size, timeout_s=_ANSWER_S)
        while (sampler := _answer(self._remote.sampler)) is None:
            if self._stop.is_set():
                raise Stopped
            time.sleep(0.1)
        connected: ReverbSampler = sampler
        return connected.batches(table, batch_size)


class _Patient:
    """A sampler that waits for a replay that is slow, and finds the one that takes its place."""

    def __init__(self, learner: LearnerRole) -> None:
        self._learner = learner

    def batches(self, table: Table, batch_size: int) -> Iterator[Transition]:
        while True:
            try:
                self._learner._waits()
                yield from self._learner.batches(table, batch_size)
            except ReplayTimeout as error:
                _log.warning("%s", error)
            if self._learner._stop.is_set():
                raise Stopped


class _RemoteWeights:
    """The learner's newest weights; the old ones while it does not answer."""

    def __init__(self, learner: Any) -> None:
        self._learner = learner
        self._snapshot: Snapshot | None = None

    @property
    def version(self) -> int:
        return -1 if self._snapshot is None else self._snapshot.version

    def latest(self) -> Snapshot:
        while True:
            try:
                found = ray.get(self._learner.latest.remote(self.version), timeout=_ANSWER_S)
                if found is not None:
                    version, (weights,) = found
                    parameters: Parameters = ray.get(weights, timeout=_ANSWER_S)
                    self._snapshot = Snapshot(version, parameters)
            except (RayError, GetTimeoutError) as error:
                _log.warning("no weights from the learner: %s", type(error).__name__)
            if self._snapshot is not None:
                return self._snapshot
            time.sleep(0.2)


class _Watched:
    """A policy whose every action is a sign of life."""

    def __init__(self, policy: Policy, role: _Role) -> None:
        self._policy, self._role = policy, role

    def reset(self) -> None:
        self._policy.reset()

    def act(self, observation: Observation) -> Action:
        self._role._moves()
        return self._policy.act(observation)

    def load(self, parameters: Parameters) -> None:
        self._policy.load(parameters)


def _answer(method: Any, *arguments: Any) -> Any:
    """Calls a method of another role, again and again while that is being started anew."""
    while True:
        try:
            return ray.get(method.remote(*arguments), timeout=_ANSWER_S)
        except (GetTimeoutError, RayError) as error:
            if isinstance(error, ray.exceptions.RayTaskError):
                raise
            _log.warning("waiting for another role: %s", type(error).__name__)
            time.sleep(0.5)


def _process_seed(seed: int, actor: int, first: int) -> int:
    """A seed for each life of each actor."""
    return int(np.random.SeedSequence([seed, actor, first], spawn_key=(3,)).generate_state(1)[0])


def _evaluated(folder: Path, step: int) -> bool:
    return (folder / "evaluations" / f"{step:09d}" / "eval_info.json").exists()
