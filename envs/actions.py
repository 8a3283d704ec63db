"""Action spaces: how an action in [-1, 1] is turned into motor commands."""

from typing import Protocol

import numpy as np
from dm_env import specs
from numpy.typing import NDArray

from trailkit.envs.robot import DOWN, Jaco
from trailkit.envs.settings import CONTROL_TIMESTEP, ActionSpace
from trailkit.envs.workspace import WORKSPACE

MAX_TOOL_SPEED = 0.25  # m/s along each axis
_ALIGNMENT_GAIN = 4.0  # 1/s: gain of the rotation that returns a tilted hand to pointing down


class Controller(Protocol):
    """Turns actions into commands for the robot's velocity motors."""

    size: int

    def command(self, robot: Jaco, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the motors' target velocities, in rad/s [9], for an action [size] in [-1, 1]."""


class CartesianVelocity:
    """Moves the tool centre point while keeping the hand pointing down and inside the workspace.

    The first three entries are the velocity along x, y and z (1 is `MAX_TOOL_SPEED`), the fourth is that of the
    gripper (1 closes it at full speed).
    """

    size = 4

    def command(self, robot: Jaco, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Controller`."""
        position = robot.tool_position
        target = np.clip(position + action[:3] * MAX_TOOL_SPEED * CONTROL_TIMESTEP, WORKSPACE.lower, WORKSPACE.upper)
        linear = (target - position) / CONTROL_TIMESTEP
        angular = _ALIGNMENT_GAIN * robot.kinematics.orientation_error(robot.data, DOWN)
        arm = robot.kinematics.joint_velocities(robot.data, np.concatenate([linear, angular]))
        fingers = action[3] * robot.max_velocity[6:]
        velocity: NDArray[np.float64] = np.concatenate([arm, fingers])
        return velocity.clip(-robot.max_velocity, robot.max_velocity)


class JointVelocity:
    """Moves each of the nine joints (TRAIL, appendix A); 1 is a joint's maximum velocity."""

    size = 9

    def command(self, robot: Jaco, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Controller`."""
        velocity: NDArray[np.float64] = action * robot.max_velocity
        return velocity


def make_controller(space: ActionSpace) -> Controller:
    """Returns the controller of an action space."""
    match space:
        case ActionSpace.CARTESIAN:
            return CartesianVelocity()
        case ActionSpace.JOINT:
            return JointVelocity()


def action_spec(controller: Controller) -> specs.BoundedArray:
    """The dm_env spec of a controller's actions."""
    return specs.BoundedArray((controller.size,), np.float32, minimum=-1.0, maximum=1.0, name="action")  # type: ignore[no-untyped-call]
