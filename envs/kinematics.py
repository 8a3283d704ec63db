"""Inverse kinematics by damped least squares (Buss, 2004), for one site of an arm."""

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.simulator import mujoco

_DAMPING = 1e-3  # added to the diagonal of J J^T: keeps joint speeds bounded near singularities


class SiteKinematics:
    """Maps the velocity of a site to velocities of the joints that move it."""

    def __init__(self, model: mujoco.MjModel, site: int, dofs: NDArray[np.intp]) -> None:
        """Stores the site's id and the indices, among all degrees of freedom, of the joints that move it."""
        self._model, self._site, self._dofs = model, site, dofs
        self._translation = np.zeros((3, model.nv))
        self._rotation = np.zeros((3, model.nv))
        self._damping = _DAMPING * np.eye(6)

    def joint_velocities(self, data: mujoco.MjData, velocity: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solves for joint velocities, in rad/s [len(dofs)].

        Args:
            data: The state at which the Jacobian is taken.
            velocity: The site's velocity, [6]: linear in m/s, then angular in rad/s, both in the world frame.
        """
        mujoco.mj_jacSite(self._model, data, self._translation, self._rotation, self._site)
        jacobian = np.concatenate([self._translation[:, self._dofs], self._rotation[:, self._dofs]])
        # MuJoCo's Cholesky, not NumPy's solve: that uses BLAS, whose threads cost 1 ms here on busy cores.
        factor = jacobian @ jacobian.T + self._damping
        mujoco.mju_cholFactor(factor, 0.0)
        solution = np.empty(6)
        mujoco.mju_cholSolve(solution, factor, velocity)
        solved: NDArray[np.float64] = jacobian.T @ solution
        return solved

    def orientation_error(self, data: mujoco.MjData, quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
        """The rotation vector, in rad [3] in the world frame, that turns the site to an orientation (w, x, y, z)."""
        current, inverse, difference = np.empty(4), np.empty(4), np.empty(4)
        mujoco.mju_mat2Quat(current, data.site_xmat[self._site])
        mujoco.mju_negQuat(inverse, current)
        mujoco.mju_mulQuat(difference, quaternion, inverse)
        vector = np.empty(3)
        mujoco.mju_quat2Vel(vector, difference, 1.0)
        return vector

    def move_to(
        self,
        data: mujoco.MjData,
        qpos: NDArray[np.intp],
        position: NDArray[np.float64],
        quaternion: NDArray[np.float64],
    ) -> bool:
        """Changes the joints' positions until the site reaches a pose.

        Args:
            data: Changed in place; coordinates other than `qpos` are unchanged.
            qpos: The indices of the joints' coordinates, in the order of `dofs`.
            position: The site's target position, [3] in metres.
            quaternion: The site's target orientation, (w, x, y, z).

        Returns:
            Whether the site came within 1 mm and 0.02 rad of the pose.
        """
        for _ in range(100):
            mujoco.mj_kinematics(self._model, data)
            mujoco.mj_comPos(self._model, data)
            offset = position - data.site_xpos[self._site]
            turn = self.orientation_error(data, quaternion)
            if np.linalg.norm(offset) < 1e-3 and np.linalg.norm(turn) < 2e-2:
                return True
            data.qpos[qpos] += np.clip(self.joint_velocities(data, np.concatenate([offset, turn])), -0.3, 0.3)
        return False
