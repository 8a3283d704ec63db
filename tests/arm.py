"""An arm that is not trailkit's: what a user brings, as Gymnasium knows it, in a few lines."""

from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

MJCF = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <light pos="0 0 2"/>
    <geom type="plane" size="1 1 .1" rgba=".6 .6 .6 1"/>
    <camera name="above" pos="0 0 1.5"/>
    <body pos="0 0 .1">
      <joint name="shoulder" axis="0 0 1" damping="1"/>
      <geom type="capsule" fromto="0 0 0 .3 0 0" size=".04" rgba=".2 .4 .8 1"/>
      <site name="tip" pos=".3 0 0"/>
    </body>
    <body name="ball" mocap="true"><geom type="sphere" size=".05" rgba=".9 .1 .1 1" contype="0" conaffinity="0"/></body>
  </worldbody>
  <actuator><motor joint="shoulder" ctrlrange="-2 2" ctrllimited="true"/></actuator>
</mujoco>
"""


class Arm(gymnasium.Env[Any, Any]):
    """Turns one joint until its tip is at the ball, which ends the episode."""

    metadata = {"render_modes": [], "render_fps": 20}  # noqa: RUF012
    action_space = spaces.Box(-2.0, 2.0, (1,))
    observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)

    def __init__(self, tells: bool = True, **_: Any) -> None:
        self.model = mujoco.MjModel.from_xml_string(MJCF)
        self.data = mujoco.MjData(self.model)
        self._tells = tells

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        angle = self.np_random.uniform(0.5, 2.5)
        self.data.mocap_pos[0] = 0.3 * np.cos(angle), 0.3 * np.sin(angle), 0.1
        mujoco.mj_forward(self.model, self.data)
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.data.ctrl[:] = action
        for _ in range(5):
            mujoco.mj_step(self.model, self.data)
        distance = np.linalg.norm(self.data.site("tip").xpos - self.data.mocap_pos[0])
        solved = bool(distance < 0.05)
        return (
            self._observe(),
            -float(distance),
            solved,
            False,
            {"success": solved} if self._tells else {"far": distance},
        )

    def hand_action(self, motion: Any) -> Any:
        """Turns towards where the hand is to go along x."""
        return [-2.0 * motion[0]]

    def _observe(self) -> Any:
        return np.concatenate([self.data.qpos, self.data.qvel, self.data.mocap_pos[0, :2]])


class TurningArm(Arm):
    """The same, of which a person commands how the hand turns, too: its joint follows that about z."""

    hand_size = 7

    def hand_action(self, motion: Any) -> Any:
        return [2.0 * motion[5]]


gymnasium.register("Arm-v0", entry_point=Arm)
gymnasium.register("TurningArm-v0", entry_point=TurningArm)
