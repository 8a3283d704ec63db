"""MuJoCo and dm_control, which every module here imports from this one.

The first import of dm_control fixes how it renders, so `gl.choose` must run before it.
"""

from trailkit.envs import gl

gl.choose()

import mujoco  # noqa: E402
from dm_control import composer, mjcf  # noqa: E402
from dm_control.composer.observation import observable  # noqa: E402
from dm_control.entities.manipulators import kinova  # noqa: E402

__all__ = ["composer", "kinova", "mjcf", "mujoco", "observable"]
