"""Where a task's things are and how they move, for learning from state; policies from images never see it."""

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.simulator import mujoco
from trailkit.envs.workspace import WORKSPACE


def state_of_things(model: mujoco.MjModel, data: mujoco.MjData, robot: int) -> NDArray[np.float32]:
    """Poses and velocities of all top-level bodies except the robot's.

    Args:
        model: The compiled model.
        data: The simulation's state, with kinematics up to date.
        robot: The id of the body that holds the whole robot.

    Returns:
        float32 [13 N]. For each thing, in the order in which the task adds them: its position in units of the
        workspace, like the tool's in `Jaco.proprioception`, so that both can be compared; its orientation as a
        quaternion (w, x, y, z); its velocity in m/s and its angular velocity in rad/s, along the world's axes.
    """
    standing = np.flatnonzero(model.body_parentid == 0)[1:]  # the first is the world, which is its own parent
    return np.concatenate([_state(model, data, body) for body in standing if body != robot], dtype=np.float32)


def _state(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> NDArray[np.float64]:
    velocity = np.empty(6)
    mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, body, velocity, 0)
    angular, linear = velocity[:3], velocity[3:]
    return np.concatenate([WORKSPACE.normalise(data.xpos[body]), data.xquat[body], linear, angular])
