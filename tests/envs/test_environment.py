from typing import Any

import dm_env
import numpy as np
import pytest
from absl.testing import absltest
from dm_env import test_utils
from environments import STATE, Make

from trailkit.envs.errors import UserError
from trailkit.envs.robot import PROPRIOCEPTION_SIZE
from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings
from trailkit.envs.tasks import TASKS
from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.envs.tasks.props import BLOCK_HALF_SIZE
from trailkit.envs.workspace import TOOL_START, WORKSPACE

SIZES = {ActionSpace.CARTESIAN: 4, ActionSpace.JOINT: 9}


def _play(env: TaskEnvironment, steps: int, seed: int = 0) -> list[dm_env.TimeStep]:
    random = np.random.RandomState(seed)
    timesteps = [env.reset()]
    for _ in range(steps):
        timesteps.append(env.step(random.uniform(-1, 1, env.action_spec().shape)))
    return timesteps


def _assert_same(one: list[dm_env.TimeStep], other: list[dm_env.TimeStep]) -> None:
    for left, right in zip(one, other, strict=True):
        assert (left.step_type, left.reward, left.discount) == (right.step_type, right.reward, right.discount)
        assert left.observation.keys() == right.observation.keys()
        for key in left.observation:
            np.testing.assert_array_equal(left.observation[key], right.observation[key])


@pytest.mark.parametrize("space", ActionSpace)
@pytest.mark.parametrize("task", TASKS)
def test_environments_keep_dm_envs_contract(task: str, space: ActionSpace) -> None:
    class Contract(test_utils.EnvironmentTestMixin, absltest.TestCase):  # type: ignore[misc]
        def make_object_under_test(self) -> TaskEnvironment:
            return TaskEnvironment(EnvSettings(task, space, STATE, episode_steps=4), seed=0)

        def make_action_sequence(self) -> Any:
            random = np.random.RandomState(0)
            for _ in range(10):  # past the end of an episode, twice
                yield random.uniform(-1, 1, SIZES[space]).astype(np.float32)

    result = absltest.unittest.TestResult()
    absltest.unittest.defaultTestLoader.loadTestsFromTestCase(Contract).run(result)
    assert result.testsRun >= 4
    assert [trace for _, trace in result.failures + result.errors] == []


@pytest.mark.render
@pytest.mark.parametrize("space", ActionSpace)
@pytest.mark.parametrize("task", TASKS)
def test_specs_describe_what_is_observed_and_done(make: Make, task: str, space: ActionSpace) -> None:
    env = make(task, ObservationSettings(("wrist", "front"), height=32, width=48), space)
    spec = env.observation_spec()
    assert list(spec) == ["wrist", "front", "proprio"]
    assert {name: (each.name, each.shape, each.dtype) for name, each in spec.items()} == {
        "wrist": ("wrist", (32, 48, 3), np.dtype(np.uint8)),
        "front": ("front", (32, 48, 3), np.dtype(np.uint8)),
        "proprio": ("proprio", (PROPRIOCEPTION_SIZE,), np.dtype(np.float32)),
    }
    for timestep in (env.reset(), env.step(np.zeros(SIZES[space]))):
        for name, each in spec.items():
            each.validate(timestep.observation[name])
    action = env.action_spec()
    assert (action.shape, action.dtype) == ((SIZES[space],), np.float32)
    assert (action.minimum, action.maximum) == (-1.0, 1.0)


def test_what_is_switched_off_is_not_observed(make: Make) -> None:
    assert list(make("reach").observation_spec()) == ["proprio"]


@pytest.mark.render
def test_later_steps_do_not_change_earlier_observations(make: Make) -> None:
    env = make("reach", ObservationSettings())
    first = env.reset()
    kept = {name: value.copy() for name, value in first.observation.items()}
    for _ in range(3):
        env.step(np.ones(4))
    for name, value in kept.items():
        np.testing.assert_array_equal(first.observation[name], value)


def test_an_episode_lasts_200_steps_and_is_truncated(make: Make) -> None:
    env = make("reach")
    timesteps = _play(env, 200)
    assert [timestep.step_type for timestep in timesteps[1:-1]] == [dm_env.StepType.MID] * 199
    assert timesteps[-1].last()
    assert timesteps[-1].discount == 1.0
    assert env.step(np.zeros(4)).first()


