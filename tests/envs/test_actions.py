import numpy as np
import pytest
from environments import Make

from trailkit.envs.actions import MAX_TOOL_SPEED
from trailkit.envs.errors import UserError
from trailkit.envs.robot import DOWN
from trailkit.envs.settings import CONTROL_TIMESTEP, ActionSpace
from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.envs.workspace import WORKSPACE


def _centre(env: TaskEnvironment) -> None:
    """Begins an episode with the tool in the middle of the workspace."""
    env.reset()
    with env.physics.reset_context():
        assert env.task.robot.place(np.array([0.0, 0.0, 0.15]), grip=0.0)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("speed", [-0.5, 0.5])
def test_the_tool_moves_as_commanded(make: Make, axis: int, speed: float) -> None:
    env = make("reach")
    _centre(env)
    action = np.zeros(4)
    action[axis] = speed
    for _ in range(3):  # the motors pick up speed
        env.step(action)
    start = env.task.robot.tool_position.copy()
    for _ in range(8):
        env.step(action)
    velocity = (env.task.robot.tool_position - start) / (8 * CONTROL_TIMESTEP)
    np.testing.assert_allclose(velocity, action[:3] * MAX_TOOL_SPEED, atol=0.15 * abs(speed) * MAX_TOOL_SPEED)


def test_no_command_is_no_motion(make: Make) -> None:
    env = make("reach")
    _centre(env)
    start = env.task.robot.tool_position.copy()
    for _ in range(20):
        env.step(np.zeros(4))
    np.testing.assert_allclose(env.task.robot.tool_position, start, atol=2e-3)


def test_the_hand_stays_down_and_the_tool_inside_the_workspace(make: Make) -> None:
    env = make("reach")
    env.reset()
    robot, random = env.task.robot, np.random.RandomState(0)
    for _ in range(12):
        direction = random.choice([-1.0, 1.0], 3)
        for _ in range(16):  # from one side of the workspace to the other, at full speed
            env.step(np.append(direction, 0.0))
            assert (
                np.linalg.norm(robot.kinematics.orientation_error(robot.data, DOWN)) < 0.6
            )  # rad, while it turns back
            assert (robot.tool_position > WORKSPACE.lower - 0.03).all()
            assert (robot.tool_position < WORKSPACE.upper + 0.03).all()
        for _ in range(20):
            env.step(np.zeros(4))
        assert np.linalg.norm(robot.kinematics.orientation_error(robot.data, DOWN)) < 0.02
        assert (robot.tool_position > WORKSPACE.lower - 2e-3).all()
        assert (robot.tool_position < WORKSPACE.upper + 2e-3).all()


@pytest.mark.parametrize(("grip", "end"), [(1.0, 1), (-1.0, 0)])
def test_the_gripper_closes_and_opens(make: Make, grip: float, end: int) -> None:
    env = make("reach")
    _centre(env)
    robot = env.task.robot
    start = robot.data.qpos[robot.finger_qpos].copy()
    for _ in range(30):
        env.step(np.array([0, 0, 0, grip]))
    moved = robot.data.qpos[robot.finger_qpos]
    assert (np.abs(moved - robot.finger_range[:, end]) <= np.abs(start - robot.finger_range[:, end]) + 0.02).all()
    assert (np.abs(moved - robot.finger_range[:, end]) < 0.15).all()


@pytest.mark.parametrize("joint", range(9))
def test_each_entry_of_a_joint_action_moves_its_joint(make: Make, joint: int) -> None:
    env = make("reach", action_space=ActionSpace.JOINT)
    _centre(env)
    robot = env.task.robot
    qpos = np.concatenate([robot.arm_qpos, robot.finger_qpos])
    start = robot.data.qpos[qpos].copy()
    action = np.zeros(9)
    action[joint] = 0.5
    for _ in range(4):
        env.step(action)
    moved = robot.data.qpos[qpos] - start
    assert np.argmax(np.abs(moved[:6] if joint < 6 else moved)) == joint
    expected = 0.5 * robot.max_velocity[joint] * 4 * CONTROL_TIMESTEP
    if joint < 6:
        assert 0.5 * expected < moved[joint] < 1.1 * expected
    else:
        assert 0.1 < moved[joint] < expected  # finger motors are weak, and pick up speed slowly


def test_actions_beyond_the_bounds_are_clipped(make: Make) -> None:
    positions = []
    for scale in (1.0, 7.0):
        env = make("reach")
        env.reset()
        for _ in range(5):
            env.step(scale * np.array([1.0, -1.0, 1.0, 1.0]))
        positions.append(env.physics.data.ptr.qpos.copy())
    np.testing.assert_array_equal(*positions)


@pytest.mark.parametrize(
    ("space", "shape", "message"),
    [
        (ActionSpace.CARTESIAN, (9,), r"an action of shape \(9,\): the cartesian action space takes shape \(4,\)"),
        (ActionSpace.JOINT, (4,), r"an action of shape \(4,\): the joint action space takes shape \(9,\)"),
        (ActionSpace.CARTESIAN, (1, 4), r"an action of shape \(1, 4\)"),
    ],
)
def test_an_action_of_the_other_space_is_refused(
    make: Make, space: ActionSpace, shape: tuple[int, ...], message: str
) -> None:
    env = make("reach", action_space=space)
    env.reset()
    with pytest.raises(UserError, match=message):
        env.step(np.zeros(shape))


def test_an_action_that_is_not_a_number_is_refused_and_leaves_the_state_alone(make: Make) -> None:
    env = make("reach")
    env.reset()
    qpos = env.physics.data.ptr.qpos.copy()
    with pytest.raises(UserError, match="not a number"):
        env.step(np.array([0, np.nan, 0, 0]))
    np.testing.assert_array_equal(env.physics.data.ptr.qpos, qpos)
