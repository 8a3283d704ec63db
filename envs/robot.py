"""The Jaco arm and hand: where its joints are in a model, how it moves and what it senses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.kinematics import SiteKinematics
from trailkit.envs.simulator import composer, kinova, mujoco
from trailkit.envs.workspace import WORKSPACE

_BASE_POSITION = (0.0, 0.4, 0.0)  # m: behind the workspace, as seen from the front camera
_HOME = np.array([4.71, 2.6, 1.4, -0.6, 2.5, 1.0])  # rad: elbow up, hand over the workspace
DOWN = np.array([0.0, 0.70710678, 0.70710678, 0.0])  # the orientation (w, x, y, z) of a hand that points down


class Jaco:
    """A six-joint arm with a three-finger hand, attached to an arena.

    Build it with the arena, then `bind` it to the compiled model; everything defined below `bind` requires that.
    """

    def __init__(self, arena: composer.Arena) -> None:
        self._arm = kinova.JacoArm()
        self._hand = kinova.JacoHand(use_pinch_site_as_tcp=True)
        self._arm.attach(self._hand)
        arena.attach(self._arm).pos = _BASE_POSITION
        for root in (self._arm.mjcf_model, self._hand.mjcf_model):
            for body in root.find_all("body", exclude_attachments=True):
                if hasattr(body, "gravcomp"):  # not the frame to which the hand is attached
                    body.gravcomp = 1.0  # the real arm's firmware compensates gravity

    @property
    def hand(self) -> Any:
        """The hand's MJCF model, to attach cameras to."""
        return self._hand.mjcf_model

    def bind(self, physics: Any) -> None:
        """Looks up, once, where the robot is in a compiled model."""
        self.model: mujoco.MjModel = physics.model.ptr
        self.data: mujoco.MjData = physics.data.ptr
        joints = physics.bind(self._arm.joints)
        fingers = physics.bind(self._hand.joints)
        self.arm_qpos = np.array([self.model.jnt_qposadr[i] for i in joints.element_id])
        self.arm_dofs = np.array([self.model.jnt_dofadr[i] for i in joints.element_id])
        self.finger_qpos = np.array([self.model.jnt_qposadr[i] for i in fingers.element_id])
        self.finger_dofs = np.array([self.model.jnt_dofadr[i] for i in fingers.element_id])
        self.finger_range = fingers.range.copy()
        arm_motors, finger_motors = physics.bind(self._arm.actuators), physics.bind(self._hand.actuators)
        self.motors = np.concatenate([arm_motors.element_id, finger_motors.element_id])
        # the maximum rad/s of each motor: six of the arm, three of the fingers
        self.max_velocity = self.model.actuator_ctrlrange[self.motors, 1].copy()
        self.root = int(self.model.body_rootid[self.model.dof_bodyid[self.arm_dofs[0]]])  # the robot's root body
        self._tool = physics.bind(self._hand.tool_center_point).element_id
        self.kinematics = SiteKinematics(self.model, self._tool, self.arm_dofs)

    @property
    def tool_position(self) -> NDArray[np.float64]:
        """The tool centre point, between the fingertips: [3] in metres."""
        position: NDArray[np.float64] = self.data.site_xpos[self._tool]
        return position

    def place(self, tool_position: NDArray[np.float64], grip: float) -> bool:
        """Poses the arm, with the hand pointing down and at rest.

        Args:
            tool_position: The position of the tool centre point, [3] in metres.
            grip: How far the fingers are closed, from 0 to 1.

        Returns:
            Whether the arm can reach that position.
        """
        low, high = self.finger_range.T
        self.data.qpos[self.finger_qpos] = low + grip * (high - low)
        self.data.qpos[self.arm_qpos] = _HOME
        return self.kinematics.move_to(self.data, self.arm_qpos, tool_position, DOWN)

    def proprioception(self) -> NDArray[np.float32]:
        """The robot's proprioception, float32 [21].

        The tool centre point in units of the workspace ([-1, 1] inside it), then joint angles in rad and speeds in
        rad/s, first of the six arm joints (angles relative to the home pose), then of the three fingers.
        """
        parts: NDArray[np.float64] = np.concatenate(
            [
                WORKSPACE.normalise(self.tool_position),
                self.data.qpos[self.arm_qpos] - _HOME,
                self.data.qvel[self.arm_dofs],
                self.data.qpos[self.finger_qpos],
                self.data.qvel[self.finger_dofs],
            ]
        )
        return parts.astype(np.float32)


PROPRIOCEPTION_SIZE = 21
