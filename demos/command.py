"""What a person commands: a velocity of the hand, the gripper, and buttons that say what becomes of an episode."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.actions import CartesianVelocity
from trailkit.envs.environment import Environment
from trailkit.envs.settings import ActionSpace


class Button(StrEnum):
    """What a person can decide about the episode that is being recorded."""

    KEEP = "keep"  # it ends here, and is stored
    DISCARD = "discard"  # it is forgotten; the next begins elsewhere
    RERECORD = "rerecord"  # it is forgotten; the next begins in the same place
    STOP = "stop"  # the recording ends


class Command(NamedTuple):
    """What a device says at one moment."""

    axes: NDArray[np.float32]  # [3] in [-1, 1]: right, away from the front camera, up
    grip: float = 0.0  # in [-1, 1]: 1 closes the fingers at full speed, -1 opens them
    button: Button | None = None
    connected: bool = True  # False while nobody is there: the arm must hold still


STILL = Command(np.zeros(3, np.float32))


def action_of(env: Environment, motion: NDArray[np.float64]) -> NDArray[np.float32]:
    """The action, in an environment's own action space, that moves the hand as commanded.

    Args:
        env: In the state where the action is to be taken.
        motion: Velocities along x, y and z and of the gripper, [4] in [-1, 1] of full speed.

    Returns:
        float32 [A] in [-1, 1].
    """
    motion = np.clip(motion, -1.0, 1.0)
    if env.settings.action_space is ActionSpace.JOINT:
        robot = env.task.robot
        motion = CartesianVelocity().command(robot, motion) / robot.max_velocity
    return motion.astype(np.float32)