@pytest.mark.parametrize("steps", [1, 7, 333])
def test_the_time_limit_is_exact(make: Make, steps: int) -> None:
    timesteps = _play(make("reach", episode_steps=steps), steps)
    assert [timestep.last() for timestep in timesteps] == [False] * steps + [True]


@pytest.mark.render
def test_the_same_seed_gives_the_same_episodes_to_the_last_byte(make: Make) -> None:
    first, second = (make("lift_distracted", ObservationSettings(("front", "wrist")), seed=5) for _ in range(2))
    for episode in range(2):
        _assert_same(_play(first, 25, episode), _play(second, 25, episode))


def test_other_seeds_and_other_episodes_differ(make: Make) -> None:
    env = make("lift_distracted")
    starts = []
    for seed in range(4):
        env.seed(seed)
        starts += [env.reset().observation["proprio"] for _ in range(2)]
    assert len({start.tobytes() for start in starts}) == 8


@pytest.mark.parametrize("task", TASKS)
def test_seeding_reproduces_an_episode_whatever_was_played_before(make: Make, task: str) -> None:
    fresh, used = make(task, seed=3), make(task, seed=8)
    for episode in range(3):
        _play(used, 30, episode)  # leaves velocities, contacts, controls and the solver's warm start behind
    used.seed(3)
    expected, found = _play(fresh, 30), _play(used, 30)
    _assert_same(expected, found)


def test_reset_leaves_nothing_of_the_episode_before(make: Make) -> None:
    env = make("lift")
    data = env.physics.data.ptr
    fields = ("qpos", "qvel", "act", "ctrl", "qacc", "qacc_warmstart", "qfrc_applied", "xfrc_applied", "mocap_pos")
    env.seed(1)
    env.reset()
    expected = {name: getattr(data, name).copy() for name in fields} | {"time": data.time}
    _play(env, 20)
    data.xfrc_applied[:] = 1.0
    env.seed(1)
    env.reset()
    for name, value in expected.items():
        np.testing.assert_array_equal(getattr(data, name), value, err_msg=name)


def test_the_model_is_compiled_once(make: Make) -> None:
    env = make("lift")
    model, data, physics = env.physics.model.ptr, env.physics.data.ptr, env._physics
    for _ in range(3):
        env.reset()
        assert env._physics is physics
        assert env.physics.model.ptr is model
        assert env.physics.data.ptr is data


def _solve_lift(env: TaskEnvironment) -> None:
    env.task._blocks[0].set_pose(env.physics, position=(0.0, 0.0, 0.5))


def _solve_reach(env: TaskEnvironment) -> None:
    env.physics.bind(env.task._ball).mocap_pos = env.task.robot.tool_position


@pytest.mark.parametrize(
    ("task", "solve"), [("reach", _solve_reach), ("lift", _solve_lift), ("lift_distracted", _solve_lift)]
)
def test_the_reward_is_1_on_each_step_that_finds_the_task_solved(make: Make, task: str, solve: Any) -> None:
    env = make(task)
    env.seed(4)
    env.reset()
    idle = np.zeros(4)
    assert (env.step(idle).reward, env.solved) == (0.0, False)
    solve(env)
    for _ in range(2):
        timestep = env.step(idle)
        assert (timestep.reward, env.solved, timestep.discount) == (1.0, True, 1.0)
        assert timestep.mid()


def test_the_distractors_alone_do_not_count(make: Make) -> None:
    env = make("lift_distracted")
    env.reset()
    env.task._blocks[1].set_pose(env.physics, position=(0.0, 0.0, 0.5))
    assert env.step(np.zeros(4)).reward == 0.0


