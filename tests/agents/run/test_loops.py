"""The actor's loop: what a rule for giving episodes up is shown, and what becomes of an episode that it ends."""

from collections.abc import Sequence

import numpy as np
from environments import STATE

from trailkit.agents.base import Parameters, Snapshot
from trailkit.agents.early_stopping import AfterSteps
from trailkit.agents.policies import RandomPolicy
from trailkit.agents.run.loops import act, episode_starts
from trailkit.agents.run.parameters import LocalParameters
from trailkit.envs.settings import ActionSpace, EnvSettings
from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.replay.episode import Episode
from trailkit.replay.transition import Observation

STEPS = 6


class Onlooker:
    """Never stops, and keeps what it is shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[Observation, float]] = []

    def load(self, parameters: Parameters) -> None: ...

    def reset(self) -> None:
        self.shown.clear()

    def __call__(self, observation: Observation, reward: float) -> bool:
        self.shown.append((observation, reward))
        return False


def played(stop: Onlooker | AfterSteps, rewards: Sequence[float]) -> Episode:
    """An episode in an environment that pays these rewards."""
    env = TaskEnvironment(EnvSettings("reach", ActionSpace.CARTESIAN, STATE, STEPS), seed=0)
    paid = iter(rewards)
    env.task.get_reward = lambda physics: next(paid)
    source = LocalParameters(Snapshot(0, {}))
    try:
        episode, _ = next(act(env, RandomPolicy(4), stop, source, episode_starts(0, 0), label="random"))
    finally:
        env.close()
    return episode


def test_a_rule_is_shown_each_observation_with_the_reward_that_it_came_with() -> None:
    stop, rewards = Onlooker(), [0.0, 0.0, 1.0, 0.0, 1.0, 1.0]
    episode = played(stop, rewards)
    assert [reward for _, reward in stop.shown] == episode.reward.tolist() == rewards
    for index, (observation, _) in enumerate(stop.shown, 1):
        assert np.array_equal(observation["proprio"], episode.observation["proprio"][index])


def test_an_episode_that_is_given_up_is_a_truncation() -> None:
    episode = played(AfterSteps(4), [0.0] * STEPS)
    assert episode.length == 4
    assert episode.discount.tolist() == [1.0] * 4
    assert episode.metadata["end"] == "truncation"
