"""The role that plays episodes."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.exceptions import RayActorError, RayError

from trailkit.agents.base import Action, Metrics, Parameters, Policy, Snapshot
from trailkit.agents.early_stopping import Never
from trailkit.agents.policies import RandomPolicy
from trailkit.agents.run import build
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.distributed.role import LEARNER, Role, answer
from trailkit.agents.run.loops import RANDOM, act, episode_starts
from trailkit.configs.schema import TrainConfig
from trailkit.envs.make import make_environment
from trailkit.replay.episode import Episode
from trailkit.replay.transition import Observation

PATIENCE_S = 10.0  # how long to wait for the learner before the old weights are used again
_log = logging.getLogger(__name__)


class ActorRole(Role):
    """Plays episodes with the newest weights, and sends each one to the replay."""

    def __init__(
        self,
        config: TrainConfig,
        folder: str,
        name: str,
        number: int,
        replay: str,
        layouts: Sequence[NDArray[np.float64]] = (),
    ) -> None:
        super().__init__(config, folder, name)
        self._number, self._replay, self._layouts = number, replay, layouts

    def _run(self) -> None:
        torch.set_num_threads(1)
        replay, weights = ray.get_actor(self._replay), RemoteWeights(ray.get_actor(LEARNER), self)
        settings = env_settings(self.config.env)
        self.waits()  # it may take long to read earlier episodes
        first, total = answer(replay.episodes_of, self._number)
        self.moves()
        seed = _process_seed(self.config.seed, self._number, first)
        config = replace(self.config, seed=seed)  # for the exploration noise
        env = make_environment(settings, seed)
        player = build.make_player(config, settings)
        starts = episode_starts(self.config.seed, first, self._number, self._layouts)
        random = Watched(RandomPolicy(env.action_spec().shape[0], seed), self)
        explorer = Watched(player.explorer, self)
        newcomer = act(env, random, Never(), weights, starts, label=RANDOM, actor=self._number)
        actor = act(env, explorer, player.stop, weights, starts, label=config.method, actor=self._number)
        sent: _Sent | None = None
        while True:
            self.moves()
            episode, metrics = next(newcomer if total < config.actor.random_steps else actor)
            self.waits()
            if sent is not None:
                total = sent.total_steps()
            sent = _Sent(replay, episode, {**metrics, "weights_version": weights.version})


class _Sent:
    """An episode being sent to the replay while the next one is played."""

    def __init__(self, replay: Any, episode: Episode, metrics: Metrics) -> None:
        self._replay, self._contents = replay, (ray.put(episode), metrics)
        self._answer = replay.insert.remote(*self._contents)

    def total_steps(self) -> int:
        """Waits until it has arrived, however often the replay dies meanwhile; returns the steps of all actors."""
        try:
            total: int = ray.get(self._answer)
        except RayActorError:
            total = answer(self._replay.insert, *self._contents)
        return total


class RemoteWeights:
    """The learner's newest weights; the old ones while it does not answer."""

    def __init__(self, learner: Any, role: Role) -> None:
        self._learner, self._role = learner, role
        self._snapshot: Snapshot | None = None

    @property
    def version(self) -> int:
        """The learner step that produced the weights; -1 before the first."""
        return -1 if self._snapshot is None else self._snapshot.version

    def latest(self) -> Snapshot:
        """Requests the newest weights; waits for the first ones, however long the learner takes to start."""
        self._role.waits()
        self._ask()
        while self._snapshot is None:
            time.sleep(0.2)
            self._ask()
        self._role.moves()
        return self._snapshot

    def _ask(self) -> None:
        try:
            found = ray.get(self._learner.latest.remote(self.version), timeout=PATIENCE_S)
            if found is not None:
                version, (weights,) = found
                parameters: Parameters = ray.get(weights, timeout=PATIENCE_S)
                self._snapshot = Snapshot(version, parameters)
        except RayError as error:
            _log.info("no weights from the learner: %s", type(error).__name__)


class Watched:
    """A policy that reports a sign of life with every action."""

    def __init__(self, policy: Policy, role: Role) -> None:
        self._policy, self._role = policy, role

    def reset(self) -> None:
        """Starts an episode."""
        self._policy.reset()

    def act(self, observation: Observation) -> Action:
        """Chooses an action, and reports that the role made progress."""
        self._role.moves()
        return self._policy.act(observation)

    def load(self, parameters: Parameters) -> None:
        """Loads weights."""
        self._policy.load(parameters)


def _process_seed(seed: int, actor: int, first: int) -> int:
    """A separate seed for each life of each actor."""
    return int(np.random.SeedSequence([seed, actor, first], spawn_key=(3,)).generate_state(1)[0])
