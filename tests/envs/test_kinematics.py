import mujoco
import numpy as np
import pytest
from environments import Make
from scipy.spatial.transform import Rotation

from trailkit.envs.robot import DOWN
from trailkit.envs.workspace import TOOL_START


def _rotation(quaternion: np.ndarray) -> Rotation:
    return Rotation.from_quat(np.roll(quaternion, -1))  # SciPy puts w last


def test_joint_velocities_move_the_tool_as_finite_differences_say(make: Make) -> None:
    env = make("reach")
    env.reset()
    robot, data = env.task.robot, env.task.robot.data
    for wanted in np.vstack([np.eye(6), [[0.1, -0.2, 0.05, 0.3, -0.1, 0.2]]]) * 0.1:
        before = robot.tool_position.copy(), Rotation.from_matrix(data.site_xmat[robot._tool].reshape(3, 3))
        qpos = data.qpos.copy()
        velocities = robot.kinematics.joint_velocities(data, wanted)
        dt = 1e-5
        data.qpos[robot.arm_qpos] += velocities * dt
        mujoco.mj_kinematics(robot.model, data)
        linear = (robot.tool_position - before[0]) / dt
        turned = Rotation.from_matrix(data.site_xmat[robot._tool].reshape(3, 3)) * before[1].inv()
        np.testing.assert_allclose(linear, wanted[:3], atol=5e-3)  # damping falls short by a little
        np.testing.assert_allclose(turned.as_rotvec() / dt, wanted[3:], atol=5e-3)
        data.qpos[:] = qpos
        mujoco.mj_forward(robot.model, data)


def test_joint_velocities_stay_bounded_with_the_arm_stretched_out(make: Make) -> None:
    env = make("reach")
    env.reset()
    robot = env.task.robot
    robot.data.qpos[robot.arm_qpos] = (0.0, np.pi, np.pi, 0.0, 0.0, 0.0)
    mujoco.mj_forward(robot.model, robot.data)
    velocities = robot.kinematics.joint_velocities(robot.data, np.array([0.1, 0.1, 0.1, 0.0, 0.0, 0.0]))
    assert np.isfinite(velocities).all()
    assert np.abs(velocities).max() < 0.1 / (2 * np.sqrt(1e-3)) * np.sqrt(3) + 1e-6  # |v| / (2 sqrt(damping))


@pytest.mark.parametrize("seed", range(5))
def test_the_orientation_error_is_scipys_rotation_vector(make: Make, seed: int) -> None:
    env = make("reach")
    env.reset()
    robot = env.task.robot
    current = Rotation.from_matrix(robot.data.site_xmat[robot._tool].reshape(3, 3))
    target = Rotation.random(random_state=seed)
    error = robot.kinematics.orientation_error(robot.data, np.roll(target.as_quat(), 1))
    np.testing.assert_allclose(error, (target * current.inv()).as_rotvec(), atol=1e-8)


def test_opposite_quaternions_are_one_orientation(make: Make) -> None:
    env = make("reach")
    env.reset()
    robot = env.task.robot
    errors = [robot.kinematics.orientation_error(robot.data, sign * DOWN) for sign in (1, -1)]
    np.testing.assert_allclose(*errors, atol=1e-9)


def test_move_to_reaches_the_corners_where_episodes_start(make: Make) -> None:
    env = make("reach")
    env.reset()
    robot = env.task.robot
    for corner in np.array(np.meshgrid(*zip(*TOOL_START, strict=True))).T.reshape(-1, 3):
        assert robot.place(corner, grip=0.0)
        np.testing.assert_allclose(robot.tool_position, corner, atol=1e-3)
        assert np.linalg.norm(robot.kinematics.orientation_error(robot.data, DOWN)) < 0.02


def test_move_to_says_when_a_position_is_out_of_reach(make: Make) -> None:
    env = make("reach")
    env.reset()
    assert not env.task.robot.place(np.array([0.0, -3.0, 0.2]), grip=0.0)
