"""How an actor's episodes begin."""

from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from trailkit.agents.base import Snapshot
from trailkit.agents.early_stopping import Never
from trailkit.agents.policies import RandomPolicy
from trailkit.agents.run.loops import act, episode_starts
from trailkit.agents.run.parameters import LocalParameters
from trailkit.envs.settings import EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.replay.transition import Observation

_SETTINGS = EnvSettings("lift_distracted", observation=ObservationSettings(height=24, width=24), episode_steps=2)


class Witness(RandomPolicy):
    """Notes the state and the observation in which each episode begins."""

    def __init__(self, env: TaskEnvironment) -> None:
        super().__init__(4)
        self._env = env
        self.states: list[NDArray[np.float64]] = []
        self.seen: list[Observation] = []

    def reset(self) -> None:
        self.states.append(self._env.state())

    def act(self, observation: Observation) -> NDArray[np.float32]:
        if len(self.seen) < len(self.states):
            self.seen.append(observation)
        return super().act(observation)


@pytest.mark.render
def test_episodes_begin_as_demonstrations_did_with_the_hand_where_the_seed_has_it() -> None:
    with TaskEnvironment(_SETTINGS, seed=3) as env:
        free, seeded = Witness(env), Witness(env)
        layouts = []
        for _ in range(3):
            env.reset()
            layouts.append(env.state())
        for policy, starts in (free, episode_starts(0, 0)), (seeded, episode_starts(0, 0, layouts=layouts)):
            list(islice(act(env, policy, Never(), LocalParameters(Snapshot(0, {})), starts, label="x"), 12))
        joints = env.task.robot
        arm = 1 + np.append(joints.arm_qpos, joints.finger_qpos)  # a state begins with the time
        things = 1 + np.setdiff1d(np.arange(env.physics.model.nq), arm - 1)
    drawn = [state[things] for state in seeded.states]
    assert {each.tobytes() for each in drawn} == {layout[things].tobytes() for layout in layouts}
    for usual, state, before, after in zip(free.states, seeded.states, free.seen, seeded.seen, strict=True):
        np.testing.assert_array_equal(state[arm], usual[arm])
        np.testing.assert_array_equal(after["proprio"], before["proprio"])
        assert (after["front"] != before["front"]).any()


def test_the_layout_follows_from_the_seed_and_the_number_of_the_episode() -> None:
    layouts = list(np.arange(5.0)[:, None])
    every = list(islice(episode_starts(1, 0, layouts=layouts), 20))
    resumed = list(islice(episode_starts(1, 8, layouts=layouts), 12))
    assert every[8:] == resumed
    assert {float(start.layout[0]) for start in every if start.layout is not None} == {0, 1, 2, 3, 4}
    assert [start.seed for start in every] == [start.seed for start in islice(episode_starts(1, 0), 20)]
