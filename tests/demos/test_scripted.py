import numpy as np
import pytest

from trailkit.demos.scripted import ScriptedExpert
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings
from trailkit.envs.tasks import TASKS
from trailkit.envs.tasks.environment import TaskEnvironment

_EASY = ("reach", "lift", "lift_distracted")  # of which the expert misses none in a few tries


def make(task, action_space=ActionSpace.CARTESIAN):
    return TaskEnvironment(EnvSettings(task, action_space, ObservationSettings(cameras=())))


def steps_to_success(env, episodes, variety=0.0):
    """How many steps each of the episodes took that the expert solved."""
    expert = ScriptedExpert(env, variety=variety)
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


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_an_expert_as_various_as_people_solves_90_of_100_episodes(task):
    taken = steps_to_success(make(task), episodes=100, variety=1.0)
    assert len(taken) >= 90
    assert np.median(taken) < 120


def episode(variety, seed):
    """The actions, [steps, 4], of an expert without noise that lifts the block of one start."""
    env = make("lift")
    env.seed(0)
    timestep = env.reset()
    expert = ScriptedExpert(env, noise=0.0, variety=variety, seed=seed)
    expert.reset()
    actions = []
    while not (timestep.last() or env.solved):
        actions.append(expert.act())
        timestep = env.step(actions[-1])
    env.close()
    return np.array(actions)


@pytest.fixture(scope="module")
def various():
    return [episode(variety=1.0, seed=seed) for seed in range(12)]


def test_experts_without_variety_play_alike():
    np.testing.assert_array_equal(episode(variety=0.0, seed=1), episode(variety=0.0, seed=2))


def test_various_experts_have_a_pace_each(various):
    paces = [np.abs(actions[:, 2]).max() for actions in various]  # up and down, the way is not bent
    assert max(paces) <= 1.0 and min(paces) >= 0.7
    assert np.ptp(paces) > 0.15


def test_various_experts_take_bent_ways_to_the_same_place(various):
    straight = episode(variety=0.0, seed=0)[0, :2]
    firsts = np.array([actions[np.abs(actions[:, :2]).max(axis=1) > 0][0, :2] for actions in various])
    across = straight[0] * firsts[:, 1] - straight[1] * firsts[:, 0]
    angles = np.arctan2(across, firsts @ straight)
    assert angles.min() < -0.1 and angles.max() > 0.1
    assert np.abs(angles).max() <= 0.6


def test_various_experts_pause_and_hold_on_to_what_they_grip(various):
    steps = np.concatenate(various)
    still = ~steps[:, :3].any(axis=1)
    assert 0.02 < still.mean() < 0.2
    assert set(steps[still, 3]) == {0.0, 1.0}  # before the grasp, and in and after it


def test_a_variety_out_of_its_range_is_refused():
    env = make("reach")
    with pytest.raises(UserError, match=r"variety is 1\.5: expected a number in \[0, 1\]"):
        ScriptedExpert(env, variety=1.5)
    env.close()


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