def test_blocks_lie_in_the_workspace_and_apart(make: Make) -> None:
    env = make("lift_distracted")
    centres = []
    for _ in range(100):
        env.reset()
        centres.append([block.get_pose(env.physics)[0].copy() for block in env.task._blocks])
    positions = np.array(centres)
    assert (positions[..., :2] >= WORKSPACE.lower[:2]).all() and (positions[..., :2] <= WORKSPACE.upper[:2]).all()
    np.testing.assert_allclose(positions[..., 2], BLOCK_HALF_SIZE, atol=1e-9)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        distances = np.linalg.norm(positions[:, one, :2] - positions[:, other, :2], axis=-1)
        assert distances.min() > 2 * np.sqrt(2) * BLOCK_HALF_SIZE  # no two can touch, however turned
    spread = positions[:, 0, :2]
    assert (spread.min(axis=0) < -0.08).all() and (spread.max(axis=0) > 0.08).all()


def test_the_tool_starts_anywhere_over_the_workspace(make: Make) -> None:
    env = make("reach")
    starts = []
    for _ in range(60):
        env.reset()
        starts.append(env.task.robot.tool_position.copy())
    positions = np.array(starts)
    assert (positions > TOOL_START.lower - 2e-3).all() and (positions < TOOL_START.upper + 2e-3).all()
    assert (np.ptp(positions, axis=0) > 0.8 * (TOOL_START.upper - TOOL_START.lower)).all()


def test_proprioception_is_the_tool_and_the_joints(make: Make) -> None:
    env = make("reach")
    proprio = env.reset().observation["proprio"]
    robot = env.task.robot
    np.testing.assert_allclose(proprio[:3], WORKSPACE.normalise(robot.tool_position), rtol=1e-5)
    np.testing.assert_allclose(proprio[9:15], robot.data.qvel[robot.arm_dofs], atol=1e-6)
    np.testing.assert_allclose(proprio[15:18], robot.data.qpos[robot.finger_qpos], rtol=1e-5)


def test_things_are_laid_out_as_in_another_state_and_the_robot_stays(make: Make) -> None:
    env = make("lift_distracted")
    _play(env, 3)
    layout = env.state()
    blocks = [block.get_pose(env.physics) for block in env.task._blocks]
    expected = [(position.copy(), quaternion.copy()) for position, quaternion in blocks]
    proprio = env.reset().observation["proprio"]
    env.lay_out_as(layout)
    np.testing.assert_array_equal(env.observe()["proprio"], proprio)
    assert env.physics.data.time == 0.0
    for block, (position, quaternion) in zip(env.task._blocks, expected, strict=True):
        np.testing.assert_allclose(block.get_pose(env.physics)[0], position, atol=1e-12)
        np.testing.assert_allclose(block.get_pose(env.physics)[1], quaternion, atol=1e-12)
    with pytest.raises(UserError, match=r"a state of shape \(3,\): those of lift_distracted have shape"):
        env.lay_out_as(np.zeros(3))


@pytest.mark.render
def test_a_picture_can_be_had_before_the_first_episode_and_after(make: Make) -> None:
    env = make("reach")
    assert env.render(height=48, width=64).shape == (48, 64, 3)
    env.reset()
    before = env.render("left", height=48, width=64)
    for _ in range(5):
        env.step(np.ones(4))
    assert (env.render("left", height=48, width=64) != before).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: EnvSettings("lifft"), r"unknown task 'lifft': did you mean 'lift'"),
        (lambda: EnvSettings("fly"), r"unknown task 'fly': choose from .*lift, lift_distracted, .*reach"),
        (
            lambda: EnvSettings(observation=ObservationSettings(("fornt",))),
            r"unknown camera 'fornt': did you mean 'front'",
        ),
        (lambda: EnvSettings(observation=ObservationSettings(("front", "front"))), "names one twice"),
        (lambda: EnvSettings(observation=ObservationSettings(height=8)), "image size 8x64"),
        (lambda: EnvSettings(observation=ObservationSettings((), proprioception=False)), "both are switched off"),
        (lambda: EnvSettings(episode_steps=0), "episode_steps is 0"),
        (lambda: EnvSettings(appearance=("lihgt",)), "unknown appearance 'lihgt': did you mean 'light'"),
        (lambda: EnvSettings(appearance=("light", "light")), "names one twice"),
    ],
)
def test_bad_settings_are_refused_in_one_line(settings: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        TaskEnvironment(settings())
    assert "\n" not in str(caught.value)
