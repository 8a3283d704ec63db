import numpy as np
import pytest

from trailkit.demos.scripted import ScriptedExpert
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings
from trailkit.envs.tasks import TASKS

_EASY = ("reach", "lift", "lift_distracted")  # of which the expert misses none in a few tries


def make(task, action_space=ActionSpace.CARTESIAN):
    return Environment(EnvSettings(task, action_space, ObservationSettings(cameras=())))


def steps_to_success(env, episodes):
    """How many steps each of the episodes took that the expert solved."""
    expert = ScriptedExpert(env)
    taken = []
    for seed in range(episodes):
        env.seed(seed)
        timestep = env.reset()
        expert.reset()
        steps = 0
        while not (timestep.last() or env.solved):
            timestep = env.step(expert.act())
            steps += 1
        taken += [steps] * env.solved
    env.close()
    return taken


def first_actions(noise, seed=0, env_seed=0):
    env = make("lift")
    env.seed(env_seed)
    env.reset()
    expert = ScriptedExpert(env, noise, seed)
    expert.reset()
    actions = []
    for _ in range(5):
        actions.append(expert.act())
        env.step(actions[-1])
    env.close()
    return np.array(actions)


@pytest.mark.parametrize("task", TASKS)
def test_the_expert_solves_every_task(task):
    missed = 8 - len(steps_to_success(make(task), episodes=8))
    assert missed <= (0 if task in _EASY else 1)


@pytest.mark.parametrize("task", ["reach", "lift", "stack", "insertion"])
def test_the_expert_solves_tasks_in_joint_velocities_too(task):
    missed = 5 - len(steps_to_success(make(task, ActionSpace.JOINT), episodes=5))
    assert missed <= (0 if task in _EASY else 1)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_the_expert_solves_95_of_100_episodes_at_a_person_s_pace(task):
    taken = steps_to_success(make(task), episodes=100)
    assert len(taken) >= 95
    assert np.median(taken) < 120


def test_actions_are_float32_within_bounds_however_large_the_noise():
    actions = first_actions(noise=5.0)
    assert actions.dtype == np.float32
    assert np.abs(actions).max() == 1.0


def test_an_expert_without_noise_ignores_its_seed():
    np.testing.assert_array_equal(first_actions(noise=0.0, seed=1), first_actions(noise=0.0, seed=2))


def test_noise_changes_the_velocities_but_not_the_grip():
    plain, noisy = first_actions(noise=0.0), first_actions(noise=0.2)
    assert not np.any(np.all(plain[:, :3] == noisy[:, :3], axis=1))
    assert plain[0, 3] == noisy[0, 3]


def test_noise_follows_from_the_seeds_of_expert_and_environment():
    np.testing.assert_array_equal(first_actions(0.2, seed=1), first_actions(0.2, seed=1))
    assert not np.array_equal(first_actions(0.2, seed=1)[0], first_actions(0.2, seed=2)[0])


def test_negative_noise_is_refused():
    env = make("reach")
    with pytest.raises(UserError, match=r"noise is -0\.1: expected 0 or more"):
        ScriptedExpert(env, noise=-0.1)
    env.close()
